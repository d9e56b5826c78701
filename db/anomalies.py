"""Anomalies: reading and filtering them. They are written by `db.detections` alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select

from db.database import Database
from db.documents import digest
from db.identifiers import inside, outside
from db.paging import MAX_LIMIT, Page, check_limit, newest_first, page_of
from db.statements import RowView, blocks
from db.tables import detection, table_of
from domain.anomaly import SEVERITIES, Anomaly, AnomalyType, Severity, severity_rank
from domain.errors import NotFound
from domain.series import metric_of

ANOMALY = table_of(detection.AnomalyRow)
METRIC = table_of(detection.AnomalyMetricRow)


@dataclass(frozen=True, slots=True)
class AnomalyFilter:
    """Which anomalies to list; None matches all.

    Args:
        start: onset at or after.
        end: onset before.
        min_severity: this severity or a higher one.
        anomaly_type: exactly this type.
        metric: a metric name, or a full series name with its labels.
        status: `open` or `resolved`.
        incident_id: members of one incident.
    """

    start: datetime | None = None
    end: datetime | None = None
    min_severity: Severity | None = None
    anomaly_type: AnomalyType | None = None
    metric: str | None = None
    status: str | None = None
    incident_id: str | None = None


class AnomalyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, anomaly_id: str) -> Anomaly:
        """One anomaly; raises NotFound."""
        number = inside("anomaly", anomaly_id)
        with self._database.read() as connection:
            row = connection.execute(select(ANOMALY).where(ANOMALY.c.id == number)).mappings().first()
        if row is None:
            raise NotFound("anomaly", anomaly_id)
        return anomaly_of(row)

    def list(
        self, wanted: AnomalyFilter | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[Anomaly]:
        """Anomalies by onset, newest first."""
        statement = filtered(wanted or AnomalyFilter()).limit(check_limit(limit) + 1)
        statement = newest_first(statement, ANOMALY.c.timestamp, ANOMALY.c.id, cursor)
        with self._database.read() as connection:
            return page_of(connection.execute(statement).mappings().all(), limit, "timestamp", anomaly_of)

    def iterate(self, wanted: AnomalyFilter | None = None) -> Iterator[Anomaly]:
        """All anomalies of a filter, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = self.list(wanted, MAX_LIMIT, cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def many(self, anomaly_ids: Sequence[str]) -> Mapping[str, Anomaly]:
        """Those of some anomalies that are still stored, by id, in one go."""
        found: dict[str, Anomaly] = {}
        with self._database.read() as connection:
            for numbers in blocks(inside("anomaly", one) for one in anomaly_ids):
                rows = connection.execute(select(ANOMALY).where(ANOMALY.c.id.in_(numbers))).mappings()
                found |= {one.id: one for one in map(anomaly_of, rows)}
        return found

    def of_incidents(self, incident_ids: Sequence[str]) -> Mapping[str, Sequence[Anomaly]]:
        """The members of some incidents by onset, in one go."""
        numbers = [inside("incident", one) for one in incident_ids]
        statement = (
            select(ANOMALY)
            .where(ANOMALY.c.incident_id.in_(numbers))
            .order_by(ANOMALY.c.timestamp, ANOMALY.c.id)
        )
        members = {one: list[Anomaly]() for one in incident_ids}
        with self._database.read() as connection:
            for row in connection.execute(statement).mappings():
                members[outside("incident", row["incident_id"])].append(anomaly_of(row))
        return members

    def open(self) -> Sequence[Anomaly]:
        """All open anomalies by onset."""
        statement = (
            select(ANOMALY).where(ANOMALY.c.status == "open").order_by(ANOMALY.c.timestamp, ANOMALY.c.id)
        )
        with self._database.read() as connection:
            return [anomaly_of(row) for row in connection.execute(statement).mappings()]

    def by_rule(self, since: datetime) -> Sequence[tuple[str, int, datetime]]:
        """Each rule that found something since an instant: how often, and first when; most often first."""
        n = func.count()
        statement = (
            select(ANOMALY.c.rule, n, func.min(ANOMALY.c.timestamp))
            .where(ANOMALY.c.timestamp >= since)
            .group_by(ANOMALY.c.rule)
            .order_by(n.desc(), ANOMALY.c.rule)
        )
        with self._database.read() as connection:
            return [(rule, int(count), first) for rule, count, first in connection.execute(statement)]

    def incidents_by_rule(self, since: datetime) -> Mapping[str, int]:
        """In how many incidents each rule saw something since an instant."""
        n = func.count(ANOMALY.c.incident_id.distinct())
        statement = select(ANOMALY.c.rule, n).where(ANOMALY.c.timestamp >= since).group_by(ANOMALY.c.rule)
        with self._database.read() as connection:
            return {rule: int(count) for rule, count in connection.execute(statement) if count}

    def incidents_of_rule(self, rule: str, since: datetime) -> set[str]:
        """The incidents in which a rule saw something since an instant."""
        statement = (
            select(ANOMALY.c.incident_id)
            .where(ANOMALY.c.timestamp >= since, ANOMALY.c.rule == rule, ANOMALY.c.incident_id.is_not(None))
            .distinct()
        )
        with self._database.read() as connection:
            return {outside("incident", number) for number in connection.execute(statement).scalars()}

    def count(self, wanted: AnomalyFilter | None = None) -> int:
        """How many anomalies a filter matches."""
        statement = filtered(wanted or AnomalyFilter()).with_only_columns(func.count())
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())


