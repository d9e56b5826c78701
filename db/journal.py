"""The journal: one row per acknowledged group of samples, and the part of it that memory holds.

Rows are written under one lock, so a reader that has seen row n has seen all rows before it. A sample
counts from the moment its journal row is committed; compaction later folds rows into chunks. Reading lays
journal rows over chunks. Laying a row over a chunk that already contains it changes nothing, which is why
a reader may hold on to rows longer than necessary, but must never drop one before its chunk is visible:
take the state of the tail first, then open the transaction.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from db.columns import Columns, contains
from db.postgres import BINARY
from db.statements import insert_into
from db.tables import samples, table_of
from domain.series import BoolArray, FloatArray, IntArray

JOURNAL = table_of(samples.JournalRow)
STATE = table_of(samples.SampleStateRow)


def write_row(connection: Connection, columns: Columns) -> int:
    """Append one row and return its id."""
    payload = b"".join(
        (
            columns.ids.astype("<i8").tobytes(),
            columns.times.astype("<i8").tobytes(),
            columns.values.astype("<f8").tobytes(),
        )
    )
    statement = insert_into(connection, JOURNAL).values(samples=len(columns), payload=payload)
    return int(connection.execute(statement.returning(JOURNAL.c.id)).scalar_one())


def decode(payload: bytes, n: int) -> Columns:
    """The columns of one row."""
    return Columns(
        np.frombuffer(payload, "<i8", n, 0),
        np.frombuffer(payload, "<i8", n, 8 * n),
        np.frombuffer(payload, "<f8", n, 16 * n),
    )


def rows_after(
    connection: Connection, row_id: int, up_to: int | None = None
) -> Iterator[tuple[int, Columns]]:
    """Rows with a greater id, in order."""
    statement = select(JOURNAL).where(JOURNAL.c.id > row_id).order_by(JOURNAL.c.id)
    if up_to is not None:
        statement = statement.where(JOURNAL.c.id <= up_to)
    for row in connection.execute(statement, execution_options={BINARY: True}):
        yield row.id, decode(row.payload, row.samples)


def head(connection: Connection) -> int:
    """The id of the newest row ever visible; 0 before the first."""
    newest = connection.execute(select(func.max(JOURNAL.c.id))).scalar()
    return max(int(newest or 0), int(state(connection).trimmed_to))


def state(connection: Connection) -> Any:
    """The row with `compacted_to`, `trimmed_to` and `epoch`."""
    return connection.execute(select(STATE)).one()


def bounded(connection: Connection, start: int, most: int) -> int:
    """The last journal id such that the rows after `start` hold about `most` samples."""
    statement = select(JOURNAL.c.id, JOURNAL.c.samples).where(JOURNAL.c.id > start).order_by(JOURNAL.c.id)
    total = 0
    last = start
    for row in connection.execute(statement):
        total, last = total + int(row.samples), int(row.id)
        if total >= most:
            break
    return last


@dataclass(frozen=True, slots=True)
class Run:
    """Merged journal rows, sorted by series and time, without repeated keys."""

    last_id: int
    columns: Columns


@dataclass(frozen=True, slots=True)
class Tail:
    """The journal rows after the last compaction, oldest run first; a value that never changes."""

    runs: tuple[Run, ...] = ()
    seen: int = 0

    def with_row(self, row_id: int, columns: Columns) -> "Tail":
        """The tail with one more row; runs of similar size are merged, so there are few of them."""
        if row_id <= self.seen:
            return self
        runs = [*self.runs, Run(row_id, columns.latest())]
        while len(runs) > 1 and len(runs[-2].columns) <= 2 * len(runs[-1].columns):
            newer, older = runs.pop(), runs.pop()
            runs.append(Run(newer.last_id, Columns.joined([older.columns, newer.columns]).latest()))
        return Tail(tuple(runs), row_id)

    def without(self, compacted_to: int) -> "Tail":
        """The tail without runs that lie in chunks completely.

        A tail that has not seen all of them loses every run: an old row must not cover a newer one that
        it has missed.
        """
        runs = tuple(run for run in self.runs if run.last_id > compacted_to)
        return Tail(runs, max(self.seen, compacted_to))

    def contains(self, ids: IntArray, times: IntArray) -> BoolArray:
        """Which (id, time) pairs are in the tail, shape (n,)."""
        found = np.zeros(len(ids), dtype=np.bool_)
        for run in self.runs:
            found |= contains(run.columns, ids, times)
        return found

    def of_series(self, series_id: int, start: int, end: int) -> tuple[IntArray, FloatArray]:
        """Times and values of one series in [start, end), oldest run first (so later ones win)."""
        times, values = [np.empty(0, np.int64)], [np.empty(0, np.float64)]
        for run in self.runs:
            low, high = np.searchsorted(run.columns.ids, [series_id, series_id + 1])
            first, last = low + np.searchsorted(run.columns.times[low:high], [start, end])
            times.append(run.columns.times[first:last])
            values.append(run.columns.values[first:last])
        return np.concatenate(times), np.concatenate(values)

    def between(self, start: int, end: int) -> Columns:
        """All samples in [start, end), sorted, of equal keys the latest."""
        parts = [run.columns for run in self.runs]
        inside = [part.where((part.times >= start) & (part.times < end)) for part in parts]
        return Columns.joined(inside).latest()


class SharedTail:
    """The newest known tail of a process, for readers and the writer."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._compacted_to = 0
        self.tail = Tail()

    def caught_up(self, connection: Connection, before: Tail) -> Tail:
        """`before` (taken before the transaction began) with all rows that the transaction sees."""
        compacted_to = int(state(connection).compacted_to)
        tail = before.without(compacted_to)
        for row_id, columns in rows_after(connection, tail.seen):
            tail = tail.with_row(row_id, columns)
        self._offer(tail, compacted_to)
        return tail

    def add(self, row_id: int, columns: Columns) -> None:
        """Remember a row that this process has just committed."""
        with self._guard:
            known = self.tail
        self._offer(known.with_row(row_id, columns), 0)

    def drop(self, compacted_to: int) -> None:
        """Forget rows whose chunks are visible to every transaction that begins from now on."""
        self._offer(Tail(), compacted_to)

    def _offer(self, tail: Tail, compacted_to: int) -> None:
        with self._guard:
            self._compacted_to = max(self._compacted_to, compacted_to)
            newest = tail if tail.seen > self.tail.seen else self.tail
            self.tail = newest.without(self._compacted_to)
