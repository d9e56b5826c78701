"""Events: each stored once, however often a source repeats it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from db.database import Database
from db.documents import digest
from db.paging import Page, check_limit, newest_first, page_of
from db.postgres import Lock
from db.records import Appended
from db.statements import RowView, blocks, insert_into
from db.tables import events, table_of
from domain.event import Event
from domain.series import SourceName

_EVENT = table_of(events.EventRow)


class EventStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, new: Sequence[Event]) -> Appended:
        """Store events durably. `replaced` counts those that were known already (they stay as they were)."""
        rows: dict[str, Event] = {}
        for one in new:
            rows.setdefault(_key(one), one)
        stored = 0
        with self._database.write(Lock.EVENTS) as connection:
            for block in blocks(rows):
                taken = select(_EVENT.c.dedupe_key).where(_EVENT.c.dedupe_key.in_(block))
                known = set(connection.execute(taken).scalars())
                fresh = [_values(rows[key], key) for key in block if key not in known]
                if fresh:
                    connection.execute(insert_into(connection, _EVENT), fresh)
                stored += len(fresh)
        return Appended(len(new), len(new) - stored)

    def between(
        self, start: datetime, end: datetime, source: SourceName | None = None, limit: int = 10_000
    ) -> list[Event]:
        """Events in [start, end) by time; where there are more than `limit`, the newest ones."""
        statement = select(_EVENT).where(_EVENT.c.timestamp >= start, _EVENT.c.timestamp < end)
        if source is not None:
            statement = statement.where(_EVENT.c.source == source)
        statement = statement.order_by(_EVENT.c.timestamp.desc(), _EVENT.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(statement).mappings()][::-1]

    def since(self, event_id: int, limit: int = 10_000) -> list[Event]:
        """Events stored after the one with this id, in order of arrival."""
        statement = select(_EVENT).where(_EVENT.c.id > event_id).order_by(_EVENT.c.id).limit(limit)
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(statement).mappings()]

    def list(
        self, source: SourceName | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[Event]:
        """Events, newest first."""
        statement = select(_EVENT).limit(check_limit(limit) + 1)
        if source is not None:
            statement = statement.where(_EVENT.c.source == source)
        statement = newest_first(statement, _EVENT.c.timestamp, _EVENT.c.id, cursor)
        with self._database.read() as connection:
            return page_of(connection.execute(statement).mappings().all(), limit, "timestamp", _event)


def _key(event: Event) -> str:
    parts = (event.timestamp, event.source, event.text, dict(event.labels))
    return digest(event.dedupe_key or parts)


def _values(event: Event, key: str) -> dict[str, Any]:
    return {
        "timestamp": event.timestamp,
        "source": event.source,
        "text": event.text,
        "labels": dict(event.labels),
        "dedupe_key": key,
    }


def _event(row: RowView) -> Event:
    return Event.model_validate({**row})
