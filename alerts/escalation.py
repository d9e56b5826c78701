"""When nobody acknowledges: who is told next, once per step, decided anew from what is stored each time."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from alerts.history import History
from alerts.outbox import AlertIntent
from alerts.policy import ESCALATION, Reason, is_snoozed
from alerts.settings import AlertSettings
from domain.anomaly import severity_rank
from domain.incident import Incident


def due_escalations(
    incidents: Iterable[Incident], history: History, settings: AlertSettings, now: datetime
) -> Sequence[AlertIntent]:
    """The steps that are due and were not decided before.

    A step's name and time follow from when the incident was told, so that a restarted process and a second
    replica decide the very same one, which is stored once.
    """
    found: list[AlertIntent] = []
    gap = timedelta(minutes=settings.escalate_after_minutes)
    for incident in incidents:
        since = unanswered_since(incident, history, now)
        if since is None or severity_rank(incident.severity) < severity_rank(settings.escalate_severity):
            continue
        for step, receiver in enumerate(settings.escalate_to, 1):
            at = since + step * gap
            subject = f"{ESCALATION}{incident.id}:{step}:{since:%Y%m%dT%H%M%S%fZ}"
            if at <= now and (receiver, subject) not in history.messages:
                found.append(_intent(incident, receiver, subject, at))
    return found


def unanswered_since(incident: Incident, history: History, now: datetime) -> datetime | None:
    """Since when people know of an incident that nobody took; None where somebody did, or nobody was told.

    The clock begins with the first message about it, and anew where it is opened again or a snooze ends.
    """
    if incident.status != "open" or is_snoozed(incident, now):
        return None
    told = [
        intent
        for message in history.messages.values()
        for intent in message.intents
        if intent.incident_id == incident.id and intent.reason != Reason.ESCALATED
    ]
    if not told:
        return None
    begins = [min(intent.not_before for intent in told)]
    begins += [intent.decided_at for intent in told if intent.reason == Reason.REOPENED]
    if incident.snoozed_until is not None:
        begins.append(incident.snoozed_until)
    return max(begins)


def step_of(subject: str) -> int | None:
    """Which step a message of this subject is; None for any other message."""
    if not subject.startswith(ESCALATION):
        return None
    return int(subject.split(":")[2])


def _intent(incident: Incident, receiver: str, subject: str, at: datetime) -> AlertIntent:
    return AlertIntent(
        receiver=receiver,
        subject=subject,
        incident_id=incident.id,
        reason=Reason.ESCALATED,
        severity=incident.severity,
        group=f"escalation|{incident.id}",
        decided_at=at,
        not_before=at,
    )
