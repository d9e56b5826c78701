"""What each page shows, gathered from the stores; templates only lay it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from api.auth import OPERATE, Caller
from api.dashboard import fmt
from api.dashboard.header import Header, header_of
from api.dashboard.lanes import lane
from api.dashboard.svg import Lane, bar, chart, sparkline
from api.doors import Doors
from api.explanation import Explanation, explain
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis, Hypothesis
from domain.errors import NotFound
from domain.event import Event
from domain.incident import Incident, IncidentStatus, lead_anomaly
from domain.series import Window

__all__ = ["Header", "anomaly_view", "diagnosis_view", "header_of", "incident_view", "overview"]

State = Literal["open", "acknowledged", "resolved", "all"]
WINDOWS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
_STATUSES: Mapping[State, tuple[IncidentStatus, ...] | None] = {
    "open": ("open", "acknowledged"),
    "acknowledged": ("acknowledged",),
    "resolved": ("resolved",),
    "all": None,
}
_PAGE = 50
_MAX_LANES = 6
_SPARK_SPAN = timedelta(hours=6)
_MARK_KINDS = {"deploy", "config_change", "notice", "news"}


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in the list: everything a reader needs without a click."""

    id: str
    severity: str
    metric: str
    others: int
    spark: Markup
    impact: str
    sigma: str
    age: str
    cause: str
    confidence: str
    state: str


@dataclass(frozen=True, slots=True)
class Overview:
    state: State
    open: int
    unacknowledged: int
    impact: str
    since: str
    rows: list[Row]
    next_cursor: str | None
    empty_reason: str


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
    evidence_ids: list[str]
    impact_parts: list[MoneyPart]
    unexplained: str
    lanes: list[Picture]
    verdict: str | None
    editable: bool


def overview(door: Doors, state: State, cursor: str | None) -> Overview:
    """The list of incidents under one sentence that says whether anything is wrong."""
    open_ones = door.stores.incidents.open()
    page = door.stores.incidents.list(_STATUSES[state], limit=_PAGE, cursor=cursor)
    incidents: Sequence[Incident] = page.items
    losses = [one.impact for one in open_ones if one.impact is not None]
    now = door.service.now()
    return Overview(
        state=state,
        open=len(open_ones),
        unacknowledged=sum(one.status == "open" for one in open_ones),
        impact=fmt.amount(sum(one.amount for one in losses), losses[0].unit) if losses else "",
        since=fmt.clock(min((one.started_at for one in open_ones), default=None), now) if open_ones else "",
        rows=[_row(door, one, now) for one in incidents],
        next_cursor=page.next_cursor,
        empty_reason=_empty_reason(door),
    )


def incident_view(door: Doors, incident_id: str, caller: Caller) -> IncidentView:
    """An incident with what moved in it."""
    incident = door.stores.incidents.get(incident_id)
    anomalies = members(door, incident)
    diagnosis = _diagnosis_of(door, incident)
    until = incident.ended_at or door.service.now()
    around = max(timedelta(hours=3), (until - incident.started_at) * 2)
    window = (incident.started_at - around, min(until + around / 4, door.service.now()))
    names = list(dict.fromkeys(one.affected_metrics[0] for one in anomalies))
    return IncidentView(
        incident,
        anomalies,
        diagnosis,
        _cause(diagnosis),
        _confidence(diagnosis),
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
        cause=_cause(found),
        confidence=_confidence(found),
        outcome=fmt.words(found.outcome or found.status),
        reasoner=f"{found.reasoner}{f' ({found.llm_model_used})' if found.llm_model_used else ''}",
        took=fmt.milliseconds(found.analysis_duration * 1000),
        waiting="The steps appear as they are taken." if running else "No step was stored.",
        running=running,
        hypotheses=[_hypothesis_row(one) for one in _hypotheses(found)],
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


def _row(door: Doors, incident: Incident, now: datetime) -> Row:
    anomalies = members(door, incident)
    lead = lead_anomaly(anomalies) if anomalies else None
    diagnosis = _diagnosis_of(door, incident)
    return Row(
        id=incident.id,
        severity=incident.severity,
        metric=lead.affected_metrics[0] if lead else incident.title,
        others=max(len(anomalies) - 1, 0),
        spark=_spark(door, lead) if lead else Markup(""),
        impact=fmt.money(incident.impact),
        sigma=fmt.sigma(lead.z_score if lead else None),
        age=fmt.duration((incident.ended_at or now) - incident.started_at),
        cause=_cause(diagnosis),
        confidence=_confidence(diagnosis),
        state=incident.status,
    )


def _spark(door: Doors, anomaly: Anomaly) -> Markup:
    until = min(door.service.now(), (anomaly.ended_at or door.service.now()) + timedelta(minutes=30))
    drawn = lane(door.stores, anomaly.affected_metrics[0], (until - _SPARK_SPAN, until))
    odd = int((anomaly.timestamp - drawn.start).total_seconds() // drawn.step_s)
    return sparkline(drawn.values, max(odd, 0))


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
    anomalies = []
    if found.incident_id is not None:
        anomalies = members(door, door.stores.incidents.get(found.incident_id))
    elif found.anomaly_id is not None:
        anomalies = [door.stores.anomalies.get(found.anomaly_id)]
    return [one for one in _pictures(door, names, window, anomalies) if len(one.lane.values)]


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


def _diagnosis_of(door: Doors, incident: Incident) -> Diagnosis | None:
    if incident.diagnosis_id is None:
        return None
    try:
        return door.stores.diagnoses.get(incident.diagnosis_id)
    except NotFound:
        return None


def _cause(diagnosis: Diagnosis | None) -> str:
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


def _confidence(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None or diagnosis.outcome is None:
        return fmt.MISSING
    return fmt.percent(diagnosis.confidence_score)


def _empty_reason(door: Doors) -> str:
    sources = door.service.sources()
    warming = [source.name for source in sources if source.status == "warming_up"]
    window: Window | None = door.service.window(door.service.step_s)
    if not sources and (window is None or not len(window.series)):
        return "No source is configured and nothing was pushed yet, so nothing could be judged."
    if warming:
        return f"Warming up: {', '.join(warming)} cannot be judged yet."
    return "All series are within what is normal for them."
