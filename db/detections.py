"""What a cycle found, stored as one: anomalies, their incidents and the alerts about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from db import incidents
from db.anomalies import ANOMALY, METRIC, anomaly_of, key_digest, of_incidents, terms, values_of
from db.database import Database
from db.identifiers import inside, outside
from db.incidents import INCIDENT, OPEN
from db.outbox import store_intents
from db.plain import plain_float, to_plain
from db.postgres import Lock
from db.records import AlertIntent, IncidentPlan, SavedDetections
from db.statements import RowView, blocks, inserted_id
from domain.anomaly import Anomaly, severity_rank
from domain.errors import InvalidInput
from domain.incident import CORE, Incident, end_of, lead_anomaly, start_of

OpenIncident = tuple[Incident, Sequence[Anomaly]]
Group = Callable[[Sequence[Anomaly], Sequence[OpenIncident]], Sequence[IncidentPlan]]
Decide = Callable[[Incident, Sequence[Anomaly], Incident | None], Sequence[AlertIntent]]


@dataclass(slots=True)
class _Changes:
    anomalies: dict[int, Anomaly] = field(default_factory=dict)
    created: list[int] = field(default_factory=list)
    reopened: set[int] = field(default_factory=set)


class CycleWriter:
    """Writes detections; the same detections a second time change nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_detections(
        self,
        anomalies: Sequence[Anomaly],
        now: datetime,
        group: Group,
        decide: Decide,
        *,
        reopen_within: timedelta = timedelta(0),
    ) -> SavedDetections:
        """Store anomalies by `Anomaly.key`, attach them to incidents and store alerts, in one transaction.

        A known anomaly keeps its id, its incident and the time of its first detection. An incident follows
        its anomalies: severity and start while it is open, its end when all that made it ended. An incident
        that somebody resolved stays so, unless one of its anomalies ended and is open again.

        Args:
            anomalies: new or changed ones; equal keys: the last counts.
            now: the time of the decision.
            group: called with the changed anomalies that have no incident and with all open incidents and
                their anomalies; says what belongs together. What it leaves out is offered again when it
                changes.
            reopen_within: incidents that ended by themselves this recently are offered to `group` as well:
                what flares up again is no other incident.
            decide: called for each incident that is new or whose anomalies changed, with all its anomalies
                and its state before (None for a new one); says which alerts to store. It must not write.

        Raises:
            InvalidInput: a score is not a number; nothing was stored.
            StoreUnavailable: nothing was stored.
        """
        latest = {one.key: _checked(one) for one in anomalies}
        with self._database.write(Lock.DETECTIONS) as connection:
            changes = _upsert(connection, list(latest.values()))
            before = _known_incidents(connection, changes, now - reopen_within)
            touched = _attach(connection, changes, before, group)
            touched |= {
                inside("incident", one.incident_id) for one in changes.anomalies.values() if one.incident_id
            }
            members = of_incidents(connection, sorted(touched))
            for number in sorted(touched):
                _follow(connection, number, members[number], before.get(number), changes)
            after = incidents.read(connection, sorted(touched))
            alerts = 0
            for incident in after:
                number = inside("incident", incident.id)
                intents = decide(incident, members[number], before.get(number))
                alerts += store_intents(connection, intents, incident.id, now)
        ids = {one.id: one for number in members for one in members[number]}
        return SavedDetections(
            tuple(ids.get(one.id, one) for one in changes.anomalies.values()),
            tuple(outside("anomaly", number) for number in changes.created),
            tuple(after),
            alerts,
        )


def _checked(anomaly: Anomaly) -> Anomaly:
    if plain_float(anomaly.score) is None:
        raise InvalidInput("score", f"of rule {anomaly.rule} is not a number")
    return anomaly


def _upsert(connection: Connection, anomalies: Sequence[Anomaly]) -> _Changes:
    changes = _Changes()
    known = _known_rows(connection, anomalies)
    for anomaly in anomalies:
        row = known.get(key_digest(anomaly))
        if row is None:
            _insert(connection, anomaly, changes)
        else:
            _update(connection, anomaly, row, changes)
    return changes


def _known_rows(connection: Connection, anomalies: Sequence[Anomaly]) -> dict[str, Mapping[str, Any]]:
    known: dict[str, Mapping[str, Any]] = {}
    for block in blocks(key_digest(one) for one in anomalies):
        statement = select(ANOMALY).where(ANOMALY.c.digest.in_(block))
        known |= {row["digest"]: dict(row) for row in connection.execute(statement).mappings()}
    return known


