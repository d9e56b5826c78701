"""When nobody acknowledges: who is told next, once per step, decided anew from what is stored each time."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from alerts.history import History
from alerts.outbox import AlertIntent
from alerts.policy import ESCALATION, Reason, is_snoozed
from alerts.settings import AlertSettings
from domain.anomaly import Severity, severity_rank
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
        since = unanswered_since(incident, history, now, settings.escalate_severity)
        if since is None:
            continue
        for step, receiver in enumerate(settings.escalate_to, 1):
            at = since + step * gap
            subject = f"{ESCALATION}{incident.id}:{step}:{since:%Y%m%dT%H%M%S%fZ}"
            if at <= now and (receiver, subject) not in history.messages:
                found.append(_intent(incident, receiver, subject, at))
    return found


def unanswered_since(
    incident: Incident, history: History, now: datetime, at_least: Severity
) -> datetime | None:
    """Since when people know of an incident that nobody took; None where somebody did, or nobody was told.

    The clock begins with the first message about it that says that it is at least this severe, and anew where
    it is opened again or a snooze ends.
    """
    wanted = severity_rank(at_least)
    if incident.status != "open" or is_snoozed(incident, now) or severity_rank(incident.severity) < wanted:
        return None
    told = [
        intent
        for message in history.messages.values()
        for intent in message.intents
        if intent.incident_id == incident.id and intent.reason != Reason.ESCALATED
    ]
    if not told:
        return None
    severe = [intent for intent in told if severity_rank(intent.severity) >= wanted]
    begins = [intent.decided_at for intent in severe if intent.reason == Reason.REOPENED]
    if severe:
        begins.append(min(intent.not_before for intent in severe))
    if incident.snoozed_until is not None:
        # Where it grew worse while it was snoozed, no message may have said so.
        begins.append(incident.snoozed_until)
    return max(begins, default=None)


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
