"""Samples: acknowledged when the journal has them, read from chunks with the journal laid over."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, func, select, update

from db import chunks, journal
from db.columns import Columns, contains, repeats
from db.compaction import Compaction
from db.database import Database
from db.group_commit import GroupCommit
from db.postgres import Lock
from db.records import Appended
from db.series import SeriesStore
from db.window import WindowReader
from domain.errors import Conflict, InvalidInput
from domain.series import BoolArray, FloatArray, IntArray, SampleBatch, Series, Window
from domain.timestamps import to_microseconds

_END_OF_TIME = 253_402_300_800_000_000


class CursorExpired(Conflict):
    """The journal does not reach back to a cursor: read the window again and go on from `head()`."""


class SampleStore:
    """The samples of all series. One instance per process and database; threads share it.

    Args:
        database: where.
        series: the store of series to share, or None for one of its own.
    """

    def __init__(self, database: Database, series: SeriesStore | None = None) -> None:
        self._database = database
        self._series = series or SeriesStore(database)
        self._tail = journal.SharedTail()
        self._windows = WindowReader(database, self._series, self._tail)
        self._compaction = Compaction(database, self._tail)
        self._newest = np.empty(0, dtype=np.int64)
        self._newest_seen = -1
        self._commits = GroupCommit[Columns, Appended](
            self._flush, largest=64 if database.settings.group_commit else 1
        )

    def append(self, batch: SampleBatch) -> Appended:
        """Store samples; when this returns they are on disk and every reader sees them.

        Series that are not registered yet are. `accepted` counts all samples of the batch, `replaced` those
        whose series and time were there before, earlier in the same batch included.

        Raises:
            InvalidInput: a value that is not finite, or a time outside the years 1970 to 9999.
            Overloaded: too many series, or too many writes waiting.
            StoreUnavailable: nothing was stored, or nothing is known about it; sending again is safe.
        """
        _check(batch)
        if not len(batch):
            return Appended(0, 0)
        ids = np.array([one.id for one in self._series.register(batch.series)], dtype=np.int64)
        return self._commits.submit(Columns(ids[batch.index], batch.timestamps, batch.values))

    def head(self) -> int:
        """The cursor of the newest sample."""
        with self._database.read() as connection:
            return journal.head(connection)

    def judged(self) -> int:
        """The cursor up to which samples were judged and what was found in them is stored."""
        with self._database.read() as connection:
            return int(journal.state(connection).judged_to)

    def mark_judged(self, cursor: int) -> None:
        """Samples up to a cursor were judged, and what was found in them is stored."""
        with self._database.write() as connection:
            connection.execute(update(journal.STATE).values(judged_to=cursor))

    def since(self, cursor: int, limit: int = 2_000_000) -> tuple[SampleBatch, int]:
        """Samples that arrived after a cursor, in order of arrival, and the cursor to go on from.

        Args:
            cursor: from `head()` or an earlier call.
            limit: stop after about so many samples; call again until the cursor stays the same.

        Raises:
            CursorExpired: older samples were trimmed from the journal meanwhile.
        """
        with self._database.read() as connection:
            if cursor < journal.state(connection).trimmed_to:
                raise CursorExpired("the journal no longer reaches back to this cursor")
            up_to = journal.bounded(connection, cursor, limit)
            parts = [columns for _id, columns in journal.rows_after(connection, cursor, up_to)]
        return self._batch(Columns.joined(parts)), up_to

    def read(self, series_id: int, start: datetime, end: datetime) -> tuple[IntArray, FloatArray]:
        """Times (microseconds since 1970, sorted) and values of one series in [start, end)."""
        first, last = to_microseconds(start), to_microseconds(end)
        before = self._tail.tail
        with self._database.read() as connection:
            tail = self._tail.caught_up(connection, before)
            stored = chunks.of_series(connection, series_id, first, last)
        times, values = tail.of_series(series_id, first, last)
        ids = np.full(len(times), series_id, dtype=np.int64)
        merged = Columns.joined([stored, Columns(ids, times, values)]).latest()
        return merged.times, merged.values

    def window(
        self, step_s: int, start: datetime, end: datetime, series: Sequence[Series] | None = None
    ) -> Window:
        """All series with this step on one grid, rows by series id; see `WindowReader.window`."""
        return self._windows.window(step_s, start, end, series)

    def history(self, step_s: int, start: datetime, end: datetime, block: int = 500) -> Iterator[Window]:
        """The same as windows of at most `block` series each, to bound memory."""
        return self._windows.history(step_s, start, end, block)

    def compact(self, now: datetime) -> int:  # noqa: ARG002
        """Fold the journal into chunks; the number of samples folded, 0 where another process is at it."""
        try:
            return self._compaction.run()
        except Conflict:
            return 0

    def pending(self) -> int:
        """Samples in the journal that wait for compaction; worth one beyond some 100,000."""
        with self._database.read() as connection:
            compacted_to = journal.state(connection).compacted_to
            total = select(func.sum(journal.JOURNAL.c.samples)).where(journal.JOURNAL.c.id > compacted_to)
            return int(connection.execute(total).scalar() or 0)

    def _batch(self, columns: Columns) -> SampleBatch:
        numbers, index = np.unique(columns.ids, return_inverse=True)
        series = tuple(self._series.get_many(numbers.tolist()))
        return SampleBatch(series, index.astype(np.int64), columns.times, columns.values)

    def _flush(self, parts: Sequence[Columns]) -> list[Appended]:
        joined = Columns.joined(parts)
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        again = repeats(joined.ids, joined.times)
        before = self._tail.tail
        with self._database.write(Lock.JOURNAL) as connection:
            tail = self._tail.caught_up(connection, before)
            self._catch_up_newest(connection, tail)
            again |= self._stored(connection, tail, joined)
            unique = joined.latest()
            row_id = journal.write_row(connection, unique)
        self._tail.add(row_id, unique)
        self._note_newest(unique)
        self._newest_seen = row_id
        replaced = np.bincount(owner[again], minlength=len(parts))
        return [Appended(len(part), int(n)) for part, n in zip(parts, replaced, strict=True)]

    def _stored(self, connection: Connection, tail: journal.Tail, new: Columns) -> BoolArray:
        """Which samples have a key that is stored; only those not newer than their series are looked up."""
        found = new.times <= self._newest_of(new.ids)
        late = np.flatnonzero(found)
        if len(late):
            ids, times = new.ids[late], new.times[late]
            known = tail.contains(ids, times)
            rest = ~known
            if rest.any():
                present = chunks.present(connection, ids[rest], times[rest])
                known[rest] = contains(present, ids[rest], times[rest])
            found[late] = known
        return found

    def _newest_of(self, ids: IntArray) -> IntArray:
        size = int(ids.max()) + 1
        if size > len(self._newest):
            grown = np.full(max(size, 2 * len(self._newest)), -1, dtype=np.int64)
            grown[: len(self._newest)] = self._newest
            self._newest = grown
        newest: IntArray = self._newest[ids]
        return newest

    def _note_newest(self, columns: Columns) -> None:
        if not len(columns):
            return
        self._newest_of(columns.ids)
        np.maximum.at(self._newest, columns.ids, columns.times)

    def _catch_up_newest(self, connection: Connection, tail: journal.Tail) -> None:
        """Learn what other processes wrote: from the journal, or from chunks where it was trimmed."""
        if self._newest_seen == tail.seen:
            return
        if self._newest_seen < journal.state(connection).trimmed_to or self._newest_seen < 0:
            self._note_newest(chunks.newest_samples(connection))
            self._newest_seen = journal.state(connection).trimmed_to
        for row_id, columns in journal.rows_after(connection, self._newest_seen):
            self._note_newest(columns)
            self._newest_seen = row_id


def _check(batch: SampleBatch) -> None:
    n = len(batch.index)
    if len(batch.timestamps) != n or len(batch.values) != n:
        raise InvalidInput("samples", "columns have different lengths")
    if not np.isfinite(batch.values).all():
        raise InvalidInput("value", "is not a finite number")
    if n and (batch.timestamps.min() < 0 or batch.timestamps.max() >= _END_OF_TIME):
        raise InvalidInput("timestamp", "is outside the years 1970 to 9999")
    if n and (batch.index.min() < 0 or batch.index.max() >= len(batch.series)):
        raise InvalidInput("series", "index refers to no series of the batch")
