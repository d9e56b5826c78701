"""Retention: what is too old goes, then what does not fit, in transactions of bounded size."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, text, tuple_

from db.anomalies import ANOMALY
from db.chunks import CHUNK
from db.columns import DAY
from db.database import Database
from db.idempotency import LIFETIME
from db.incidents import INCIDENT
from db.journal import JOURNAL
from db.settings import RetentionPolicy
from db.tables import diagnosis, events, people, table_of, work
from db.versions import DIAGNOSIS, FINAL
from domain.timestamps import from_microseconds, to_microseconds

_EVENT = table_of(events.EventRow)
_RUN = table_of(diagnosis.RunRow)
_CALL = table_of(diagnosis.ModelCallRow)
_THREAD = table_of(people.ThreadRow)
_OUTBOX = table_of(work.OutboxRow)
_CYCLE = table_of(work.CycleRow)
_STORED = table_of(work.IdempotencyRow)
_DELIVERY = table_of(work.DeliveryRow)
_INBOX = table_of(work.InboxRow)
BLOCK = 500
_PER_CHUNK = 120


@dataclass(slots=True)
class Pruned:
    """How many rows of each table went, and the size of the data before and after in bytes."""

    rows: dict[str, int] = field(default_factory=dict)
    size_before: int = 0
    size_after: int = 0


class Retention:
    """Deletes by age and by size. The audit log and feedback are never deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prune(self, now: datetime, policy: RetentionPolicy) -> Pruned:
        """Apply a policy; ingest goes on meanwhile. Open incidents and running work are kept at any age."""
        done = Pruned(size_before=self.size())
        for table, doomed in _doomed(now, policy):
            self._delete(table, doomed, done)
        if policy.max_size_mb is not None:
            self._shrink(int(policy.max_size_mb * 1_000_000), now, done)
        if done.rows:
            self._give_back()
        done.size_after = self.size()
        return done

    def size(self) -> int:
        """Bytes in use; on PostgreSQL space that is free for new rows counts as well until it is reused."""
        with self._database.read() as connection:
            return (
                _sqlite_size(connection) if self._database.dialect == "sqlite" else _server_size(connection)
            )

    def _delete(self, table: Table, doomed: ColumnElement[bool], done: Pruned) -> int:
        key = list(table.primary_key.columns)
        total = 0
        while True:
            with self._database.write() as connection:
                rows = connection.execute(select(*key).where(doomed).limit(BLOCK)).all()
                if rows:
                    connection.execute(delete(table).where(_among(key, rows)))
            total += len(rows)
            if len(rows) < BLOCK:
                break
        if total:
            done.rows[table.name] = done.rows.get(table.name, 0) + total
        return total

    def _shrink(self, limit: int, now: datetime, done: Pruned) -> None:
        """Drop the oldest day of samples and events until the data fits; the newest two days stay."""
        while self.size() > limit:
            day = self._oldest_day()
            if day is None or day >= to_microseconds(now) // DAY - 1:
                return
            self._delete(CHUNK, CHUNK.c.day <= day, done)
            self._delete(_EVENT, _EVENT.c.timestamp < from_microseconds((day + 1) * DAY), done)

    def _oldest_day(self) -> int | None:
        with self._database.read() as connection:
            day = connection.execute(select(func.min(CHUNK.c.day))).scalar()
            first = connection.execute(select(func.min(_EVENT.c.timestamp))).scalar()
        days = [] if day is None else [int(day)]
        days += [] if first is None else [to_microseconds(first) // DAY]
        return min(days, default=None)

    def _give_back_pages(self) -> bool:
        """Cut some free pages off the file; whether there are more."""
        with self._database.write() as connection:
            free = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())
            # The driver frees one page per row that is fetched, so SQLAlchemy's result cannot be used.
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA incremental_vacuum({BLOCK})").fetchall()
            left = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())
        return 0 < left < free

    def _give_back(self) -> None:
        """Return free pages to the file system (SQLite) or to new rows (PostgreSQL)."""
        if self._database.dialect == "sqlite":
            while self._give_back_pages():
                pass
            return
        with self._database.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            for table in (CHUNK, _EVENT, ANOMALY, DIAGNOSIS, _RUN):
                connection.exec_driver_sql(f"VACUUM {table.name}")


def _among(key: list[Any], rows: Any) -> ColumnElement[bool]:
    if len(key) == 1:
        among: ColumnElement[bool] = key[0].in_([row[0] for row in rows])
        return among
    return tuple_(*key).in_([tuple(row) for row in rows])


def _doomed(now: datetime, policy: RetentionPolicy) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Tables with what goes by age, members before what they belong to."""
    anomalies = now - policy.age("anomalies")
    diagnoses = now - policy.age("diagnoses")
    cycles = now - policy.age("cycles")
    yield CHUNK, CHUNK.c.day < to_microseconds(now - policy.age("samples")) // DAY
    yield _EVENT, _EVENT.c.timestamp < now - policy.age("events")
    over = select(INCIDENT.c.id).where(INCIDENT.c.status == "resolved", INCIDENT.c.ended_at < anomalies)
    yield ANOMALY, ANOMALY.c.incident_id.in_(over)
    alone = ANOMALY.c.incident_id.is_(None) & (ANOMALY.c.status == "resolved")
    yield ANOMALY, alone & (ANOMALY.c.ended_at < anomalies)
    yield INCIDENT, (INCIDENT.c.status == "resolved") & (INCIDENT.c.ended_at < anomalies)
    yield DIAGNOSIS, DIAGNOSIS.c.status.in_(FINAL) & (DIAGNOSIS.c.timestamp < diagnoses)
    yield _CALL, _CALL.c.at < diagnoses
    yield _THREAD, _THREAD.c.updated_at < diagnoses
    yield _RUN, (_RUN.c.status != "running") & (_RUN.c.started_at < now - policy.age("runs"))
    yield _CYCLE, (_CYCLE.c.status != "running") & (_CYCLE.c.scheduled_for < cycles)
    yield _OUTBOX, _OUTBOX.c.state.in_(("sent", "parked", "cancelled")) & (_OUTBOX.c.created_at < cycles)
    yield _STORED, _STORED.c.created_at < now - LIFETIME
    yield _DELIVERY, _DELIVERY.c.seen_at < now - timedelta(days=7)
    yield _INBOX, _INBOX.c.done_at < now - timedelta(days=7)


def _sqlite_size(connection: Connection) -> int:
    page, pages, free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_size", "page_count", "freelist_count")
    )
    return page * (pages - free)


def _server_size(connection: Connection) -> int:
    """Samples by their own count, since deleting rows does not shrink PostgreSQL's files."""
    stored = func.octet_length(CHUNK.c.ticks) + func.octet_length(CHUNK.c.data) + _PER_CHUNK
    chunks = connection.execute(select(func.sum(stored))).scalar()
    journal = connection.execute(select(func.sum(JOURNAL.c.samples))).scalar()
    others = connection.execute(
        text(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND relname NOT IN ('sample_chunk', 'sample_journal')"
        )
    ).scalar()
    return int(chunks or 0) + 24 * int(journal or 0) + int(others or 0)
