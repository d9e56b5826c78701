"""What each page shows, gathered from the stores; templates only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from api.auth import OPERATE, Caller
from api.dashboard import fmt
from api.dashboard.activity import Happened, activity
from api.dashboard.money import Waterfall, waterfalls
from api.dashboard.pictures import Picture, money_address, pictures, seconds
from api.dashboard.svg import bar
from api.doors import Doors
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly, severity_rank
from domain.diagnosis import Diagnosis, Hypothesis
from domain.errors import NotFound
from domain.incident import Incident, lead_anomaly

# A rival that is less likely stands on the diagnosis only.
_WORTH_SAYING = 0.02


@dataclass(frozen=True, slots=True)
class IncidentView:
    incident: Incident
    now: datetime
    lead: Anomaly | None
    effect: float | None
    anomalies: list[Anomaly]
    diagnosis: Diagnosis | None
    cause: str
    confidence: str
    rivals: list[Hypothesis]
    places: dict[str, str]
    lanes: list[Picture]
    window: tuple[int, int]
    editable: bool
    activity: list[Happened]


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
    waterfalls: list[Waterfall]
    money_chart: str
    sum_of: str
    similar: list[Diagnosis]
    open_questions: list[str]
    window: tuple[int, int]
    lead: str
    activity: list[Happened]
    lanes: list[Picture]
    verdict: str | None
    editable: bool


def incident_view(door: Doors, incident_id: str, caller: Caller, lanes: int = 6) -> IncidentView:
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
        door.service.now(),
        first[0] if first else None,
        effect_of(first[0] if first else None, diagnosis),
        anomalies,
        diagnosis,
        cause_words(diagnosis),
        confidence_words(diagnosis),
        [one for one in diagnosis.alternative_hypotheses if one.confidence >= _WORTH_SAYING][:2]
        if diagnosis
        else [],
        {one.id: f"/diagnoses/{diagnosis.id}#{one.id}" for one in diagnosis.evidence} if diagnosis else {},
        pictures(door, names[:lanes], window, anomalies),
        seconds(window),
        caller.role in OPERATE,
        activity(door, [incident.id, incident.diagnosis_id or ""], anomalies, diagnosis),
    )


def diagnosis_view(door: Doors, diagnosis_id: str, caller: Caller) -> DiagnosisView:
    """A diagnosis with its lanes, hypotheses that sum to one, and its money."""
    found = door.stores.diagnoses.get(diagnosis_id)
    running = found.status in {"queued", "running"}
    feedback = door.stores.feedback.of("diagnosis", found.id)
    own = [one.verdict for one in feedback if one.author == caller.name]
    hypotheses, window = _hypotheses(found), _lane_window(door, found)
    return DiagnosisView(
        diagnosis=found,
        cause=cause_words(found),
        confidence=confidence_words(found),
        outcome=fmt.words(found.outcome or found.status),
        reasoner=f"{found.reasoner}{f' ({found.llm_model_used})' if found.llm_model_used else ''}",
        took=fmt.milliseconds(found.analysis_duration * 1000),
        waiting="The steps appear as they are taken." if running else "No step was stored.",
        running=running,
        hypotheses=[_hypothesis_row(one) for one in hypotheses],
        causes=_known_causes(door, hypotheses),
        evidence_ids=[one.id for one in found.evidence],
        waterfalls=waterfalls(found.impact),
        money_chart=money_address(window) if found.impact else "",
        sum_of=fmt.percent(round(sum(one.confidence for one in hypotheses), 3)) if hypotheses else "",
        similar=_similar(door, found),
        open_questions=[one.separating_check for one in hypotheses if one.separating_check],
        window=seconds(window),
        lead=found.affected_metrics[0] if found.affected_metrics else "",
        activity=activity(door, [found.id, found.incident_id or ""], (), found),
        lanes=_diagnosis_lanes(door, found, window),
        verdict=own[-1] if own else None,
        editable=caller.role in OPERATE,
    )


def members(door: Doors, incident: Incident) -> list[Anomaly]:
    """The anomalies of an incident by onset."""
    found = door.stores.anomalies.iterate(AnomalyFilter(incident_id=incident.id))
    return sorted(found, key=lambda one: (one.timestamp, one.key))


def _lane_window(door: Doors, found: Diagnosis) -> tuple[datetime, datetime]:
    around = max(timedelta(hours=3), (found.end_time - found.start_time) * 2)
    return found.start_time - around, min(found.end_time + around / 6, door.service.now())


def _diagnosis_lanes(door: Doors, found: Diagnosis, window: tuple[datetime, datetime]) -> list[Picture]:
    cited = [name for one in found.evidence for name in one.series[:1]]
    roots = found.primary_hypothesis.root_series if found.primary_hypothesis else ()
    names = list(dict.fromkeys([*found.affected_metrics[:2], *roots, *cited]))
    anomalies = _anomalies_of(door, found)
    return [one for one in pictures(door, names, window, anomalies) if len(one.lane.values)]


def _known_causes(door: Doors, hypotheses: Sequence[Hypothesis]) -> list[str]:
    """What it may really have been: the other candidates here, and what was found before."""
    said = {hypotheses[0].cause if hypotheses else "", "unknown"}
    recent = door.stores.diagnoses.list(limit=50).items
    seen = [one.primary_hypothesis.cause for one in recent if one.primary_hypothesis]
    return sorted(({one.cause for one in hypotheses} | set(seen)) - said)


def _similar(door: Doors, found: Diagnosis) -> list[Diagnosis]:
    """Earlier diagnoses with the same leading cause."""
    lead = found.primary_hypothesis
    if lead is None or lead.cause == "unknown":
        return []
    recent = door.stores.diagnoses.list(q=lead.cause, end=found.timestamp, limit=20).items
    return [
        one
        for one in recent
        if one.primary_hypothesis
        and one.primary_hypothesis.cause == lead.cause
        and one.incident_id != found.incident_id
    ][:3]


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


def effect_of(lead: Anomaly | None, diagnosis: Diagnosis | None) -> float | None:
    """How far the leading series moved: as the diagnosis says, else as its detector did."""
    if lead is None:
        return None
    facts = diagnosis.evidence if diagnosis is not None else ()
    told = (
        one.effect_size
        for one in facts
        if one.kind == "shift" and one.series[:1] == lead.affected_metrics[:1]
    )
    return next((effect for effect in told if effect is not None), lead.z_score)


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
    known = _best_known(diagnosis)
    return f"inconclusive{f', best lead: {known.title}' if known else ''}"


def _best_known(diagnosis: Diagnosis) -> Hypothesis | None:
    """The likeliest hypothesis that names a cause."""
    return next((one for one in _hypotheses(diagnosis) if one.cause != "unknown"), None)


def confidence_words(diagnosis: Diagnosis | None) -> str:
    """How sure a diagnosis is."""
    if diagnosis is None or diagnosis.outcome is None:
        return fmt.MISSING
    known = _best_known(diagnosis)
    if diagnosis.outcome == "inconclusive" and known is not None:
        return fmt.percent(known.confidence)
    return fmt.percent(diagnosis.confidence_score)
