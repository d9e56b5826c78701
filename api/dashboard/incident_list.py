"""The list of incidents: what is wrong, how much it costs, why, without a click."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.anomaly_view import stale_words
from api.dashboard.explore import held_window
from api.dashboard.svg import sparkline
from api.dashboard.views import cause_words, confidence_words
from api.doors import Doors
from domain.anomaly import SEVERITIES, Anomaly
from domain.cycle import Cycle
from domain.diagnosis import Diagnosis
from domain.feedback import Feedback
from domain.incident import Incident, IncidentStatus, lead_anomaly
from domain.money import Impact
from domain.series import Window

State = Literal["open", "acknowledged", "resolved", "all"]
Sort = Literal["newest", "impact", "severity"]
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
    anomaly: str
    diagnosis: str
    said: str
    stale: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The line of small pictures under the headline."""

    pnl: Markup
    pnl_words: str
    by_severity: list[tuple[str, int]]
    votes: Markup
    next_cycle: str


@dataclass(frozen=True, slots=True)
class Overview:
    state: State
    sort: Sort
    open: int
    unacknowledged: int
    impact: str
    since: str
    rows: list[Row]
    next_cursor: str | None
    empty_reason: str
    strip: Strip
    warming: str
    reasoner: str


def overview(door: Doors, state: State, cursor: str | None, sort: Sort = "severity") -> Overview:
    """The list of incidents under one sentence that says whether anything is wrong."""
    open_ones = door.stores.incidents.open()
    page = door.stores.incidents.list(_STATUSES[state], limit=_PAGE, cursor=cursor)
    losses = [one.impact for one in open_ones if one.impact is not None]
    now, held = door.service.now(), held_window(door)
    return Overview(
        state=state,
        sort=sort,
        open=len(open_ones),
        unacknowledged=sum(one.status == "open" for one in open_ones),
        impact=_total(losses),
        since=fmt.clock(min((one.started_at for one in open_ones), default=None), now) if open_ones else "",
        rows=_rows(door, _sorted(page.items, sort), held, now),
        next_cursor=page.next_cursor,
        empty_reason=_empty_reason(door, held),
        strip=_strip(door, held, open_ones, now),
        warming=_warming(door),
        reasoner="statistical" if door.service.budget_left_usd() is None else "language model",
    )


def _sorted(incidents: Sequence[Incident], sort: Sort) -> list[Incident]:
    """A page in the order asked for; the newest first among equals."""
    if sort == "impact":
        return sorted(incidents, key=_amount)
    if sort == "severity":
        return sorted(incidents, key=lambda one: (-SEVERITIES.index(one.severity), _amount(one)))
    return list(incidents)


def _amount(one: Incident) -> float:
    return one.impact.amount if one.impact else 0.0


def _total(impacts: Sequence[Impact]) -> str:
    """The sum in each unit: dollars and coins do not add up."""
    units = dict.fromkeys(one.unit for one in impacts)
    sums = {unit: sum(one.amount for one in impacts if one.unit == unit) for unit in units}
    return ", ".join(fmt.amount(amount, unit) for unit, amount in sums.items())


def _rows(door: Doors, incidents: Sequence[Incident], held: Window, now: datetime) -> list[Row]:
    """All rows with three queries, however many they are."""
    leads = _leads(door, incidents)
    diagnoses = door.stores.diagnoses.many([one.diagnosis_id for one in incidents if one.diagnosis_id])
    said = door.stores.feedback.of_many("anomaly", [lead.id for lead in leads.values()])
    return [
        _row(
            door,
            one,
            leads.get(one.id),
            diagnoses.get(one.diagnosis_id or ""),
            said,
            (held, now),
        )
        for one in incidents
    ]


def _leads(door: Doors, incidents: Sequence[Incident]) -> dict[str, Anomaly]:
    """The leading anomaly of each incident; who leads is looked up again when its members change."""
    marks = {one.id: (len(one.anomaly_ids), one.anomaly_ids[-1:], one.severity) for one in incidents}
    stale = [one.id for one in incidents if door.leads.get(one.id, ((), ""))[0] != marks[one.id]]
    for incident_id, members in door.stores.anomalies.of_incidents(stale).items():
        if members:
            door.leads[incident_id] = (marks[incident_id], lead_anomaly(members).id)
    known = {one.id: door.leads[one.id][1] for one in incidents if one.id in door.leads}
    found = door.stores.anomalies.many(list(known.values()))
    return {incident_id: found[lead] for incident_id, lead in known.items() if lead in found}


