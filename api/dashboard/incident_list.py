"""The list of incidents: what is wrong, how much it costs, why, without a click."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.anomaly_view import stale_words
from api.dashboard.desk_time import desk_time
from api.dashboard.similar import Judged, Likeness
from api.dashboard.svg import sparkline
from api.dashboard.views import cause_words, confidence_words, effect_of
from api.doors import Doors
from db.records import AuditEntry
from domain.anomaly import SEVERITIES, Anomaly
from domain.diagnosis import Diagnosis
from domain.feedback import Feedback
from domain.incident import Incident, lead_anomaly
from domain.series import Window

Sort = Literal["newest", "impact", "severity"]
_SPARK_SPAN = timedelta(hours=6)
_NONE = Likeness()
_AND_MORE = re.compile(r" and (\d+) more$")


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
    began: datetime
    age: str
    cause: str
    confidence: str
    state: str
    anomaly: str
    diagnosis: str
    said: str
    like: str
    stale: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that rows are made from, read with one query each, however many they are."""

    leads: Mapping[str, Anomaly]
    diagnoses: Mapping[str, Diagnosis]
    said: Mapping[str, Sequence[Feedback]]
    acknowledged: Mapping[str, Sequence[AuditEntry]]
    likeness: Mapping[str, Likeness]

    @classmethod
    def of(cls, door: Doors, incidents: Sequence[Incident]) -> "Known":
        """What is known of some incidents."""
        leads = leads_of(door, incidents)
        diagnoses = door.stores.diagnoses.many([one.diagnosis_id for one in incidents if one.diagnosis_id])
        judged = Judged(door)
        taken = [one.id for one in incidents if one.status == "acknowledged"]
        return cls(
            leads=leads,
            diagnoses=diagnoses,
            said=door.stores.feedback.of_many("anomaly", [lead.id for lead in leads.values()]),
            acknowledged=door.stores.audit.about("incident.changed", taken) if taken else {},
            likeness={
                one.id: judged.of(leads.get(one.id), diagnoses.get(one.diagnosis_id or ""))
                for one in incidents
            },
        )


def ordered(incidents: Sequence[Incident], sort: Sort, likeness: Mapping[str, Likeness]) -> list[Incident]:
    """In the order asked for; what is like a false alarm goes below its equals."""
    newest = sorted(incidents, key=lambda one: one.started_at, reverse=True)
    if sort == "newest":
        return newest
    if sort == "impact":
        return sorted(newest, key=_amount)
    return sorted(
        newest,
        key=lambda one: (
            -SEVERITIES.index(one.severity),
            likeness.get(one.id, _NONE).rank,
            _amount(one),
        ),
    )


def _amount(one: Incident) -> float:
    """What it loses per hour while it goes on, else what it has cost."""
    if one.impact is None:
        return 0.0
    goes_on = one.ended_at is None and one.impact.per_hour is not None
    return one.impact.per_hour or 0.0 if goes_on else one.impact.amount


def leads_of(door: Doors, incidents: Sequence[Incident]) -> dict[str, Anomaly]:
    """The leading anomaly of each incident; who leads is looked up again when its members change."""
    marks = {one.id: (len(one.anomaly_ids), one.anomaly_ids[-1:], one.severity) for one in incidents}
    stale = [one.id for one in incidents if door.leads.get(one.id, ((), ""))[0] != marks[one.id]]
    for incident_id, members in door.stores.anomalies.of_incidents(stale).items():
        if members:
            door.leads[incident_id] = (marks[incident_id], lead_anomaly(members).id)
    known = {one.id: door.leads[one.id][1] for one in incidents if one.id in door.leads}
    found = door.stores.anomalies.many(list(known.values()))
    return {incident_id: found[lead] for incident_id, lead in known.items() if lead in found}


def row_of(door: Doors, incident: Incident, known: Known, held: Window, now: datetime) -> Row:
    """One row."""
    lead, diagnosis = known.leads.get(incident.id), known.diagnoses.get(incident.diagnosis_id or "")
    verdicts = [one.verdict for one in known.said.get(lead.id, ())] if lead else []
    return Row(
        id=incident.id,
        severity=incident.severity,
        metric=lead.affected_metrics[0] if lead else incident.title,
        others=_others(incident),
        spark=_spark(held, lead, now) if lead else Markup(""),
        impact=fmt.money(incident.impact),
        sigma=fmt.sigma(effect_of(lead, diagnosis)),
        began=incident.started_at,
        age=fmt.duration((incident.ended_at or now) - incident.started_at),
        cause=cause_words(diagnosis),
        confidence=confidence_words(diagnosis),
        state=_state_words(door, incident, known.acknowledged.get(incident.id, ()), now),
        anomaly=lead.id if lead else "",
        diagnosis=incident.diagnosis_id or "",
        said=fmt.words(verdicts[-1]) if verdicts else "",
        like=known.likeness[incident.id].words,
        stale=stale_words(door, lead.data_sources) if lead else "",
    )


def _others(incident: Incident) -> int:
    """How many other series moved: as its title says, which counts series and not anomalies."""
    told = _AND_MORE.search(incident.title)
    return int(told[1]) if told else 0


def _state_words(door: Doors, incident: Incident, changes: Sequence[AuditEntry], now: datetime) -> str:
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        return f"snoozed to {fmt.clock(incident.snoozed_until, now)}"
    if incident.status == "open" and incident.escalated_at is not None:
        return f"escalated {fmt.clock(incident.escalated_at, now)}"
    if incident.status != "acknowledged":
        return incident.status
    # Who took it elsewhere, in a chat program for instance, may have left no entry here.
    at = [one.at for one in changes if (one.after or {}).get("status") == "acknowledged"][-1:]
    words = ["acked", incident.assignee or "", *(fmt.clock(desk_time(door, one), now) for one in at)]
    return " ".join(filter(None, words))


def _spark(held: Window, anomaly: Anomaly, now: datetime) -> Markup:
    """The last six hours of the anomaly; what memory does not reach back to stays blank."""
    if anomaly.affected_metrics[0] not in held.positions:
        return Markup("")
    until = min(now, (anomaly.ended_at or now) + timedelta(minutes=30))
    seen = held.between(until - _SPARK_SPAN, until)
    if not seen.n_steps:
        return Markup("")
    return sparkline(seen.row(anomaly.affected_metrics[0]), max(seen.column_of(anomaly.timestamp), 0))
