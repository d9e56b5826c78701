"""One anomaly: what moved, when, how far from expected, what moved with it, what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.auth import OPERATE, Caller
from api.dashboard.activity import Happened, activity
from api.dashboard.chart_data import around, marks
from api.dashboard.money import Waterfall, waterfalls
from api.dashboard.movers import Mover, movers
from api.dashboard.pictures import Picture, pictures, seconds
from api.dashboard.views import cause_words, confidence_words, diagnosis_of
from api.doors import Doors
from api.explanation import Explanation, explain
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis
from domain.errors import NotFound
from domain.event import Event
from domain.incident import Incident

WINDOWS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
Window = tuple[datetime, datetime]
_ALIKE = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class AnomalyView:
    anomaly: Anomaly
    window: str
    span: tuple[int, int]
    moved_in: tuple[int, int]
    lanes: list[Picture]
    movers: list[Mover]
    explanation: Explanation
    incident: Incident | None
    diagnosis: Diagnosis | None
    cause: str
    confidence: str
    waterfalls: list[Waterfall]
    events: Sequence[Event]
    similar: int
    false_alarms: int
    voters: list[str]
    verdict: str | None
    editable: bool
    stale: str
    activity: list[Happened]


def anomaly_view(
    door: Doors, anomaly_id: str, window_name: str, brushed: tuple[int, int] | None, caller: Caller
) -> AnomalyView:
    """An anomaly over a named window that ends with it, or over a brushed one."""
    anomaly = door.stores.anomalies.get(anomaly_id)
    window = _window(door, anomaly, window_name)
    asked = _brushed(brushed) or (anomaly.timestamp, anomaly.ended_at or door.service.now())
    feedback = door.stores.feedback.of("anomaly", anomaly.id)
    own = [one.verdict for one in feedback if one.author == caller.name]
    incident = _incident(door, anomaly)
    diagnosis = diagnosis_of(door, incident) if incident else None
    name = anomaly.affected_metrics[0]
    seen_with = around(door, window, name) or [anomaly]
    alike = [
        one
        for one in door.stores.anomalies.list(AnomalyFilter(metric=name, start=_before(anomaly)), 100).items
        if one.rule == anomaly.rule
    ]
    judged = door.stores.feedback.of_many("anomaly", [one.id for one in alike])
    return AnomalyView(
        anomaly=anomaly,
        window=window_name,
        span=seconds(window),
        moved_in=seconds(asked),
        lanes=pictures(door, anomaly.affected_metrics, _brushed(brushed) or window, seen_with),
        movers=movers(door, asked, name),
        explanation=explain(anomaly, feedback),
        incident=incident,
        diagnosis=diagnosis,
        cause=cause_words(diagnosis),
        confidence=confidence_words(diagnosis),
        waterfalls=waterfalls(diagnosis.impact if diagnosis else incident.impact if incident else None),
        events=marks(door, asked),
        similar=len(alike) - 1,
        false_alarms=sum(said.verdict == "false_positive" for one in judged.values() for said in one),
        voters=sorted({one.method for one in seen_with if _overlaps(one, anomaly)}),
        verdict=own[-1] if own else None,
        editable=caller.role in OPERATE,
        stale=stale_words(door, anomaly.data_sources),
        activity=activity(door, [anomaly.id, anomaly.incident_id or ""], [anomaly], diagnosis),
    )


def _before(anomaly: Anomaly) -> datetime:
    return anomaly.timestamp - _ALIKE


def stale_words(door: Doors, data_sources: Sequence[str]) -> str:
    """Which troubled sources feed this; empty where all are well."""
    troubled = [
        f"{one.name} is {one.status}"
        for one in door.service.sources()
        if one.status in {"stale", "failed"} and not {one.name, one.kind, *one.feeds}.isdisjoint(data_sources)
    ]
    return "; ".join(troubled)


def _window(door: Doors, anomaly: Anomaly, name: str) -> Window:
    span, now = WINDOWS[name], door.service.now()
    until = min(now, (anomaly.ended_at or now) + span / 4)
    return until - span, until


def _brushed(window: tuple[int, int] | None) -> Window | None:
    if window is None or window[1] <= window[0]:
        return None
    return datetime.fromtimestamp(window[0], UTC), datetime.fromtimestamp(window[1], UTC)


def _incident(door: Doors, anomaly: Anomaly) -> Incident | None:
    if anomaly.incident_id is None:
        return None
    try:
        return door.stores.incidents.get(anomaly.incident_id)
    except NotFound:
        return None


def _overlaps(one: Anomaly, other: Anomaly) -> bool:
    ends = one.ended_at or other.detected_at
    return one.timestamp <= (other.ended_at or other.detected_at) and ends >= other.timestamp
