"""Secrets are kept out of every line that is logged, whoever wrote it."""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from pydantic import BaseModel, SecretStr

from api.hooks.settings import HookSecretSettings
from api.settings import TokenSettings

HIDDEN = "***"
_SHORTEST = 6
_LARGEST_FILE = 65_536
_SECRET_VARIABLE = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ROUTING_KEY|PRIVATE_KEY|WEBHOOK|CREDENTIAL|_DSN$", re.IGNORECASE
)
# What looks like a secret, whether we know it or not.
_SHAPES = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?<=://)[^/\s:@\"']{1,100}:[^/\s@\"']{1,500}(?=@)"), HIDDEN),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{6,}|\bxapp-[A-Za-z0-9-]{6,}"), HIDDEN),
    (re.compile(r"(?<=hooks\.slack\.com/)[A-Za-z0-9/_-]{6,}"), HIDDEN),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{12,}|\bwhsec_[A-Za-z0-9+/=]{8,}|\bgh[pousr]_[A-Za-z0-9]{20,}"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), HIDDEN),
)


class Redactor:
    """Replaces known secrets, however they were quoted, and whatever looks like one."""

    def __init__(self, secrets: Iterator[str] | tuple[str, ...] = ()) -> None:
        forms = {
            form
            for secret in secrets
            if len(secret) >= _SHORTEST
            for form in (secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1])
        }
        # The longest first: one secret may begin with another.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, shown in _SHAPES:
            text = shape.sub(shown, text)
        return text

    def processor(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The same for every text of a structured log line."""
        for key, value in event.items():
            event[key] = self._plain(value)
        return event

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self._plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(one) for one in value]
        return value if isinstance(value, int | float | bool | None) else self(str(value))


def redactor_of(settings: BaseModel, environ: Mapping[str, str]) -> Redactor:
    """A redactor that knows the secrets of a configuration and of the environment."""
    leaves = list(_leaves(settings, ""))
    named = {str(value) for key, value in leaves if key.endswith("_env")}
    variables = named | {name for name in environ if _SECRET_VARIABLE.search(name)}
    found = [environ[name] for name in variables if environ.get(name) and not name.endswith("_FILE")]
    files = {environ[f"{name}_FILE"] for name in variables if environ.get(f"{name}_FILE")}
    files |= {str(value) for key, value in leaves if key.endswith("_file")} - _no_secrets(leaves)
    for path in sorted(files):
        found += _lines(Path(path))
    for _, value in leaves:
        found += [value.get_secret_value()] if isinstance(value, SecretStr) else _passwords(str(value))
    return Redactor(tuple(found))


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every value of a configuration with the name of its field; members of lists carry its name."""
    if isinstance(value, BaseModel):
        # The `file` of a log source is read all day and no secret; that of a token is one.
        of = "secret_" if isinstance(value, TokenSettings | HookSecretSettings) else ""
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), of + name)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one, key)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _leaves(one, key)
    elif value is not None:
        yield key, value


def _no_secrets(leaves: list[tuple[str, Any]]) -> set[str]:
    return {str(value) for key, value in leaves if key == "ca_file"}


def _passwords(text: str) -> list[str]:
    """The password inside an address, if there is one."""
    try:
        password = urlsplit(text).password if "://" in text else None
    except ValueError:
        return []
    return [password] if password else []


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return []
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]
