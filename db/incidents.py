"""Incidents: reading them, and what people change about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, false, func, or_, select, update

from db.anomalies import ANOMALY
from db.database import Database
from db.identifiers import inside, outside
from db.paging import Page, check_limit, newest_first, page_of
from db.statements import RowView
from db.tables import detection, table_of, work
from domain.anomaly import SEVERITIES, Severity
from domain.errors import InvalidInput, NotFound
from domain.incident import Incident, IncidentStatus

INCIDENT = table_of(detection.IncidentRow)
_OUTBOX = table_of(work.OutboxRow)
ESCALATED = "escalated"
OPEN: tuple[IncidentStatus, ...] = ("open", "acknowledged")
_HEAD = ("id", "title", "status", "severity", "started_at", "assignee", "diagnosis_id")


@dataclass(frozen=True, slots=True)
class IncidentHead:
    """An incident as a search sees it."""

    id: str
    title: str
    status: IncidentStatus
    severity: Severity
    started_at: datetime
    assignee: str | None
    diagnosis_id: str | None


class IncidentStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, incident_id: str) -> Incident:
        """One incident; raises NotFound."""
        number = inside("incident", incident_id)
        with self._database.read() as connection:
            found = read(connection, [number])
        if not found:
            raise NotFound("incident", incident_id)
        return found[0]

    def list(
        self,
        status: Sequence[IncidentStatus] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Incident]:
        """Incidents by start, newest first; `start` and `end` bound their start, half open."""
        statement = select(INCIDENT).limit(check_limit(limit) + 1)
        if status is not None:
            statement = statement.where(INCIDENT.c.status.in_(status))
        if start is not None:
            statement = statement.where(INCIDENT.c.started_at >= start)
        if end is not None:
            statement = statement.where(INCIDENT.c.started_at < end)
        statement = newest_first(statement, INCIDENT.c.started_at, INCIDENT.c.id, cursor)
        with self._database.read() as connection:
            rows = connection.execute(statement).mappings().all()
            numbers = [row["id"] for row in rows]
            members, steps = _members(connection, numbers), _escalations(connection, numbers)
        return page_of(rows, limit, "started_at", lambda row: incident_of(row, members, steps))

    def heads(self, start: datetime, limit: int) -> Sequence[IncidentHead]:
        """What a search looks at, of the newest incidents since an instant, without their anomalies."""
        columns = [INCIDENT.c[name] for name in _HEAD]
        statement = (
            select(*columns)
            .where(INCIDENT.c.started_at >= start)
            .order_by(INCIDENT.c.started_at.desc(), INCIDENT.c.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_head_of(row) for row in connection.execute(statement).mappings()]

    def count_ended(self, since: datetime) -> int:
        """How many resolved incidents ended since an instant."""
        statement = select(func.count()).where(INCIDENT.c.status == "resolved", INCIDENT.c.ended_at >= since)
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def many(self, incident_ids: Sequence[str]) -> Mapping[str, Incident]:
        """Those of some incidents that are still stored, by id, without anomalies and escalations."""
        numbers = [inside("incident", one) for one in incident_ids]
        with self._database.read() as connection:
            rows = connection.execute(select(INCIDENT).where(INCIDENT.c.id.in_(numbers))).mappings()
            return {one.id: one for one in (incident_of(row, {}) for row in rows)}

    def open(self) -> Sequence[Incident]:
        """All incidents that are not resolved, oldest first."""
        with self._database.read() as connection:
            return read_open(connection)

    def patch(self, incident_id: str, changes: Mapping[str, Any], now: datetime) -> Incident:
        """Change `status`, `assignee` or `snoozed_until`, and only what is named.

        Raises:
            NotFound: no such incident.
            InvalidInput: another field, or a status that does not exist.
        """
        number = inside("incident", incident_id)
        values = _checked(changes)
        if values.get("status") == "resolved":
            values["ended_at"] = func.coalesce(INCIDENT.c.ended_at, now)
        elif "status" in values:
            values["ended_at"] = None
        with self._database.write() as connection:
            if values:
                connection.execute(update(INCIDENT).where(INCIDENT.c.id == number).values(**values))
            found = read(connection, [number])
        if not found:
            raise NotFound("incident", incident_id)
        return found[0]


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    for name in changes:
        if name not in {"status", "assignee", "snoozed_until"}:
            raise InvalidInput(name, "cannot be changed")
    if "status" in changes and changes["status"] not in {*OPEN, "resolved"}:
        raise InvalidInput("status", "must be open, acknowledged or resolved")
    return dict(changes)


def read(connection: Connection, numbers: Sequence[int]) -> list[Incident]:
    """Incidents by number, with their anomalies' ids and how far they were escalated."""
    statement = select(INCIDENT).where(INCIDENT.c.id.in_(list(numbers))).order_by(INCIDENT.c.id)
    rows = connection.execute(statement).mappings().all()
    known = [row["id"] for row in rows]
    members, steps = _members(connection, known), _escalations(connection, known)
    return [incident_of(row, members, steps) for row in rows]


