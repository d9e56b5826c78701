"""Log files on disk: one per group of components, appended live and rotated by size."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO

from collectors.simulator.loglines import LogLine

_FILES: Final = {"gateway": "gateways.log", "feed": "feeds.log", "strategy": "strategies.log"}
_OTHER: Final = "platform.log"
_MAX_BYTES: Final = 8 * 1024 * 1024
_KEPT: Final = 3


class LogFiles:
    """Appends lines to the file of their component; a full file becomes `NAME.1`, the oldest goes."""

    def __init__(self, folder: Path, max_bytes: int = _MAX_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._max_bytes = max_bytes
        self._paths = {name: folder / name for name in (*_FILES.values(), _OTHER)}
        for path in self._paths.values():
            for old in (path, *(_rotated(path, n) for n in range(1, _KEPT + 1))):
                old.unlink(missing_ok=True)
        self._open: dict[str, TextIO] = {
            name: path.open("a", encoding="utf-8") for name, path in self._paths.items()
        }

    def append(self, lines: Iterable[LogLine]) -> None:
        """Write lines in the given order and make them visible."""
        texts: dict[str, list[str]] = {name: [] for name in self._open}
        for line in lines:
            texts[_FILES.get(line.component.partition(":")[0], _OTHER)].append(line.render() + "\n")
        for name, parts in texts.items():
            if parts:
                self._open[name].write("".join(parts))
                self._open[name].flush()
                self._rotate(name)

    def close(self) -> None:
        """Close all files."""
        for file in self._open.values():
            file.close()

    def _rotate(self, name: str) -> None:
        path = self._paths[name]
        if self._open[name].tell() < self._max_bytes:
            return
        self._open[name].close()
        for n in range(_KEPT - 1, 0, -1):
            if _rotated(path, n).exists():
                _rotated(path, n).replace(_rotated(path, n + 1))
        path.replace(_rotated(path, 1))
        self._open[name] = path.open("a", encoding="utf-8")


def _rotated(path: Path, n: int) -> Path:
    return path.with_name(f"{path.name}.{n}")
