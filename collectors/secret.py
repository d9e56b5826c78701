"""Secrets: read from the environment or a file that it names, and kept out of every sentence."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from domain.errors import ConfigurationError

HIDDEN = "***"
_SHORTEST = 4


def read_secret(environ: Mapping[str, str], variable: str, source: str) -> str:
    """The value of a variable, or the content of the file that `<variable>_FILE` names.

    Raises:
        ConfigurationError: naming the source and the variable; never a value.
    """
    if environ.get(variable):
        return environ[variable]
    path = environ.get(f"{variable}_FILE")
    if not path:
        raise ConfigurationError(f"sources.{source}", f"the environment variable {variable} is not set")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"sources.{source}", f"the file of {variable}_FILE cannot be read") from None


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without any of the secrets, however they were quoted."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}:
                text = text.replace(form, HIDDEN)
    return text
