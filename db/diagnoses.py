"""Diagnoses: requested once, saved as they grow, every finished version kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from db import diagnosis_requests as requests
from db import versions
from db.database import Database
from db.diagnosis_requests import Asked
from db.documents import digest
from db.fulltext import matches, search_text
from db.identifiers import inside, inside_or_none, outside
from db.incidents import INCIDENT
from db.outbox import store_intents
from db.paging import Page, check_limit, newest_first, page_of
from db.postgres import Lock
from db.records import AlertIntent, CreatedDiagnosis
from db.statements import RowView, inserted_id
from db.versions import DIAGNOSIS, FINAL
from domain.diagnosis import Action, Diagnosis, DiagnosisRequest, supersedes
from domain.errors import NotFound

REUSE = timedelta(seconds=60)


class DiagnosisStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        request: DiagnosisRequest,
        idempotency_key: str | None = None,
        *,
        now: datetime,
        reuse: timedelta = REUSE,
    ) -> CreatedDiagnosis:
        """Queue a diagnosis, or return the one that an equal request has queued already.

        Args:
            request: what to investigate.
            idempotency_key: the caller's key, which gives the same diagnosis ever after (for a day where
                it joined one that has a key already).
            now: when it was asked for.
            reuse: an equal request within this time, unless it failed, gets the same diagnosis; one that is
                still running is always shared.

        Raises:
            Conflict: the key was used for another request.
        """
        fingerprint = digest(request)
        with self._database.write(Lock.DIAGNOSES) as connection:
            known = requests.found(connection, Asked(fingerprint, idempotency_key, now, reuse))
            if known is not None:
                return CreatedDiagnosis(versions.read(connection, [known])[0], created=False)
            number = inserted_id(connection, DIAGNOSIS, _queued(request, fingerprint, idempotency_key, now))
            diagnosis = _first_state(request, outside("diagnosis", number), now)
            versions.write(connection, number, 1, diagnosis)
            _link_incident(connection, diagnosis)
        return CreatedDiagnosis(diagnosis, created=True)

    def save(
        self, diagnosis: Diagnosis, alerts: Sequence[AlertIntent] = (), now: datetime | None = None
    ) -> Diagnosis:
        """Store the present state. A finished state is never overwritten: a new version begins.

        Args:
            diagnosis: with the id that `create` gave it.
            alerts: messages to store in the same transaction.
            now: when the alerts were decided; needed with alerts only.

        Raises:
            NotFound: no such diagnosis.
        """
        number = inside("diagnosis", diagnosis.id)
        with self._database.write(Lock.DIAGNOSES) as connection:
            head = _head(connection, diagnosis.id)
            version = versions.next_version(connection, head, diagnosis)
            versions.write(connection, number, version, diagnosis)
            statement = update(DIAGNOSIS).where(DIAGNOSIS.c.id == number)
            connection.execute(statement.values(version=version, **_summary(diagnosis)))
            _link_incident(connection, diagnosis)
            store_intents(connection, alerts, diagnosis.incident_id, now or diagnosis.timestamp)
        return diagnosis

    def get(self, diagnosis_id: str, version: int | None = None) -> Diagnosis:
        """A diagnosis, or one of its earlier versions; raises NotFound."""
        with self._database.read() as connection:
            head = _head(connection, diagnosis_id)
            wanted = {**head, "version": head["version"] if version is None else version}
            found = versions.read(connection, [wanted])
        if not found:
            raise NotFound("version of this diagnosis", str(version))
        return found[0]

    def keyed(self, key: str) -> Diagnosis | None:
        """The diagnosis that was asked for under an idempotency key."""
        with self._database.read() as connection:
            head = requests.under_key(connection, key)
            return None if head is None else versions.read(connection, [head])[0]

    def many(self, diagnosis_ids: Sequence[str]) -> dict[str, Diagnosis]:
        """Those of some diagnoses that are still stored, by id, in one go."""
        numbers = [inside("diagnosis", one) for one in diagnosis_ids]
        with self._database.read() as connection:
            heads = connection.execute(select(DIAGNOSIS).where(DIAGNOSIS.c.id.in_(numbers))).mappings().all()
            return {one.id: one for one in versions.read(connection, heads)}

    def causes(self, diagnosis_ids: Sequence[str]) -> dict[str, str]:
        """The leading cause of some diagnoses by id, without reading them whole; none where inconclusive."""
        numbers = [inside("diagnosis", one) for one in diagnosis_ids]
        wanted = select(DIAGNOSIS.c.id, DIAGNOSIS.c.cause).where(
            DIAGNOSIS.c.id.in_(numbers), DIAGNOSIS.c.outcome == "cause_found"
        )
        with self._database.read() as connection:
            return {outside("diagnosis", number): cause or "" for number, cause in connection.execute(wanted)}

    def versions(self, diagnosis_id: str) -> list[int]:
        """The numbers of the versions kept, the present one last."""
        with self._database.read() as connection:
            return versions.numbers(connection, _head(connection, diagnosis_id)["id"])

    def request(self, diagnosis_id: str) -> DiagnosisRequest:
        """What was asked for."""
        with self._database.read() as connection:
            return DiagnosisRequest.model_validate(_head(connection, diagnosis_id)["request"])

    def list(
        self,
        q: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Diagnosis]:
        """Diagnoses, newest first.

        Args:
            q: words that must all occur (as beginnings of words) in the texts, causes or metrics.
            start: made at or after.
            end: made before.
            limit: 1 to 500.
            cursor: from an earlier page.
        """
        statement = select(DIAGNOSIS).limit(check_limit(limit) + 1)
        if q is not None and q.strip():
            statement = statement.where(matches(self._database.dialect, q))
        if start is not None:
            statement = statement.where(DIAGNOSIS.c.timestamp >= start)
        if end is not None:
            statement = statement.where(DIAGNOSIS.c.timestamp < end)
        statement = newest_first(statement, DIAGNOSIS.c.timestamp, DIAGNOSIS.c.id, cursor)
        with self._database.read() as connection:
            heads = connection.execute(statement).mappings().all()
            found = {one.id: one for one in versions.read(connection, heads[:limit])}
        return page_of(heads, limit, "timestamp", lambda head: found[outside("diagnosis", head["id"])])

    def unfinished(self) -> Sequence[Diagnosis]:
        """Queued and running diagnoses, oldest first: what to take up again after a restart."""
        statement = select(DIAGNOSIS).where(DIAGNOSIS.c.status.not_in(FINAL)).order_by(DIAGNOSIS.c.id)
        with self._database.read() as connection:
            return versions.read(connection, connection.execute(statement).mappings().all())

    def of_incident(self, incident_id: str) -> Sequence[Diagnosis]:
        """All diagnoses of an incident, oldest first."""
        statement = select(DIAGNOSIS).where(DIAGNOSIS.c.incident_id == incident_id).order_by(DIAGNOSIS.c.id)
        with self._database.read() as connection:
            return versions.read(connection, connection.execute(statement).mappings().all())

    def shown(self, incident_id: str) -> Diagnosis | None:
        """The diagnosis that an incident is shown with."""
        with self._database.read() as connection:
            return _shown(connection, inside("incident", incident_id))

    def set_action(self, diagnosis_id: str, n: int, done: bool, by: str, now: datetime) -> Action:
        """Tick or untick an action; raises NotFound where the diagnosis has no such action."""
        with self._database.write(Lock.DIAGNOSES) as connection:
            head = _head(connection, diagnosis_id)
            if not any(action.n == n for action in _actions(versions.read(connection, [head])[0])):
                raise NotFound("action of this diagnosis", str(n))
            versions.write_action(connection, head["id"], n, (done, by, now) if done else (False, None, None))
            diagnosis = versions.read(connection, [head])[0]
        return next(action for action in _actions(diagnosis) if action.n == n)


def _actions(diagnosis: Diagnosis) -> tuple[Action, ...]:
    return (
        *diagnosis.immediate_actions,
        *diagnosis.preventive_measures,
        *diagnosis.monitoring_recommendations,
    )


def _head(connection: Connection, diagnosis_id: str) -> RowView:
    number = inside("diagnosis", diagnosis_id)
    row = connection.execute(select(DIAGNOSIS).where(DIAGNOSIS.c.id == number)).mappings().first()
    if row is None:
        raise NotFound("diagnosis", diagnosis_id)
    return dict(row)


def _queued(request: DiagnosisRequest, fingerprint: str, key: str | None, now: datetime) -> dict[str, Any]:
    return {
        "version": 1,
        "status": "queued",
        "timestamp": now,
        "anomaly_id": request.anomaly_id,
        "incident_id": request.incident_id,
        "request": request,
        "request_digest": fingerprint,
        "active_digest": fingerprint,
        "idempotency_key": key,
        "search_text": search_text(*request.affected_metrics),
    }


def _first_state(request: DiagnosisRequest, diagnosis_id: str, now: datetime) -> Diagnosis:
    return Diagnosis(
        id=diagnosis_id,
        anomaly_id=request.anomaly_id,
        incident_id=request.incident_id,
        timestamp=now,
        start_time=request.start_time,
        end_time=request.end_time,
        affected_metrics=request.affected_metrics,
        reasoner=request.reasoner or "statistical",
    )


def _summary(diagnosis: Diagnosis) -> dict[str, Any]:
    """The columns of the head that follow the body."""
    causes = [one for one in (diagnosis.primary_hypothesis, *diagnosis.alternative_hypotheses) if one]
    values: dict[str, Any] = {
        "status": diagnosis.status,
        "outcome": diagnosis.outcome,
        "cause": causes[0].cause if causes else None,
        "anomaly_id": diagnosis.anomaly_id,
        "incident_id": diagnosis.incident_id,
        "search_text": search_text(
            diagnosis.id,
            diagnosis.executive_summary,
            *(f"{one.title} {one.cause} {one.component or ''} {one.description}" for one in causes),
            *diagnosis.affected_metrics,
            diagnosis.detailed_analysis,
            *(step.text for step in diagnosis.steps),
        ),
    }
    if diagnosis.status in FINAL:
        values["active_digest"] = None
    return values


def _shown(connection: Connection, incident: int) -> Diagnosis | None:
    ours = select(INCIDENT.c.diagnosis_id).where(INCIDENT.c.id == incident).scalar_subquery()
    return _where(connection, DIAGNOSIS.c.id == ours)


def _where(connection: Connection, one: ColumnElement[bool]) -> Diagnosis | None:
    heads = connection.execute(select(DIAGNOSIS).where(one)).mappings().all()
    return next(iter(versions.read(connection, heads)), None)


def _link_incident(connection: Connection, diagnosis: Diagnosis) -> None:
    number = inside_or_none("incident", diagnosis.incident_id)
    if number is None:
        return
    shown = _shown(connection, number)
    values: dict[str, Any] = {"diagnosis_id": inside("diagnosis", diagnosis.id)}
    if shown is not None and diagnosis.status == "done" and not supersedes(diagnosis, shown):
        # What it costs by now is still news.
        values = {}
    if diagnosis.impact is not None:
        values["impact"] = diagnosis.impact
    statement = update(INCIDENT).where(INCIDENT.c.id == number)
    if diagnosis.status != "done":
        # What is still being looked into must not take the place of what is known.
        statement = statement.where(INCIDENT.c.diagnosis_id.is_(None))
    if values:
        connection.execute(statement.values(**values))
