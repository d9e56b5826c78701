"""What people and the service did about something: detected, judged, acknowledged, diagnosed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.dashboard import fmt
from api.dashboard.desk_time import desk_time
from api.doors import Doors
from db.records import AuditEntry, OutboxMessage
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis
from domain.feedback import Feedback

_MOST_SUBJECTS = 6
_MOST = 30
_MOST_TOLD = 12


@dataclass(frozen=True, slots=True)
class Happened:
    at: datetime
    who: str
    what: str


def activity(
    door: Doors,
    subjects: Sequence[str],
    anomalies: Sequence[Anomaly] = (),
    diagnosis: Diagnosis | None = None,
) -> list[Happened]:
    """Everything recorded about some objects, newest first."""
    asked = list(dict.fromkeys(one for one in subjects if one))[:_MOST_SUBJECTS]
    found = [_of_entry(door, entry) for one in asked for entry in _entries(door, one)]
    found += [_of_message(one) for one in _told(door, asked)]
    for kind in ("anomaly", "diagnosis"):
        found += [
            _of_feedback(one) for said in door.stores.feedback.of_many(kind, asked).values() for one in said
        ]
    found += _detected(anomalies)
    if diagnosis is not None:
        ended = f"diagnosis {diagnosis.id} {diagnosis.status}"
        found.append(Happened(diagnosis.timestamp, f"{diagnosis.reasoner} reasoner", ended))
    return sorted(found, key=lambda one: one.at, reverse=True)[:_MOST]


def _detected(anomalies: Sequence[Anomaly]) -> list[Happened]:
    """What was found at the same time as one line."""
    by_time: dict[datetime, list[Anomaly]] = {}
    for one in anomalies:
        by_time.setdefault(one.detected_at, []).append(one)
    return [Happened(at, "detectors", _found_words(together)) for at, together in by_time.items()]


def _found_words(together: Sequence[Anomaly]) -> str:
    if len(together) == 1:
        return f"found {together[0].id} by rule {together[0].rule}"
    more = f" and {len(together) - 2} more" if len(together) > 2 else ""
    return f"found {together[0].id}{',' if more else ' and'} {together[1].id}{more}"


def _told(door: Doors, subjects: Sequence[str]) -> list[OutboxMessage]:
    """Who was told of an incident, an escalation included."""
    incidents = [one for one in subjects if one.startswith("I-")]
    if not incidents:
        return []
    # Nothing is as new as tomorrow: what comes is what is about these incidents.
    found = door.stores.outbox.recent(door.service.now() + timedelta(days=1), incidents)
    return found[-_MOST_TOLD:]


def _of_message(one: OutboxMessage) -> Happened:
    became = {"sent": "", "parked": f", not taken: {one.error}"}.get(one.state, f", {one.state}")
    return Happened(one.sent_at or one.created_at, one.receiver, f"told: {fmt.words(one.kind)}{became}")


def _entries(door: Doors, subject: str) -> list[AuditEntry]:
    """What was recorded about an object, but for verdicts: these stand there in full."""
    found = door.stores.audit.list(subject, limit=20).items
    return [one for one in found if one.action != "feedback.given"]


def _of_entry(door: Doors, entry: AuditEntry) -> Happened:
    change = _change(entry.before, entry.after)
    words = fmt.words(entry.action.replace(".", " "))
    return Happened(desk_time(door, entry.at), entry.actor, f"{words}{f': {change}' if change else ''}")


def _change(before: Any, after: Any) -> str:
    if isinstance(after, dict):
        return ", ".join(f"{fmt.words(str(name))} {_value(value)}" for name, value in after.items())
    return fmt.words(str(after)) if after else (f"was {fmt.words(str(before))}" if before else "")


def _value(value: Any) -> str:
    return "none" if value is None else str(value)[:60]


def _of_feedback(one: Feedback) -> Happened:
    cause = f", it really was {fmt.words(one.actual_cause)}" if one.actual_cause else ""
    comment = f": {one.comment[:200]}" if one.comment else ""
    return Happened(one.created_at, one.author, f"said {fmt.words(one.verdict)}{cause}{comment}")