def read_open(connection: Connection, or_ended_after: datetime | None = None) -> list[Incident]:
    """All incidents that are not resolved, and those that ended after a time, oldest first."""
    lately = false() if or_ended_after is None else INCIDENT.c.ended_at > or_ended_after
    statement = select(INCIDENT.c.id).where(or_(INCIDENT.c.status.in_(OPEN), lately))
    return read(connection, list(connection.execute(statement).scalars()))


def _members(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    members: dict[int, list[str]] = {}
    statement = (
        select(ANOMALY.c.incident_id, ANOMALY.c.id)
        .where(ANOMALY.c.incident_id.in_(list(numbers)))
        .order_by(ANOMALY.c.timestamp, ANOMALY.c.id)
    )
    for incident, anomaly in connection.execute(statement):
        members.setdefault(incident, []).append(outside("anomaly", anomaly))
    return members


def _escalations(connection: Connection, numbers: Sequence[int]) -> dict[int, tuple[int, datetime]]:
    """How many steps each incident took because nobody acknowledged it, and when the last one was.

    A step that was over before it left is none.
    """
    statement = (
        select(_OUTBOX.c.incident_id, func.count(), func.max(_OUTBOX.c.created_at))
        .where(
            _OUTBOX.c.incident_id.in_(list(numbers)),
            _OUTBOX.c.kind == ESCALATED,
            _OUTBOX.c.state != "cancelled",
        )
        .group_by(_OUTBOX.c.incident_id)
    )
    return {incident: (int(count), at) for incident, count, at in connection.execute(statement)}


def _head_of(row: RowView) -> IncidentHead:
    diagnosis = row["diagnosis_id"]
    return IncidentHead(
        id=outside("incident", row["id"]),
        title=row["title"],
        status=row["status"],
        severity=SEVERITIES[row["severity"]],
        started_at=row["started_at"],
        assignee=row["assignee"],
        diagnosis_id=None if diagnosis is None else outside("diagnosis", diagnosis),
    )


def incident_of(
    row: RowView,
    members: Mapping[int, Sequence[str]],
    steps: Mapping[int, tuple[int, datetime]] = MappingProxyType({}),
) -> Incident:
    """The incident in a row."""
    diagnosis = row["diagnosis_id"]
    escalation, escalated_at = steps.get(row["id"], (0, None))
    return Incident.model_validate(
        {
            **row,
            "id": outside("incident", row["id"]),
            "severity": SEVERITIES[row["severity"]],
            "anomaly_ids": tuple(members.get(row["id"], ())),
            "diagnosis_id": None if diagnosis is None else outside("diagnosis", diagnosis),
            "escalation": escalation,
            "escalated_at": escalated_at,
        }
    )