def _insert(connection: Connection, anomaly: Anomaly, changes: _Changes) -> None:
    values = values_of(anomaly)
    number = inserted_id(connection, ANOMALY, values)
    connection.execute(
        insert(METRIC), [{"anomaly_id": number, "term": term} for term in sorted(terms(anomaly))]
    )
    changes.anomalies[number] = _stored(values, number, None)
    changes.created.append(number)


def _update(connection: Connection, anomaly: Anomaly, row: RowView, changes: _Changes) -> None:
    values = values_of(anomaly) | {"detected_at": row["detected_at"]}
    if all(to_plain(values[name]) == to_plain(row[name]) for name in values):
        return
    number = int(row["id"])
    connection.execute(update(ANOMALY).where(ANOMALY.c.id == number).values(**values))
    came_back = row["status"] == "resolved" or severity_rank(anomaly.severity) >= CORE > row["severity"]
    if came_back and anomaly.status == "open":
        changes.reopened.add(number)
    changes.anomalies[number] = _stored(values, number, row["incident_id"])


def _stored(values: Mapping[str, Any], number: int, incident: int | None) -> Anomaly:
    """The anomaly as it will be read back."""
    return anomaly_of({**values, "body": to_plain(values["body"]), "id": number, "incident_id": incident})


def _known_incidents(connection: Connection, changes: _Changes, since: datetime) -> dict[int, Incident]:
    """All incidents that are open or ended lately and those of changed anomalies, as they were before."""
    mine = {inside("incident", one.incident_id) for one in changes.anomalies.values() if one.incident_id}
    known = {inside("incident", one.id): one for one in incidents.read_open(connection, since)}
    others = incidents.read(connection, sorted(mine - set(known)))
    return known | {inside("incident", one.id): one for one in others}


def _attach(
    connection: Connection, changes: _Changes, before: Mapping[int, Incident], group: Group
) -> set[int]:
    """Follow the grouping; the numbers of the incidents that got anomalies."""
    loose = {one.id: one for one in changes.anomalies.values() if one.incident_id is None}
    if not loose:
        return set()
    members = {
        number: anomalies
        for number, anomalies in of_incidents(connection, list(before)).items()
        # One that a person closed ended otherwise than its anomalies did.
        if before[number].status in OPEN or before[number].ended_at == end_of(anomalies)
    }
    plans = group(list(loose.values()), [(before[number], members[number]) for number in members])
    touched: set[int] = set()
    for plan in plans:
        chosen = [loose[one] for one in plan.anomalies if one in loose]
        if not chosen:
            continue
        number = _incident_for(connection, plan, chosen)
        numbers = [inside("anomaly", one.id) for one in chosen]
        for block in blocks(numbers):
            connection.execute(update(ANOMALY).where(ANOMALY.c.id.in_(block)).values(incident_id=number))
        touched.add(number)
        if any(one.status == "open" for one in chosen):
            changes.reopened |= set(numbers)
    return touched


def _incident_for(connection: Connection, plan: IncidentPlan, chosen: Sequence[Anomaly]) -> int:
    if plan.incident_id is not None:
        number = inside("incident", plan.incident_id)
        if plan.title is not None:
            connection.execute(update(INCIDENT).where(INCIDENT.c.id == number).values(title=plan.title))
        return number
    lead = lead_anomaly(chosen)
    values = {
        "title": plan.title or f"{lead.anomaly_type.replace('_', ' ')} in {lead.affected_metrics[0]}",
        "status": "open",
        "severity": max(severity_rank(one.severity) for one in chosen),
        "started_at": start_of(chosen),
    }
    return inserted_id(connection, INCIDENT, values)


def _follow(
    connection: Connection,
    number: int,
    members: Sequence[Anomaly],
    before: Incident | None,
    changes: _Changes,
) -> None:
    """Bring an incident in line with its anomalies."""
    reopened = any(inside("anomaly", one.id) in changes.reopened for one in members)
    if before is not None and before.status == "resolved" and not reopened:
        return
    values: dict[str, Any] = {
        "severity": max(severity_rank(one.severity) for one in members),
        "started_at": start_of(members),
    }
    if before is not None:
        values["severity"] = max(values["severity"], severity_rank(before.severity))
    ended_at = end_of(members)
    if ended_at is not None:
        values |= {"status": "resolved", "ended_at": ended_at}
    elif reopened and before is not None and before.status == "resolved":
        values |= {"status": "open", "ended_at": None}
    connection.execute(update(INCIDENT).where(INCIDENT.c.id == number).values(**values))