def _row(
    door: Doors,
    incident: Incident,
    lead: Anomaly | None,
    diagnosis: Diagnosis | None,
    said: Mapping[str, Sequence[Feedback]],
    seen: tuple[Window, datetime],
) -> Row:
    verdicts = [one.verdict for one in said.get(lead.id, ())] if lead else []
    held, now = seen
    return Row(
        id=incident.id,
        severity=incident.severity,
        metric=lead.affected_metrics[0] if lead else incident.title,
        others=max(len(incident.anomaly_ids) - 1, 0),
        spark=_spark(held, lead, now) if lead else Markup(""),
        impact=fmt.money(incident.impact),
        sigma=fmt.sigma(lead.z_score if lead else None),
        age=fmt.duration((incident.ended_at or now) - incident.started_at),
        cause=cause_words(diagnosis),
        confidence=confidence_words(diagnosis),
        state=_state_words(incident, now),
        anomaly=lead.id if lead else "",
        diagnosis=incident.diagnosis_id or "",
        said=fmt.words(verdicts[-1]) if verdicts else "",
        stale=stale_words(door, lead.data_sources) if lead else "",
    )


def _state_words(incident: Incident, now: datetime) -> str:
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        return f"snoozed to {fmt.clock(incident.snoozed_until, now)}"
    taken = f" {incident.assignee}" if incident.assignee and incident.status == "acknowledged" else ""
    return f"{'acked' if taken else incident.status}{taken}"


def _spark(held: Window, anomaly: Anomaly, now: datetime) -> Markup:
    """The last six hours of the anomaly; what memory does not reach back to stays blank."""
    if anomaly.affected_metrics[0] not in held.positions:
        return Markup("")
    until = min(now, (anomaly.ended_at or now) + timedelta(minutes=30))
    seen = held.between(until - _SPARK_SPAN, until)
    if not seen.n_steps:
        return Markup("")
    return sparkline(seen.row(anomaly.affected_metrics[0]), max(seen.column_of(anomaly.timestamp), 0))


def _strip(door: Doors, held: Window, open_ones: Sequence[Incident], now: datetime) -> Strip:
    today = held.between(now.replace(hour=0, minute=0, second=0, microsecond=0), now)
    rows = [i for i, one in enumerate(today.series) if one.key.metric == "pnl"]
    gains = np.cumsum(np.nan_to_num(today.values[rows]).sum(axis=0)) if rows else np.zeros(0)
    unit = today.series[rows[0]].unit if rows else ""
    cycles = door.stores.cycles.list(limit=40).items
    return Strip(
        pnl=sparkline(gains),
        pnl_words=fmt.amount(float(gains[-1]), unit or "USD") if len(gains) else fmt.MISSING,
        by_severity=[(name, sum(one.severity == name for one in open_ones)) for name in reversed(SEVERITIES)],
        votes=sparkline(np.array([float(one.anomalies) for one in reversed(cycles)])),
        next_cycle=_next_cycle(cycles, door.service.step_s, now),
    )


def _next_cycle(cycles: Sequence[Cycle], step_s: int, now: datetime) -> str:
    if not cycles:
        return fmt.MISSING
    left = cycles[0].scheduled_for + timedelta(seconds=step_s) - now
    return fmt.duration(left) if left > timedelta(0) else "now"


def _warming(door: Doors) -> str:
    return ", ".join(one.name for one in door.service.sources() if one.status == "warming_up")


def _empty_reason(door: Doors, held: Window) -> str:
    warming = _warming(door)
    if not door.service.sources() and not len(held.series):
        return "No source is configured and nothing was pushed yet, so nothing could be judged."
    if warming:
        return f"Warming up: {warming} cannot be judged yet."
    return "All series are within what is normal for them."
