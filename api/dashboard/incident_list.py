"""The list of incidents: what is wrong, how much it costs, why, without a click."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.lanes import lane
from api.dashboard.svg import sparkline
from api.dashboard.views import cause_words, confidence_words, diagnosis_of, members
from api.doors import Doors
from domain.anomaly import Anomaly
from domain.incident import Incident, IncidentStatus, lead_anomaly
from domain.money import Impact

State = Literal["open", "acknowledged", "resolved", "all"]
_PAGE = 30
_SPARK_SPAN = timedelta(hours=6)
_STATUSES: Mapping[State, tuple[IncidentStatus, ...] | None] = {
    "open": ("open", "acknowledged"),
    "acknowledged": ("acknowledged",),
    "resolved": ("resolved",),
    "all": None,
}


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


def overview(door: Doors, state: State, cursor: str | None) -> Overview:
    """The list of incidents under one sentence that says whether anything is wrong."""
    open_ones = door.stores.incidents.open()
    page = door.stores.incidents.list(_STATUSES[state], limit=_PAGE, cursor=cursor)
    incidents = page.items
    losses = [one.impact for one in open_ones if one.impact is not None]
    now = door.service.now()
    return Overview(
        state=state,
        open=len(open_ones),
        unacknowledged=sum(one.status == "open" for one in open_ones),
        impact=_total(losses),
        since=fmt.clock(min((one.started_at for one in open_ones), default=None), now) if open_ones else "",
        rows=[_row(door, one, now) for one in incidents],
        next_cursor=page.next_cursor,
        empty_reason=_empty_reason(door),
    )


def _total(impacts: Sequence[Impact]) -> str:
    """The sum in each unit: dollars and coins do not add up."""
    units = dict.fromkeys(one.unit for one in impacts)
    sums = {unit: sum(one.amount for one in impacts if one.unit == unit) for unit in units}
    return ", ".join(fmt.amount(amount, unit) for unit, amount in sums.items())


def _row(door: Doors, incident: Incident, now: datetime) -> Row:
    anomalies = members(door, incident)
    lead = lead_anomaly(anomalies) if anomalies else None
    diagnosis = diagnosis_of(door, incident)
    return Row(
        id=incident.id,
        severity=incident.severity,
        metric=lead.affected_metrics[0] if lead else incident.title,
        others=max(len(anomalies) - 1, 0),
        spark=_spark(door, lead) if lead else Markup(""),
        impact=fmt.money(incident.impact),
        sigma=fmt.sigma(lead.z_score if lead else None),
        age=fmt.duration((incident.ended_at or now) - incident.started_at),
        cause=cause_words(diagnosis),
        confidence=confidence_words(diagnosis),
        state=incident.status,
    )


def _spark(door: Doors, anomaly: Anomaly) -> Markup:
    until = min(door.service.now(), (anomaly.ended_at or door.service.now()) + timedelta(minutes=30))
    drawn = lane(door.stores, anomaly.affected_metrics[0], (until - _SPARK_SPAN, until))
    odd = int((anomaly.timestamp - drawn.start).total_seconds() // drawn.step_s)
    return sparkline(drawn.values, max(odd, 0))


def _empty_reason(door: Doors) -> str:
    sources = door.service.sources()
    warming = [source.name for source in sources if source.status == "warming_up"]
    window = door.service.window(door.service.step_s)
    if not sources and (window is None or not len(window.series)):
        return "No source is configured and nothing was pushed yet, so nothing could be judged."
    if warming:
        return f"Warming up: {', '.join(warming)} cannot be judged yet."
    return "All series are within what is normal for them."
