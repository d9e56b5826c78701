"""More tools of the chat: incidents, diagnoses, events, sources, rules, usage, and starting a diagnosis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.chat import results
from agent.chat.data import DeskData
from agent.chat.tools import SeriesTools, check_span
from domain.anomaly import Anomaly, Severity, severity_rank
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.errors import Forbidden, InvalidInput, NotFound
from domain.evidence import Evidence
from domain.incident import Incident
from domain.series import metric_of

_PAST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the asking person may do beside reading."""

    diagnose: bool = False


class Tools(SeriesTools):
    """All tools; each takes and returns plain values, so that its schema can be given to a model."""

    def __init__(self, data: DeskData, permissions: Permissions) -> None:
        super().__init__(data)
        self._permissions = permissions

    @property
    def permissions(self) -> Permissions:
        """What the asking person may do."""
        return self._permissions

    def desk_status(self) -> results.DeskStatus:
        """Open incidents, health of the sources, the last detection cycle."""
        now = self._data.now()
        found = self._data.incidents(now - timedelta(seconds=1), now + timedelta(seconds=1))
        sources = self._data.sources()
        return results.DeskStatus(
            now=now,
            open=tuple(self._brief(one) for one in worst_first(found) if one.status != "resolved"),
            series=len(self._data.series()),
            sources_ok=sum(one.status == "ok" for one in sources),
            sources=len(sources),
            troubled_sources=tuple(one.name for one in sources if one.status != "ok"),
            last_cycle=self._data.last_cycle(),
        )

    def list_incidents(
        self,
        start: datetime,
        end: datetime,
        min_severity: Severity = "low",
        status: str | None = None,
        about: Sequence[str] = (),
    ) -> results.IncidentList:
        """Incidents that were going on in a stretch, the worst first.

        `status` is `open` or `resolved`; with `about` only those whose series carry all of these metric names
        or label values.
        """
        check_span(start, end)
        found = [
            one
            for one in self._data.incidents(start, end)
            if severity_rank(one.severity) >= severity_rank(min_severity)
            and (status is None or (one.status == "resolved") == (status == "resolved"))
            and (not about or self._is_about(one, about))
        ]
        ranked = worst_first(found)
        return results.IncidentList(items=tuple(self._brief(one) for one in ranked[:50]), total=len(found))

    def get_incident(self, incident_id: str) -> results.IncidentDetail:
        """One incident with its anomalies and its diagnosis."""
        incident = self._data.incident(incident_id)
        diagnosis = self._data.diagnosis(incident.diagnosis_id) if incident.diagnosis_id else None
        anomalies = tuple(self._data.anomalies_of(incident.id))
        lasted = (incident.ended_at or self._data.now()) - incident.started_at
        return results.IncidentDetail(
            incident=incident,
            minutes=lasted.total_seconds() / 60,
            anomalies=anomalies,
            diagnosis=diagnosis,
        )

    def list_anomalies(
        self,
        start: datetime,
        end: datetime,
        min_severity: Severity = "low",
        status: str | None = None,
        about: Sequence[str] = (),
    ) -> results.AnomalyList:
        """Anomalies that began in a stretch, by severity and score."""
        check_span(start, end)
        found = [
            one
            for one in self._data.anomalies(start, end)
            if severity_rank(one.severity) >= severity_rank(min_severity)
            and (status is None or one.status == status)
            and (not about or mentions(one, about))
        ]
        found.sort(key=lambda one: (-severity_rank(one.severity), -one.score, one.id))
        return results.AnomalyList(items=tuple(found[:50]), total=len(found))

    def get_anomaly(self, anomaly_id: str) -> Anomaly:
        """One anomaly."""
        return self._data.anomaly(anomaly_id)

    def get_diagnosis(self, diagnosis_id: str) -> Diagnosis:
        """One diagnosis with its hypotheses, evidence and recommended actions."""
        return self._data.diagnosis(diagnosis_id)

    def get_evidence(self, diagnosis_id: str, evidence_id: str) -> Evidence:
        """One stored fact of a diagnosis, such as E3 of D-4."""
        found = next(
            (one for one in self._data.diagnosis(diagnosis_id).evidence if one.id == evidence_id), None
        )
        if found is None:
            raise NotFound(f"evidence of {diagnosis_id}", evidence_id[:40])
        return found

    def list_events(
        self, start: datetime, end: datetime, kinds: Sequence[str] = (), limit: int = 20
    ) -> results.EventList:
        """Deploys, configuration changes, notices and headlines in a stretch, newest first; no log lines."""
        check_span(start, end)
        found = [
            results.EventItem(
                timestamp=one.timestamp,
                kind=one.kind,
                source=one.source,
                component=one.labels.get("component", ""),
                text=one.text,
            )
            for one in self._data.events(start, end)
            if one.source != "system_logs" and (not kinds or one.kind in kinds or one.source in kinds)
        ]
        return results.EventList(start=start, end=end, items=tuple(found[::-1][:limit]), total=len(found))

    def data_sources(self) -> results.SourceList:
        """The health of each source of data."""
        # Notes quote what others wrote, and nobody asks for them.
        return results.SourceList(
            items=tuple(one.model_copy(update={"notes": ()}) for one in self._data.sources())
        )

    def list_rules(self) -> results.RuleList:
        """What is detected on which series."""
        rules = tuple(self._data.rules())
        return results.RuleList(items=rules, total=len(rules))

    def model_usage(self, start: datetime, end: datetime) -> results.ModelUsage:
        """Calls, tokens and cost of language models per day."""
        check_span(start, end)
        days = tuple(self._data.usage(start, end))
        costs = [day.cost_usd for day in days]
        return results.ModelUsage(
            start=start,
            end=end,
            items=days,
            calls=sum(day.calls for day in days),
            input_tokens=sum(day.input_tokens for day in days),
            output_tokens=sum(day.output_tokens for day in days),
            cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
            budget_left_usd=self._data.budget_left_usd(),
        )

    def similar_incidents(self, incident_id: str, limit: int = 5) -> results.SimilarList:
        """Earlier incidents whose diagnosis named the same cause, newest first."""
        incident = self._data.incident(incident_id)
        cause = self._cause_of(incident)
        items: list[results.SimilarIncident] = []
        if cause is not None:
            earlier = self._data.incidents(incident.started_at - _PAST, incident.started_at)
            same = (one for one in earlier if one.id != incident.id and self._cause_of(one) == cause)
            items.extend(self._similar(one, cause) for one in same)
        return results.SimilarList(of=incident.id, cause=cause, items=tuple(items[:limit]))

    def start_diagnosis(
        self, metrics: Sequence[str], start: datetime, end: datetime, anomaly_id: str | None = None
    ) -> results.StartedDiagnosis:
        """Start an investigation of series in a stretch, or of an anomaly; takes the role operator."""
        if not self._permissions.diagnose:
            raise Forbidden("starting a diagnosis takes the role operator")
        anomaly = self._data.anomaly(anomaly_id) if anomaly_id else None
        check_span(start, end)
        self._check_metrics(metrics)
        request = DiagnosisRequest(
            anomaly_id=anomaly_id,
            incident_id=anomaly.incident_id if anomaly else None,
            anomaly_type=anomaly.anomaly_type if anomaly else None,
            start_time=start,
            end_time=end,
            affected_metrics=tuple(metrics),
        )
        begun = self._data.diagnose(request)
        return results.StartedDiagnosis(diagnosis_id=begun.id, status=begun.status)

    def _check_metrics(self, names: Sequence[str]) -> None:
        """Whoever asks by program learns of a wrong name at once, not from an empty investigation."""
        known = {one.key.metric for one in self._data.series()}
        for name in names:
            if metric_of(name) not in known:
                raise InvalidInput("metrics", f"no series is called {name[:100]!r}")

    def _is_about(self, incident: Incident, names: Sequence[str]) -> bool:
        members = self._data.anomalies_of(incident.id)
        return all(any(mentions(one, [name]) for one in members) for name in names)

    def _diagnosis_of(self, incident: Incident) -> Diagnosis | None:
        try:
            return self._data.diagnosis(incident.diagnosis_id) if incident.diagnosis_id else None
        except NotFound:
            return None

    def _cause_of(self, incident: Incident) -> str | None:
        diagnosis = self._diagnosis_of(incident)
        primary = diagnosis.primary_hypothesis if diagnosis else None
        return primary.cause if primary and primary.cause != "unknown" else None

    def _brief(self, one: Incident) -> results.IncidentBrief:
        diagnosis = self._diagnosis_of(one)
        primary = diagnosis.primary_hypothesis if diagnosis and diagnosis.outcome == "cause_found" else None
        return results.IncidentBrief(
            id=one.id,
            title=one.title,
            status=one.status,
            severity=one.severity,
            started_at=one.started_at,
            ended_at=one.ended_at,
            anomalies=len(one.anomaly_ids),
            impact=one.impact or (diagnosis.impact if diagnosis else None),
            diagnosis_id=one.diagnosis_id,
            cause=primary.title if primary else None,
            component=primary.component if primary else None,
            confidence=primary.confidence if primary else None,
            assignee=one.assignee,
        )

    def _similar(self, one: Incident, cause: str) -> results.SimilarIncident:
        diagnosis = self._diagnosis_of(one)
        primary = diagnosis.primary_hypothesis if diagnosis else None
        lasted = one.ended_at - one.started_at if one.ended_at else None
        return results.SimilarIncident(
            id=one.id,
            title=one.title,
            started_at=one.started_at,
            diagnosis_id=one.diagnosis_id or "",
            cause=cause,
            component=primary.component if primary else None,
            minutes=lasted.total_seconds() / 60 if lasted else None,
            verdict=self._data.verdict_on(one.diagnosis_id) if one.diagnosis_id else None,
        )


def worst_first(found: Sequence[Incident]) -> list[Incident]:
    """By severity, then by what they cost, then the newest first."""

    def loss(one: Incident) -> float:
        return one.impact.amount if one.impact else 0.0

    newest = sorted(found, key=lambda one: one.started_at, reverse=True)
    return sorted(newest, key=lambda one: (-severity_rank(one.severity), loss(one)))


def mentions(anomaly: Anomaly, names: Sequence[str]) -> bool:
    """Whether each name is a metric or a label value of one of the anomaly's series."""
    series = anomaly.affected_metrics
    return all(any(one.partition("{")[0] == name or f'="{name}"' in one for one in series) for name in names)
