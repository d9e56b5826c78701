"""Runs and their event logs: live streams and replays read the same rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from db.database import Database
from db.records import Run, RunEvent, RunStatus
from db.statements import insert_into, inserted_id
from db.tables import diagnosis as tables
from db.tables import table_of
from domain.errors import NotFound

_RUN = table_of(tables.RunRow)
_EVENT = table_of(tables.RunEventRow)


class RunStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, kind: str, subject: str, now: datetime) -> Run:
        """Begin a run.

        Args:
            kind: `diagnosis` or `chat`.
            subject: what it works on, such as `D-12` or `T-3`.
            now: when.
        """
        values = {"kind": kind, "subject": subject, "status": "running", "started_at": now}
        with self._database.write() as connection:
            return Run(inserted_id(connection, _RUN, values), kind, subject, "running", now)

    def append(self, run_id: int, event_type: str, data: Mapping[str, Any], now: datetime) -> int:
        """Add one event and return its number, counted from 1; raises NotFound."""
        return self.append_many(run_id, [(event_type, data)], now)

    def append_many(self, run_id: int, events: Sequence[tuple[str, Mapping[str, Any]]], now: datetime) -> int:
        """Add events in one transaction and return the number of the last; raises NotFound."""
        with self._database.write() as connection:
            return _add(connection, run_id, events, now)

    def after(self, run_id: int, seq: int = 0, limit: int = 1_000) -> list[RunEvent]:
        """The events with a greater number, in order."""
        statement = (
            select(_EVENT)
            .where(_EVENT.c.run_id == run_id, _EVENT.c.seq > seq)
            .order_by(_EVENT.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return [RunEvent(row.seq, row.type, row.at, row.data) for row in rows]

    def finish(
        self,
        run_id: int,
        status: RunStatus,
        now: datetime,
        event: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """End a run, with its last event in the same transaction."""
        with self._database.write() as connection:
            if event is not None:
                _add(connection, run_id, [event], now)
            statement = update(_RUN).where(_RUN.c.id == run_id).values(status=status, finished_at=now)
            if not connection.execute(statement).rowcount:
                raise NotFound("run", str(run_id))

    def get(self, run_id: int) -> Run:
        """One run; raises NotFound."""
        found = self._select(_RUN.c.id == run_id)
        if not found:
            raise NotFound("run", str(run_id))
        return found[0]

    def of_subject(self, subject: str) -> list[Run]:
        """The runs of a subject, oldest first."""
        return self._select(_RUN.c.subject == subject)

    def unfinished(self) -> list[Run]:
        """Runs that were never ended, oldest first."""
        return self._select(_RUN.c.status == "running")

    def _select(self, *conditions: Any) -> list[Run]:
        with self._database.read() as connection:
            rows = connection.execute(select(_RUN).where(*conditions).order_by(_RUN.c.id)).mappings().all()
        return [Run(**row) for row in rows]


def _add(
    connection: Connection, run_id: int, events: Sequence[tuple[str, Mapping[str, Any]]], now: datetime
) -> int:
    owner = select(_RUN.c.id).where(_RUN.c.id == run_id).with_for_update()
    if connection.execute(owner).scalar() is None:
        raise NotFound("run", str(run_id))
    last = connection.execute(select(func.max(_EVENT.c.seq)).where(_EVENT.c.run_id == run_id)).scalar() or 0
    rows = [
        {"run_id": run_id, "seq": last + i, "type": event_type, "at": now, "data": data}
        for i, (event_type, data) in enumerate(events, start=1)
    ]
    if rows:
        connection.execute(insert_into(connection, _EVENT), rows)
    return int(last) + len(rows)