def filtered(wanted: AnomalyFilter) -> Select[Any]:
    """The statement for a filter, without order."""
    statement = select(ANOMALY)
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(condition(value))
    if wanted.metric is not None:
        statement = statement.where(_about(wanted.metric, bounded=wanted.start is not None))
    return statement


def terms(anomaly: Anomaly) -> set[str]:
    """What the metric filter can find an anomaly by."""
    names = set(anomaly.affected_metrics)
    return {metric_of(name) for name in names} | {_term(name) for name in names}


def _term(name: str) -> str:
    return f"#{digest(name)}" if "{" in name else name


def _about(metric: str, *, bounded: bool) -> Any:
    """Of a stretch of time each anomaly is asked; of all times those of the metric are looked up."""
    if bounded:
        return exists().where(METRIC.c.anomaly_id == ANOMALY.c.id, METRIC.c.term == _term(metric))
    return ANOMALY.c.id.in_(select(METRIC.c.anomaly_id).where(METRIC.c.term == _term(metric)))


_CONDITIONS: dict[str, Callable[[Any], Any]] = {
    "start": lambda value: ANOMALY.c.timestamp >= value,
    "end": lambda value: ANOMALY.c.timestamp < value,
    "min_severity": lambda value: ANOMALY.c.severity >= severity_rank(value),
    "anomaly_type": lambda value: ANOMALY.c.anomaly_type == value,
    "status": lambda value: ANOMALY.c.status == value,
    "incident_id": lambda value: ANOMALY.c.incident_id == inside("incident", value),
}


def key_digest(anomaly: Anomaly) -> str:
    """What stands for `Anomaly.key`, which can be longer than an index takes."""
    return digest(anomaly.key)


def values_of(anomaly: Anomaly) -> dict[str, Any]:
    """The columns of an anomaly but for its id and its incident."""
    columns = {
        "id",
        "timestamp",
        "detected_at",
        "ended_at",
        "anomaly_type",
        "severity",
        "status",
        "incident_id",
    }
    return {
        "digest": key_digest(anomaly),
        "timestamp": anomaly.timestamp,
        "detected_at": anomaly.detected_at,
        "ended_at": anomaly.ended_at,
        "anomaly_type": anomaly.anomaly_type,
        "severity": severity_rank(anomaly.severity),
        "status": anomaly.status,
        "score": anomaly.score,
        "rule": anomaly.rule,
        "body": anomaly.model_dump(exclude=columns),
    }


def anomaly_of(row: RowView) -> Anomaly:
    """The anomaly in a row."""
    incident = row["incident_id"]
    return Anomaly.model_validate(
        {
            **row["body"],
            "id": outside("anomaly", row["id"]),
            "timestamp": row["timestamp"],
            "detected_at": row["detected_at"],
            "ended_at": row["ended_at"],
            "anomaly_type": row["anomaly_type"],
            "severity": SEVERITIES[row["severity"]],
            "status": row["status"],
            "incident_id": None if incident is None else outside("incident", incident),
        }
    )


def of_incidents(connection: Connection, incidents: Sequence[int]) -> dict[int, list[Anomaly]]:
    """The anomalies of some incidents, each list by onset."""
    found: dict[int, list[Anomaly]] = {number: [] for number in incidents}
    for i in range(0, len(incidents), 5_000):
        statement = (
            select(ANOMALY)
            .where(ANOMALY.c.incident_id.in_(list(incidents[i : i + 5_000])))
            .order_by(ANOMALY.c.timestamp, ANOMALY.c.id)
        )
        for row in connection.execute(statement).mappings():
            found[row["incident_id"]].append(anomaly_of(row))
    return found
