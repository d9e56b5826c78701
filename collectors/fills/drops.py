"""Files that are dropped into a folder: growing, rewritten, half written, CSV or Parquet; every row once."""

import csv
import gzip
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from collectors.csv_rows import csv_rows
from collectors.fills.records import Row, Unusable
from collectors.gate import clean_text
from collectors.tail import Mark, first_line, matching_files, read_tail, split_lines
from domain.errors import ConfigurationError, SourceError

_BATCH = 20_000
# What readers of tables raise at times, zones and types that they cannot tell.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError, csv.Error)


class Record(Protocol):
    """A row with an identity and a time."""

    @property
    def id(self) -> str: ...

    @property
    def at(self) -> int: ...


R = TypeVar("R", bound=Record)
Skip = Callable[[str], None]


@dataclass(slots=True)
class _File(Generic[R]):
    """What one file said when it was read last; `useless` is why, where nothing new of it could be used."""

    rows: dict[str, R] = field(default_factory=dict)
    mark: Mark | None = None
    stamp: tuple[int, int] = (-1, -1)
    cut_short: bool = False
    useless: str | None = None
    prefix: bytes = b""


class Drops(Generic[R]):
    """The rows of all files that match, by their ids; of two with one id the file changed last stands.

    Args:
        source: name of the source, for errors.
        paths: globs.
        parse: reads one row; raises Unusable.
        delimiter: of CSV files.
        max_rows: more are an error.
    """

    def __init__(
        self,
        source: str,
        paths: Sequence[str],
        parse: Callable[[Row], R],
        delimiter: str = ",",
        max_rows: int = 300_000,
    ) -> None:
        self._source = source
        self._paths = paths
        self._parse = parse
        self._delimiter = delimiter
        self._max_rows = max_rows
        self._files: dict[str, _File[R]] = {}
        self._changed: int | None = None
        self.complete = False
        self.floor = 0

    def rows(self) -> list[R]:
        """All rows since the floor, each id once, in the order of time."""
        merged: dict[str, R] = {}
        for one in sorted(self._files.values(), key=lambda one: one.stamp[1]):
            merged.update(one.rows)
        return sorted(merged.values(), key=lambda row: (row.at, row.id))

    def restart(self, floor: int) -> None:
        """Forget everything; rows before the floor are not wanted."""
        self._files, self._changed, self.complete, self.floor = {}, None, False, floor

    def settle(self, floor: int) -> None:
        """Forget rows before the floor."""
        self.floor = floor
        for one in self._files.values():
            one.rows = {key: row for key, row in one.rows.items() if row.at >= floor}

    def changed(self) -> int | None:
        """The earliest time of rows that came, changed or went since this was asked last."""
        found, self._changed = self._changed, None
        return found

    def refresh(self, budget: int, skip: Skip) -> int:
        """Read what is new, at most so many bytes; returns the bytes left; `complete` tells if it was all.

        Raises:
            SourceError: more rows than may be held.
        """
        self.complete = True
        for path in matching_files(self._paths):
            if budget <= 0:
                self.complete = False
                break
            try:
                budget -= self._read(path, self._files.setdefault(str(path), _File()), budget, skip)
            except _UNREADABLE as error:
                reason = clean_text(str(getattr(error, "strerror", None) or error), 80)
                skip(f"files not readable now: {path.name}: {reason}")
            self._tell_useless(path, skip)
        held = sum(len(one.rows) for one in self._files.values())
        if held > self._max_rows:
            raise self._too_many(held)
        return budget

    def _too_many(self, held: int) -> SourceError:
        reason = f"{held} rows are more than max_fills = {self._max_rows}"
        return SourceError(self._source, reason, permanent=True)

    @property
    def useless(self) -> str | None:
        """Why nothing new can be used, where that is so of every file."""
        reasons = [one.useless for one in self._files.values()]
        return reasons[0] if reasons and all(reasons) else None

    def _tell_useless(self, path: Path, skip: Skip) -> None:
        """Say it at every read: rows are looked at once, and would be missed in silence."""
        reason = self._files[str(path)].useless
        if reason:
            skip(f"files of no use now: {path.name}: {reason}")

    def _read(self, path: Path, file: _File[R], budget: int, skip: Skip) -> int:
        if path.suffix == ".parquet":
            return self._read_parquet(path, file, skip)
        return self._read_csv(path, file, budget, skip)

    def _read_csv(self, path: Path, file: _File[R], budget: int, skip: Skip) -> int:
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns)
        if file.mark is not None and stamp != file.stamp and self._is_another(path, file):
            file.mark, file.cut_short = None, False
            self._replace(file, {})
        tail = read_tail(path, file.mark, budget)
        if tail.restarted:
            self._replace(file, {})
        if tail.data:
            header = next(csv.reader([first_line(path)], delimiter=self._delimiter), [])
            lines = split_lines(tail.data)
            if file.mark is None or tail.restarted:
                next(lines, None)
            self._add(file, self._table(header, lines, skip), skip)
            file.cut_short = not tail.data.endswith(b"\n")
            file.prefix = _digest(path, tail.mark.offset)
        file.mark, file.stamp = tail.mark, stamp
        if tail.more:
            self.complete = False
        return len(tail.data)

    @staticmethod
    def _is_another(path: Path, file: _File[R]) -> bool:
        """Whether what was read of a file is no longer what stands there, or was half a row at its end."""
        return file.cut_short or (file.mark is not None and _digest(path, file.mark.offset) != file.prefix)

    def _table(self, header: list[str], lines: Iterator[str], skip: Skip) -> Iterator[Row]:
        names = [name.strip() for name in header]
        for cells in csv_rows(lines, self._delimiter, len(names), skip):
            yield dict(zip(names, cells, strict=True))

    def _read_parquet(self, path: Path, file: _File[R], skip: Skip) -> int:
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns)
        if stamp == file.stamp:
            return 0
        fresh: _File[R] = _File()
        self._add(fresh, self._parquet_rows(path), skip, noting=False)
        # Only a file that could be read to its end replaces what it said before.
        self._replace(file, fresh.rows)
        file.stamp, file.useless = stamp, fresh.useless
        return stat.st_size

    def _parquet_rows(self, path: Path) -> Iterator[Row]:
        try:
            import pyarrow as pa  # noqa: PLC0415 - loaded only where a Parquet file lies
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                f"sources.{self._source}", "reading Parquet needs pyarrow: pip install llm-analyst[parquet]"
            ) from None
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=_BATCH):
                columns = [
                    one.cast(pa.timestamp("us", one.type.tz), safe=False)
                    if pa.types.is_timestamp(one.type)
                    else one
                    for one in batch.columns
                ]
                yield from pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()

    def _add(self, file: _File[R], rows: Iterator[Row], skip: Skip, *, noting: bool = True) -> None:
        refused, used = None, False
        for row in rows:
            try:
                found = self._parse(row)
            except Unusable as error:
                refused = str(error)
                skip(refused)
                continue
            used = True
            if not noting and len(file.rows) > 2 * self._max_rows:
                # Nobody knows how many more there are: a small file can hold millions.
                raise self._too_many(len(file.rows))
            if found.at >= self.floor and file.rows.get(found.id) != found:
                if noting:
                    self._note([found, *filter(None, [file.rows.get(found.id)])])
                file.rows[found.id] = found
        file.useless = None if used else refused or file.useless

    def _replace(self, file: _File[R], rows: dict[str, R]) -> None:
        gone = [row for key, row in file.rows.items() if rows.get(key) != row]
        came = [row for key, row in rows.items() if file.rows.get(key) != row]
        self._note([*gone, *came])
        file.rows = rows

    def _note(self, rows: Sequence[R]) -> None:
        times = [row.at for row in rows] + ([] if self._changed is None else [self._changed])
        self._changed = min(times, default=None)


def _digest(path: Path, n_bytes: int) -> bytes:
    """Fingerprint of the first bytes of a file, counted after decompression."""
    seen = hashlib.blake2b(digest_size=16)
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        left = n_bytes
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            seen.update(chunk)
            left -= len(chunk)
    return seen.digest()


def none_match(paths: Sequence[str]) -> bool:
    """Whether no file lies where one was expected."""
    return not matching_files(paths)
