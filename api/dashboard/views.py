"""What each page shows, gathered from the stores; templates only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from api.auth import OPERATE, Caller
from api.dashboard import fmt
from api.dashboard.lanes import lane
from api.dashboard.svg import Lane, bar, chart
from api.doors import Doors
from api.explanation import Explanation, explain
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly, severity_rank
from domain.diagnosis import Diagnosis, Hypothesis
from domain.errors import NotFound
from domain.event import Event
from domain.incident import Incident, lead_anomaly

WINDOWS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
_MAX_LANES = 6
_MARK_KINDS = {"deploy", "config_change", "notice", "news"}


@dataclass(frozen=True, slots=True)
class Picture:
    lane: Lane
    svg: Markup


@dataclass(frozen=True, slots=True)
class IncidentView:
    incident: Incident
    anomalies: list[Anomaly]
    diagnosis: Diagnosis | None
    cause: str
    confidence: str
    lanes: list[Picture]
    editable: bool


@dataclass(frozen=True, slots=True)
class AnomalyView:
    anomaly: Anomaly
    window: str
    lanes: list[Picture]
    explanation: Explanation
    verdict: str | None
    editable: bool


@dataclass(frozen=True, slots=True)
class HypothesisRow:
    title: str
    component: str | None
    confidence: float
    bar: Markup
    supporting: tuple[str, ...]
    contradicting: tuple[str, ...]
    separating_check: str | None


@dataclass(frozen=True, slots=True)
class MoneyPart:
    label: str
    value: str
    amount: str


@dataclass(frozen=True, slots=True)
class DiagnosisView:
    diagnosis: Diagnosis
    cause: str
    confidence: str
    outcome: str
    reasoner: str
    took: str
    waiting: str
    running: bool
    hypotheses: list[HypothesisRow]
    causes: list[str]
    evidence_ids: list[str]
    impact_parts: list[MoneyPart]
    unexplained: str
    lanes: list[Picture]
    verdict: str | None
    editable: bool


def incident_view(door: Doors, incident_id: str, caller: Caller) -> IncidentView:
    """An incident with what moved in it."""
    incident = door.stores.incidents.get(incident_id)
    anomalies = members(door, incident)
    diagnosis = diagnosis_of(door, incident)
    until = incident.ended_at or door.service.now()
    around = max(timedelta(hours=3), (until - incident.started_at) * 2)
    window = (incident.started_at - around, min(until + around / 4, door.service.now()))
    first = [lead_anomaly(anomalies)] if anomalies else []
    worst = sorted(anomalies, key=lambda one: (-severity_rank(one.severity), -one.score, one.key))
    names = list(dict.fromkeys(one.affected_metrics[0] for one in [*first, *worst]))
    return IncidentView(
        incident,
        anomalies,
        diagnosis,
        cause_words(diagnosis),
        confidence_words(diagnosis),
        _pictures(door, names, window, anomalies),
        caller.role in OPERATE,
    )


def anomaly_view(door: Doors, anomaly_id: str, window_name: str, caller: Caller) -> AnomalyView:
    """An anomaly with its series over a window that ends with it."""
    anomaly = door.stores.anomalies.get(anomaly_id)
    span = WINDOWS[window_name]
    until = min(door.service.now(), (anomaly.ended_at or door.service.now()) + span / 4)
    feedback = door.stores.feedback.of("anomaly", anomaly.id)
    own = [one.verdict for one in feedback if one.author == caller.name]
    return AnomalyView(
        anomaly,
        window_name,
        _pictures(door, anomaly.affected_metrics, (until - span, until), [anomaly]),
        explain(anomaly, feedback),
        own[-1] if own else None,
        caller.role in OPERATE,
    )


def diagnosis_view(door: Doors, diagnosis_id: str, caller: Caller) -> DiagnosisView:
    """A diagnosis with its lanes, hypotheses that sum to one, and its money."""
    found = door.stores.diagnoses.get(diagnosis_id)
    running = found.status in {"queued", "running"}
    feedback = door.stores.feedback.of("diagnosis", found.id)
    own = [one.verdict for one in feedback if one.author == caller.name]
    parts = found.impact.by if found.impact else ()
    unit = found.impact.unit if found.impact else ""
    return DiagnosisView(
        diagnosis=found,
        cause=cause_words(found),
        confidence=confidence_words(found),
        outcome=fmt.words(found.outcome or found.status),
        reasoner=f"{found.reasoner}{f' ({found.llm_model_used})' if found.llm_model_used else ''}",
        took=fmt.milliseconds(found.analysis_duration * 1000),
        waiting="The steps appear as they are taken." if running else "No step was stored.",
        running=running,
        hypotheses=[_hypothesis_row(one) for one in _hypotheses(found)],
        causes=sorted({one.cause for one in _hypotheses(found)}),
        evidence_ids=[one.id for one in found.evidence],
        impact_parts=[MoneyPart(one.label, one.value, fmt.amount(one.amount, unit)) for one in parts],
        unexplained=fmt.amount(found.impact.unexplained, unit) if found.impact else "",
        lanes=_diagnosis_lanes(door, found),
        verdict=own[-1] if own else None,
        editable=caller.role in OPERATE,
    )


def members(door: Doors, incident: Incident) -> list[Anomaly]:
    """The anomalies of an incident by onset."""
    found = door.stores.anomalies.iterate(AnomalyFilter(incident_id=incident.id))
    return sorted(found, key=lambda one: (one.timestamp, one.key))


def _pictures(
    door: Doors, names: Sequence[str], window: tuple[datetime, datetime], anomalies: Sequence[Anomaly]
) -> list[Picture]:
    events = _events(door, window)
    lanes = [lane(door.stores, name, window, anomalies, events) for name in names[:_MAX_LANES]]
    return [Picture(one, chart(one)) for one in lanes]


def _events(door: Doors, window: tuple[datetime, datetime]) -> list[Event]:
    found = door.stores.events.between(*window, limit=500)
    return [event for event in found if event.kind in _MARK_KINDS][:20]


def _diagnosis_lanes(door: Doors, found: Diagnosis) -> list[Picture]:
    around = max(timedelta(hours=3), (found.end_time - found.start_time) * 2)
    window = (found.start_time - around, min(found.end_time + around / 6, door.service.now()))
    cited = [name for one in found.evidence for name in one.series[:1]]
    roots = found.primary_hypothesis.root_series if found.primary_hypothesis else ()
    names = list(dict.fromkeys([*found.affected_metrics[:2], *roots, *cited]))
    anomalies = _anomalies_of(door, found)
    return [one for one in _pictures(door, names, window, anomalies) if len(one.lane.values)]


def _anomalies_of(door: Doors, found: Diagnosis) -> list[Anomaly]:
    """What a diagnosis is about; retention may have removed it."""
    try:
        if found.incident_id is not None:
            return members(door, door.stores.incidents.get(found.incident_id))
        return [door.stores.anomalies.get(found.anomaly_id)] if found.anomaly_id is not None else []
    except NotFound:
        return []


def _hypotheses(found: Diagnosis) -> list[Hypothesis]:
    first = [found.primary_hypothesis] if found.primary_hypothesis else []
    return [*first, *found.alternative_hypotheses]


def _hypothesis_row(one: Hypothesis) -> HypothesisRow:
    picture = bar(one.confidence, f"{fmt.percent(one.confidence)}")
    return HypothesisRow(
        one.title,
        one.component,
        one.confidence,
        picture,
        one.supporting,
        one.contradicting,
        one.separating_check,
    )


def diagnosis_of(door: Doors, incident: Incident) -> Diagnosis | None:
    """The newest diagnosis of an incident, if it is still stored."""
    if incident.diagnosis_id is None:
        return None
    try:
        return door.stores.diagnoses.get(incident.diagnosis_id)
    except NotFound:
        return None


def cause_words(diagnosis: Diagnosis | None) -> str:
    """The cause in a few words, or why there is none."""
    if diagnosis is None:
        return "not diagnosed yet"
    if diagnosis.status in {"queued", "running"}:
        return "being diagnosed"
    if diagnosis.outcome == "no_fault":
        return "no fault found"
    lead = diagnosis.primary_hypothesis
    if diagnosis.outcome == "cause_found" and lead is not None:
        return lead.title
    if diagnosis.status in {"failed", "cancelled"} and lead is None:
        return f"diagnosis {diagnosis.status}"
    return f"inconclusive{f': perhaps {lead.title}' if lead and lead.cause != 'unknown' else ''}"


def confidence_words(diagnosis: Diagnosis | None) -> str:
    """How sure a diagnosis is."""
    if diagnosis is None or diagnosis.outcome is None:
        return fmt.MISSING
    return fmt.percent(diagnosis.confidence_score)
