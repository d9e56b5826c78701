"""Folding the journal into chunks, in many short transactions beside running ingest.

A new compaction takes the epoch away from an older one, which then stops at its next transaction: two
never write in turn, and as nothing else changes chunks, they may be read and merged before the writer's turn
comes. Folding a journal row twice changes nothing, so a killed compaction is simply begun again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, select, tuple_, update

from db.chunks import CHUNK, MAX_CHUNK, ChunkKey, groups, merged, packed, unpacked
from db.columns import Columns
from db.database import Database
from db.journal import JOURNAL, STATE, SharedTail, bounded, rows_after
from db.postgres import BINARY
from db.statements import upsert
from domain.errors import Conflict

PAIRS = 100
TRIM = 100
ROUND_SAMPLES = 2_000_000
Piece = tuple[int, int, Columns]


class Compaction:
    """Moves samples from the journal to chunks and trims the journal."""

    def __init__(self, database: Database, tail: SharedTail) -> None:
        self._database = database
        self._tail = tail

    def run(self) -> int:
        """Fold all journal rows there are; the number of samples folded.

        Raises:
            Conflict: another process has begun a compaction meanwhile.
        """
        with self._database.write() as connection:
            statement = update(STATE).values(epoch=STATE.c.epoch + 1).returning(STATE.c.epoch)
            epoch = int(connection.execute(statement).scalar_one())
        folded = 0
        while True:
            start, up_to, columns = self._next_round()
            if up_to == start:
                break
            pieces = groups(columns.latest())
            for i in range(0, len(pieces), PAIRS):
                self._fold(epoch, pieces[i : i + PAIRS])
            self._advance(epoch, up_to)
            folded += len(columns)
        self._trim(epoch)
        return folded

    def _next_round(self) -> tuple[int, int, Columns]:
        with self._database.read() as connection:
            start = int(connection.execute(select(STATE.c.compacted_to)).scalar_one())
            up_to = bounded(connection, start, ROUND_SAMPLES)
            parts = [columns for _id, columns in rows_after(connection, start, up_to)]
        return start, up_to, Columns.joined(parts)

    def _fold(self, epoch: int, pieces: Sequence[Piece]) -> None:
        with self._database.read() as connection:
            rows = _folded(connection, pieces)
        with self._database.write() as connection:
            _check_epoch(connection, epoch)
            upsert(connection, CHUNK, ("day", "series_id", "start"), rows)

    def _advance(self, epoch: int, up_to: int) -> None:
        with self._database.write() as connection:
            _check_epoch(connection, epoch)
            connection.execute(update(STATE).values(compacted_to=up_to))
        self._tail.drop(up_to)

    def _trim(self, epoch: int) -> None:
        """Delete compacted rows but for the newest, which serve readers that are a little behind."""
        with self._database.read() as connection:
            state = connection.execute(select(STATE)).one()
            rows = connection.execute(
                select(JOURNAL.c.id, JOURNAL.c.samples)
                .where(JOURNAL.c.id <= state.compacted_to)
                .order_by(JOURNAL.c.id.desc())
            ).all()
        kept = np.cumsum([row.samples for row in rows])
        old = [row.id for row, held in zip(rows, kept, strict=True) if held > self._keep][::-1]
        for i in range(0, len(old), TRIM):
            block = old[i : i + TRIM]
            with self._database.write() as connection:
                _check_epoch(connection, epoch)
                connection.execute(update(STATE).values(trimmed_to=block[-1]))
                connection.execute(delete(JOURNAL).where(JOURNAL.c.id <= block[-1]))

    @property
    def _keep(self) -> int:
        return self._database.settings.journal_samples


def _check_epoch(connection: Connection, epoch: int) -> None:
    """Holds the row until the transaction ends, so that a newer compaction waits for this one's write."""
    if connection.execute(select(STATE.c.epoch).with_for_update()).scalar_one() != epoch:
        raise Conflict("another process has begun a compaction")


def _folded(connection: Connection, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """The chunk rows that result from laying samples over what is stored."""
    starts = _starts(connection, pieces)
    targets: list[tuple[ChunkKey, Columns]] = []
    for day, series_id, columns in pieces:
        targets += _targets(day, series_id, starts.get((day, series_id), []), columns)
    stored = _stored(
        connection, [key for key, _ in targets if key.start in starts.get((key.day, key.series_id), ())]
    )
    rows: list[dict[str, Any]] = []
    for key, columns in targets:
        rows += _split(key, merged(stored.get(key, Columns.empty()), columns))
    return rows


def _starts(connection: Connection, pieces: Sequence[Piece]) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for day in sorted({piece[0] for piece in pieces}):
        ids = [piece[1] for piece in pieces if piece[0] == day]
        statement = select(CHUNK.c.series_id, CHUNK.c.start).where(
            CHUNK.c.day == day, CHUNK.c.series_id.in_(ids)
        )
        for series_id, start in connection.execute(statement.order_by(CHUNK.c.start)):
            found.setdefault((day, series_id), []).append(start)
    return found


def _targets(day: int, series_id: int, starts: list[int], columns: Columns) -> list[tuple[ChunkKey, Columns]]:
    """Which chunk takes which samples: the first one of a day also takes what lies before it."""
    if len(starts) < 2:
        key = ChunkKey(day, series_id, starts[0] if starts else day * 86_400_000_000)
        return [(key, columns)]
    owner = np.maximum(np.searchsorted(np.array(starts), columns.times, side="right") - 1, 0)
    return [
        (ChunkKey(day, series_id, starts[i]), columns.where(owner == i)) for i in np.unique(owner).tolist()
    ]


def _stored(connection: Connection, keys: list[ChunkKey]) -> dict[ChunkKey, Columns]:
    if not keys:
        return {}
    place = tuple_(CHUNK.c.day, CHUNK.c.series_id, CHUNK.c.start)
    statement = select(
        CHUNK.c.day, CHUNK.c.series_id, CHUNK.c.start, CHUNK.c.samples, CHUNK.c.unit, CHUNK.c.width,
        CHUNK.c.ticks, CHUNK.c.data,
    ).where(place.in_([(key.day, key.series_id, key.start) for key in keys]))  # fmt: skip
    rows = connection.execute(statement, execution_options={BINARY: True}).all()
    return {ChunkKey(*row[:3]): unpacked([row])[0] for row in rows}


def _split(key: ChunkKey, columns: Columns) -> list[dict[str, Any]]:
    """One row, or several where there are too many samples; later ones start at their first sample."""
    rows = []
    for i in range(0, len(columns), MAX_CHUNK):
        piece = columns.where(slice(i, i + MAX_CHUNK))
        start = key.start if i == 0 else int(piece.times[0])
        rows.append(packed(ChunkKey(key.day, key.series_id, start), piece.times, piece.values))
    return rows
