"""Reading files that grow, are replaced, truncated, rotated or compressed, from a mark on."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import IO, Any

_HEAD_BYTES = 256
_MAX_FILES = 10_000
_MAX_FIRST_LINE = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read.

    Args:
        offset: bytes read, counted after decompression.
        head: fingerprint of its first `head_bytes` bytes; another one means another file of the same name.
        size: of the file on disk when it was read.
        modified_ns: its time of modification then.
        pending: true where the last line had no end yet.
    """

    offset: int
    head: str
    head_bytes: int
    size: int
    modified_ns: int
    pending: bool = False

    def as_json(self) -> list[object]:
        return [self.offset, self.head, self.head_bytes, self.size, self.modified_ns, self.pending]

    @classmethod
    def of_json(cls, parts: Sequence[Any]) -> "Mark":
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Tail:
    """New whole lines of a file.

    Args:
        data: they end with a line's end, except for a last line that nobody continued.
        restarted: the file is not the one that the mark was set in, or was cut back.
        more: the file has further lines now.
    """

    data: bytes
    mark: Mark
    restarted: bool = False
    more: bool = False


def matching_files(patterns: Iterable[str]) -> list[Path]:
    """The regular files that the globs match, sorted; no pipe or device, which could block a reader."""
    found = {name for pattern in patterns for name in glob(os.path.expanduser(pattern), recursive=True)}  # noqa: PTH111, PTH207 - absolute globs
    return [path for path in map(Path, sorted(found)[:_MAX_FILES]) if path.is_file()]


def read_tail(path: Path, mark: Mark | None, budget: int) -> Tail:
    """Read whole lines from the mark on.

    Args:
        path: of the file; `.gz` is decompressed.
        mark: of the previous read, or None for the beginning.
        budget: bytes to read at most.

    Raises:
        OSError: the file cannot be read, or is no gzip.
    """
    stat = path.stat()
    seen = mark is not None and (stat.st_size, stat.st_mtime_ns) == (mark.size, mark.modified_ns)
    if mark is not None and seen and not mark.pending:
        return Tail(b"", mark)
    with _opened(path) as file:
        head = file.read(_HEAD_BYTES)
        restarted = mark is not None and not _continues(mark, head, stat.st_size, path)
        offset = 0 if mark is None or restarted else mark.offset
        file.seek(offset)
        data = file.read(budget)
        at_end = len(data) < budget
    whole = data.rfind(b"\n") + 1
    if whole < len(data) and ((at_end and seen) or (not at_end and whole == 0)):
        # A last line that nobody continued, or one longer than anybody needs.
        whole = len(data)
    pending = at_end and whole < len(data)
    # A size that was not read to its end must not look as if it were.
    modified = stat.st_mtime_ns if at_end else -1
    new = Mark(offset + whole, _fingerprint(head), len(head), stat.st_size, modified, pending)
    return Tail(data[:whole], new, restarted, more=not at_end)


def rotated_from(path: Path, mark: Mark) -> Path | None:
    """Where the file with this mark went when it was rotated: `NAME.1`, `NAME-2026...`, `NAME.1.gz`."""
    siblings = sorted(path.parent.glob(f"{_escaped(path.name)}*"), key=_modified, reverse=True)
    for sibling in siblings[:50]:
        if sibling != path and sibling.is_file() and _is_the_same(sibling, mark):
            return sibling
    return None


def _is_the_same(path: Path, mark: Mark) -> bool:
    try:
        with _opened(path) as file:
            return mark.head_bytes > 0 and _fingerprint(file.read(mark.head_bytes)) == mark.head
    except OSError:
        return False


def _continues(mark: Mark, head: bytes, size: int, path: Path) -> bool:
    if path.suffix != ".gz" and size < mark.offset:
        return False
    return len(head) >= mark.head_bytes and _fingerprint(head[: mark.head_bytes]) == mark.head


def _fingerprint(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:16]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _escaped(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


class _Gzip(gzip.GzipFile):
    """Reports broken streams as what they are to a caller: an unreadable file."""

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except (EOFError, zlib.error) as error:
            raise OSError(f"is no whole gzip ({error})") from None


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return _Gzip(path, "rb")  # type: ignore[return-value] # a binary stream in all but name
    return path.open("rb")


def first_line(path: Path) -> str:
    """The first line as text, without a byte order mark; raises OSError."""
    with _opened(path) as file:
        return file.readline(_MAX_FIRST_LINE).decode("utf-8-sig", "replace").rstrip("\r\n")


def split_lines(data: bytes) -> Iterator[str]:
    """Lines as text without their ends; what is not UTF-8 is replaced."""
    for line in data.split(b"\n"):
        if line:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
