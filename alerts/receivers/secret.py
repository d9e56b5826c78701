"""Secrets come from the environment or from a file that is named, never from the configuration itself."""

import os
from pathlib import Path

from pydantic import SecretStr

from domain.errors import ConfigurationError


def read_secret(
    key: str, *, value: SecretStr | None = None, file: Path | None = None, env: str | None = None
) -> SecretStr | None:
    """The first of: a value, the content of a file, a variable of the environment; None where none is set.

    Raises:
        ConfigurationError: the file cannot be read, or the variable that is named does not exist.
    """
    if value is not None:
        return value
    if file is not None:
        return _from_file(key, file)
    if env is not None:
        text = os.environ.get(env, "").strip()
        if not text:
            raise ConfigurationError(key, f"the environment has no variable {env}")
        return SecretStr(text)
    return None


def _from_file(key: str, file: Path) -> SecretStr:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(key, f"the file {file} cannot be read") from None
    if not text:
        raise ConfigurationError(key, f"the file {file} is empty")
    return SecretStr(text)
