"""Verdicts of people: checked, capped per author and day, stored and announced."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from api.auth import Caller
from api.doors import Doors
from domain.errors import NotFound, Overloaded
from domain.feedback import AnomalyVerdict, DiagnosisVerdict, Feedback

FeedbackKind = Literal["anomaly", "diagnosis", "chat"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said about something."""

    kind: FeedbackKind
    target_id: str
    verdict: AnomalyVerdict | DiagnosisVerdict
    actual_cause: str | None = None
    comment: str | None = None


def give(door: Doors, caller: Caller, said: Verdict) -> Feedback:
    """Store a verdict; raises Overloaded where its author said too much today."""
    now = door.service.now()
    if door.stores.feedback.count_by(caller.name, now - _DAY) >= door.settings.feedback_per_day:
        raise Overloaded("You have judged enough for one day.", _DAY.total_seconds() / 24)
    feedback = door.stores.feedback.add(
        Feedback(
            kind=said.kind,
            target_id=said.target_id,
            verdict=said.verdict,
            actual_cause=said.actual_cause,
            comment=said.comment,
            author=caller.name,
            created_at=now,
        )
    )
    door.audit(caller, "feedback.given", said.target_id, (None, said.verdict))
    door.service.alerts.judged(feedback)
    door.service.live.publish("feedback.created", {"id": feedback.id, "target": said.target_id})
    return feedback


def withdraw(door: Doors, caller: Caller, kind: FeedbackKind, target_id: str) -> None:
    """Take back the caller's last verdict; raises NotFound where there is none."""
    taken = door.stores.feedback.withdraw_last(kind, target_id, caller.name, door.service.now())
    if taken is None:
        raise NotFound("feedback", target_id)
    door.audit(caller, "feedback.withdrawn", target_id, (taken.verdict, None))
    door.service.live.publish("feedback.created", {"id": taken.id, "target": target_id})
