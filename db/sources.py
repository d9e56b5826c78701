"""What collectors remember between cycles and restarts."""

from datetime import datetime

from sqlalchemy import select

from db.database import Database
from db.records import SourceState
from db.statements import RowView, upsert
from db.tables import events, table_of
from domain.cycle import SourceHealth

_SOURCE = table_of(events.SourceRow)


class SourceStateStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> SourceState:
        """The state of a source; an empty one before the first `put`."""
        with self._database.read() as connection:
            row = connection.execute(select(_SOURCE).where(_SOURCE.c.name == name)).mappings().first()
        return SourceState(name) if row is None else _state(row)

    def put(self, state: SourceState, now: datetime) -> None:
        """Store the state of a source, as a whole."""
        row = {
            "name": state.name,
            "watermark": state.watermark,
            "breaker": state.breaker,
            "health": state.health,
            "updated_at": now,
        }
        with self._database.write() as connection:
            upsert(connection, _SOURCE, ("name",), [row])

    def all(self) -> list[SourceState]:
        """All states by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(_SOURCE).order_by(_SOURCE.c.name)).mappings().all()
        return [_state(row) for row in rows]


def _state(row: RowView) -> SourceState:
    health = None if row["health"] is None else SourceHealth.model_validate(row["health"])
    return SourceState(row["name"], row["watermark"], row["breaker"], health)
