"""Chunks: the samples of one series and UTC day, packed for reading many series at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from db.columns import DAY, Columns
from db.postgres import BINARY
from db.tables import samples, table_of
from domain.series import BoolArray, FloatArray, IntArray

CHUNK = table_of(samples.ChunkRow)
MAX_CHUNK = 4_096
_PACKED = (CHUNK.c.day, CHUNK.c.series_id, CHUNK.c.start, CHUNK.c.samples, CHUNK.c.unit, CHUNK.c.width)
_DTYPES = {2: "<u2", 4: "<u4", 8: "<i8"}


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """Where a chunk belongs: it holds times from `start` to the next chunk of its series and day."""

    day: int
    series_id: int
    start: int


def packed(key: ChunkKey, times: IntArray, values: FloatArray) -> dict[str, Any]:
    """A row for the chunk table; times are sorted and lie within the day."""
    offsets = times - key.day * DAY
    unit = int(np.gcd.reduce(offsets)) or 1
    top = int(offsets[-1]) // unit
    width = 2 if top < 1 << 16 else 4 if top < 1 << 32 else 8
    return {
        "day": key.day,
        "series_id": key.series_id,
        "start": key.start,
        "first": int(times[0]),
        "last": int(times[-1]),
        "samples": len(times),
        "unit": unit,
        "width": width,
        "ticks": (offsets // unit).astype(_DTYPES[width]).tobytes(),
        "data": values.astype("<f8").tobytes(),
    }


def unpacked(rows: Sequence[Any]) -> list[Columns]:
    """All samples of chunk rows, in few large arrays; within each, chunks keep the order of the rows."""
    if not rows:
        return []
    numbers = np.array([row[:6] for row in rows], dtype=np.int64)
    parts: list[Columns] = []
    for width, dtype in _DTYPES.items():
        chosen = np.flatnonzero(numbers[:, 5] == width).tolist()
        if not chosen:
            continue
        days, ids, _start, counts, units, _width = numbers[chosen].T
        ticks = np.frombuffer(b"".join([rows[i].ticks for i in chosen]), dtype).astype(np.int64)
        times = ticks * np.repeat(units, counts) + np.repeat(days * DAY, counts)
        values = np.frombuffer(b"".join([rows[i].data for i in chosen]), "<f8")
        parts.append(Columns(np.repeat(ids, counts), times, values))
    return parts


def of_series(connection: Connection, series_id: int, start: int, end: int) -> Columns:
    """The samples of one series in [start, end)."""
    statement = (
        select(*_PACKED, CHUNK.c.ticks, CHUNK.c.data)
        .where(CHUNK.c.series_id == series_id, CHUNK.c.last >= start, CHUNK.c.first < end)
        .order_by(CHUNK.c.start)
    )
    rows = connection.execute(statement, execution_options={BINARY: True}).all()
    found = Columns.joined(unpacked(rows))
    return found.where((found.times >= start) & (found.times < end))


def of_all(connection: Connection, start: int, end: int, ids: tuple[int, int] | None = None) -> list[Columns]:
    """The chunks that touch [start, end), of all series or of those with ids in [first, last]."""
    statement = (
        select(*_PACKED, CHUNK.c.ticks, CHUNK.c.data)
        .where(
            CHUNK.c.day.between(start // DAY, (end - 1) // DAY), CHUNK.c.last >= start, CHUNK.c.first < end
        )
        .order_by(CHUNK.c.day, CHUNK.c.series_id, CHUNK.c.start)
    )
    if ids is not None:
        statement = statement.where(CHUNK.c.series_id.between(*ids))
    return unpacked(connection.execute(statement, execution_options={BINARY: True}).all())


def present(connection: Connection, ids: IntArray, times: IntArray) -> Columns:
    """All stored samples, sorted, of the chunks that could hold one of these (id, time) pairs."""
    parts: list[Columns] = []
    days = times // DAY
    for day in np.unique(days):
        chosen = days == day
        for block in np.array_split(np.unique(ids[chosen]), 1 + int(chosen.sum()) // 5_000):
            statement = select(*_PACKED, CHUNK.c.ticks, CHUNK.c.data).where(
                CHUNK.c.day == int(day),
                CHUNK.c.series_id.in_(block.tolist()),
                CHUNK.c.last >= int(times[chosen].min()),
                CHUNK.c.first <= int(times[chosen].max()),
            )
            parts += unpacked(connection.execute(statement, execution_options={BINARY: True}).all())
    return Columns.joined(parts).latest()


def newest_samples(connection: Connection) -> Columns:
    """Id and time of the newest sample of each series in chunks; the values are not read."""
    statement = select(CHUNK.c.series_id, func.max(CHUNK.c.last)).group_by(CHUNK.c.series_id)
    rows = np.array([tuple(row) for row in connection.execute(statement)], dtype=np.int64).reshape(-1, 2)
    return Columns(rows[:, 0], rows[:, 1], np.full(len(rows), np.nan))


def merged(old: Columns, new: Columns) -> Columns:
    """The samples of one chunk with new ones of the same series laid over, sorted by time."""
    if not len(old) or new.times[0] > old.times[-1]:
        return Columns.joined([old, new])
    return Columns.joined([old, new]).latest()


def groups(columns: Columns) -> list[tuple[int, int, Columns]]:
    """Day, series id and samples per pair, ordered by day; the columns are sorted by id and time."""
    if not len(columns):
        return []
    days = columns.times // DAY
    change: BoolArray = (columns.ids[1:] != columns.ids[:-1]) | (days[1:] != days[:-1])
    bounds = [0, *(np.flatnonzero(change) + 1).tolist(), len(columns)]
    pieces = [
        (int(days[first]), int(columns.ids[first]), columns.where(slice(first, last)))
        for first, last in pairwise(bounds)
    ]
    return sorted(pieces, key=lambda piece: piece[:2])
