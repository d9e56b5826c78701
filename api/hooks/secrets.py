"""The secrets of senders: read from the environment or from files that are read again when they change."""

import os
from collections.abc import Mapping
from pathlib import Path

from api.hooks.settings import HookSecretSettings, HookSettings
from domain.errors import ConfigurationError

SENDERS = ("alertmanager", "grafana", "github", "gitlab", "generic")
_SHORTEST = 8


class SecretBook:
    """The secrets of each sender; several while one is being changed."""

    def __init__(self, settings: HookSettings, environ: Mapping[str, str] | None = None) -> None:
        """Raises ConfigurationError where a secret is missing, unreadable or too short."""
        self._environ = os.environ if environ is None else environ
        self._places: dict[str, HookSecretSettings] = {
            sender: place for sender in SENDERS if (place := getattr(settings, sender)) is not None
        }
        self._read: dict[str, tuple[int, tuple[str, ...]]] = {}
        for sender in self._places:
            self.of(sender)

    def of(self, sender: str) -> tuple[str, ...]:
        """The secrets that are good now; empty where none is configured."""
        place = self._places.get(sender)
        if place is None:
            return ()
        if place.env is not None:
            return _checked(sender, [self._environ.get(place.env, "")], place.env)
        return self._of_file(sender, Path(place.file or ""))

    def _of_file(self, sender: str, path: Path) -> tuple[str, ...]:
        try:
            changed = path.stat().st_mtime_ns
            if self._read.get(sender, (0, ()))[0] != changed:
                lines = path.read_text(encoding="utf-8").splitlines()
                self._read[sender] = (changed, _checked(sender, lines, str(path)))
        except (OSError, UnicodeDecodeError, ConfigurationError):
            # A file that is being written keeps the secrets that were good before.
            if sender not in self._read:
                raise ConfigurationError(f"hooks.{sender}", f"no secret can be read from {path}") from None
        return self._read[sender][1]


def _checked(sender: str, lines: list[str], where: str) -> tuple[str, ...]:
    found = tuple(line.strip() for line in lines if line.strip())
    if not found:
        raise ConfigurationError(f"hooks.{sender}", f"{where} holds no secret")
    if any(len(one) < _SHORTEST for one in found):
        raise ConfigurationError(f"hooks.{sender}", f"a secret needs at least {_SHORTEST} characters")
    return found
