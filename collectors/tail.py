"""Reading files that grow, are replaced, truncated, rotated or compressed, from a mark on."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import IO, Any

_HEAD_BYTES = 256
_MAX_FILES = 10_000
_MAX_FIRST_LINE = 1_000_000
_MAX_SIBLINGS = 100
_ROTATION = re.compile(r"[.\-_]?\d+|\.gz$")


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read.

    Args:
        offset: bytes read, counted after decompression.
        head: fingerprint of its first `head_bytes` bytes; another one means another file of the same name.
        size: of the file on disk when it was read.
        modified_ns: its time of modification then.
        pending: true where the last line had no end yet.
        inode: number of the file, 0 where unknown; a renamed file keeps it.
        cut: true where the last line was longer than a page and its rest is still to come.
        stamped: true where a line of it had a time: lines without one then continue the line before.
    """

    offset: int
    head: str
    head_bytes: int
    size: int
    modified_ns: int
    pending: bool = False
    inode: int = 0
    cut: bool = False
    stamped: bool = False

    def as_json(self) -> list[object]:
        return [getattr(self, name) for name in self.__slots__]

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
        restarted = mark is not None and not _continues(mark, head, stat, path)
        known = None if restarted else mark
        offset = 0 if known is None else known.offset
        file.seek(offset)
        data = file.read(budget)
        at_end = len(data) < budget
    rest = 0 if known is None or not known.cut else (data.find(b"\n") + 1 or len(data))
    whole = max(data.rfind(b"\n") + 1, rest)
    cut = False
    if whole < len(data) and ((at_end and seen) or (not at_end and whole == rest)):
        # A last line that nobody continued, or one longer than anybody needs.
        whole, cut = len(data), not at_end
    new = Mark(
        offset + whole,
        _fingerprint(head),
        len(head),
        stat.st_size,
        # A size that was not read to its end must not look as if it were.
        stat.st_mtime_ns if at_end else -1,
        at_end and whole < len(data),
        stat.st_ino,
        cut or (rest > 0 and rest == len(data) and not data.endswith(b"\n")),
        known is not None and known.stamped,
    )
    return Tail(data[rest:whole], new, restarted, more=not at_end)


def rotated_from(path: Path, mark: Mark) -> Path | None:
    """Where the file with this mark went when it was rotated: `NAME.1`, `NAME-2026...`, `NAME.1.gz`."""
    siblings = [one for one in _siblings(path) if one != path and one.is_file()]
    same = (one for one in siblings if mark.inode and _inode(one) == mark.inode)
    return next(same, None) or next((one for one in siblings if _is_the_same(one, mark)), None)


def renamed_from(path: Path, marks: Mapping[str, Mark]) -> Mark | None:
    """The mark that a file had under another name, where it was rotated to this one; None for a new file.

    Args:
        path: a file without a mark of its own.
        marks: of the read before, by path.
    """
    try:
        inode = path.stat().st_ino
    except OSError:
        return None
    for name, mark in marks.items():
        other = Path(name)
        if other == path or other.parent != path.parent or _family(other) != _family(path):
            continue
        moved = mark.inode == inode and inode != 0
        if _is_the_same(path, mark) and (moved or not still_there(other, mark)):
            return mark if moved else replace(mark, size=-1, modified_ns=-1, inode=0)
    return None


def still_there(path: Path, mark: Mark) -> bool:
    """Whether a path still holds the file that its mark was set in."""
    try:
        stat = path.stat()
        with _opened(path) as file:
            return _continues(mark, file.read(_HEAD_BYTES), stat, path)
    except OSError:
        return False


def _siblings(path: Path) -> list[Path]:
    """Files that a rotation may have made of one another, the newest first."""
    family = _family(path)
    found = [one for one in path.parent.iterdir() if _family(one) == family]
    return sorted(found, key=_modified, reverse=True)[:_MAX_SIBLINGS]


def _is_the_same(path: Path, mark: Mark) -> bool:
    try:
        with _opened(path) as file:
            return mark.head_bytes > 0 and _fingerprint(file.read(mark.head_bytes)) == mark.head
    except OSError:
        return False


def _continues(mark: Mark, head: bytes, stat: os.stat_result, path: Path) -> bool:
    if path.suffix != ".gz" and stat.st_size < mark.offset:
        return False
    if len(head) < mark.head_bytes or _fingerprint(head[: mark.head_bytes]) != mark.head:
        return False
    # Files of one program may begin alike: where the old one lives on under another name, this is a new one.
    moved = mark.inode not in {0, stat.st_ino}
    return not (moved and any(_inode(one) == mark.inode for one in _siblings(path)))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def was_rotated(path: Path) -> bool:
    """Whether a name looks like one that a rotation gives."""
    return _family(path) != path.name


def _family(path: Path) -> str:
    """The name without what a rotation adds to it."""
    return _ROTATION.sub("", path.name)


def _fingerprint(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:16]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


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
