"""Who is told what, when and why: pure decisions, each with a named reason.

Nothing is ever dropped: an incident that may not have a message of its own now joins an earlier message
(cooldown), goes into a digest (hourly limit, quiet hours, maintenance, late data) or waits (snoozed).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from alerts.calendar import covering_maintenance, quiet_until
from alerts.history import History
from alerts.notice import Updates
from alerts.outbox import AlertIntent, AlertMessage
from alerts.settings import AlertSettings
from domain.anomaly import Severity, severity_rank
from domain.incident import Incident

HOUR = timedelta(hours=1)
ESCALATION = "escalation:"


class Reason(StrEnum):
    """Why an alert is sent, held back or not sent."""

    FIRST_NOTIFICATION = "first_notification"
    RESOLVED_BEFORE_SENT = "resolved_before_sent"
    SEVERITY_ROSE = "severity_rose"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    DIAGNOSIS_READY = "diagnosis_ready"
    JUDGED = "judged"
    SNOOZE_SET = "snooze_set"
    GREW = "grew"
    ESCALATED = "escalated"

    COOLDOWN = "cooldown"
    HOURLY_LIMIT = "hourly_limit"
    QUIET_HOURS = "quiet_hours"
    MAINTENANCE_WINDOW = "maintenance_window"
    LATE = "late"
    SNOOZED = "snoozed"

    BELOW_THRESHOLD = "below_threshold"
    NOT_ROUTED = "not_routed"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    NOT_WORTH_A_MESSAGE = "not_worth_a_message"
    UNCHANGED = "unchanged"
    ESCALATION_OVER = "escalation_over"


Verdict = Literal["message", "update", "join", "digest", "wait", "nothing"]
# Reasons under which an incident is named by a digest instead of a message of its own.
DIGESTS: dict[Reason, str] = {
    Reason.HOURLY_LIMIT: "beyond the hourly limit",
    Reason.QUIET_HOURS: "during quiet hours",
    Reason.MAINTENANCE_WINDOW: "during maintenance",
    Reason.LATE: "found late",
    Reason.COOLDOWN: "again within the cooldown",
}
# What people who get a new message for each change are told about.
IMPORTANT = frozenset({Reason.SEVERITY_ROSE, Reason.REOPENED, Reason.RESOLVED, Reason.DIAGNOSIS_READY})


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver as policy sees it; one of `only_escalations` hears of nothing else first."""

    name: str
    updates: Updates
    threshold: Severity
    only_escalations: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """An incident now and before, with what routing and the cooldown look at.

    `event` names a change that the two incidents do not show, such as a diagnosis that finished.
    """

    incident: Incident
    previous: Incident | None
    group: str
    labels: Sequence[tuple[str, str]]
    routed: bool = True
    event: Reason | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens for one incident and one receiver; `subject` is the message that it goes into."""

    receiver: str
    incident_id: str
    verdict: Verdict
    reason: Reason
    subject: str = ""
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What one decision rests on.

    Args:
        target: the receiver.
        history: what receivers were or will be told, this call's earlier decisions included.
        settings: thresholds and windows.
        now: the time of the service.
    """

    target: Target
    history: History
    settings: AlertSettings
    now: datetime


def decide(case: Case, rules: Rules) -> Decision:
    """Decide for one incident and one receiver."""
    told = rules.history.message_of(rules.target.name, case.incident.id)
    return _first(case, rules) if told is None else _change(case, told, rules)


def to_intent(decision: Decision, case: Case, now: datetime) -> AlertIntent | None:
    """The row to store; None where nothing is to be sent."""
    if decision.verdict == "nothing":
        return None
    return AlertIntent(
        receiver=decision.receiver,
        subject=decision.subject,
        incident_id=case.incident.id,
        reason=decision.reason,
        severity=case.incident.severity,
        group=case.group,
        decided_at=now,
        not_before=decision.not_before or now,
        counted=decision.verdict in {"message", "wait"},
    )


def _first(case: Case, rules: Rules) -> Decision:
    incident, target, now = case.incident, rules.target, rules.now
    refused = _refused(case, target)
    if refused is not None:
        return Decision(target.name, incident.id, "nothing", refused)
    resolved = incident.status == "resolved"
    reason = Reason.RESOLVED_BEFORE_SENT if resolved else Reason.FIRST_NOTIFICATION
    own = Decision(target.name, incident.id, "message", reason, f"incident:{incident.id}", now)
    if target.updates == "important":
        # The diagnosis often follows within a moment, and this message cannot be edited.
        own = replace(own, not_before=now + timedelta(seconds=rules.settings.settle_seconds))
    if incident.severity == "critical":
        return own
    if not resolved and is_snoozed(incident, now):
        return replace(own, verdict="wait", reason=Reason.SNOOZED, not_before=incident.snoozed_until)
    return _held(case, own, rules) or own


def _refused(case: Case, target: Target) -> Reason | None:
    """Why an incident that was not told yet is not sent at all."""
    incident = case.incident
    if severity_rank(incident.severity) < severity_rank(target.threshold):
        return Reason.BELOW_THRESHOLD
    if target.only_escalations or not case.routed:
        return Reason.NOT_ROUTED
    if incident.status == "acknowledged" and incident.severity != "critical":
        return Reason.ALREADY_ACKNOWLEDGED
    return None


def _held(case: Case, own: Decision, rules: Rules) -> Decision | None:
    """The digest or earlier message that the incident goes into; None where nothing holds it back."""
    settings, now = rules.settings, rules.now
    maintenance = covering_maintenance(settings.maintenance, case.labels, now)
    if maintenance is not None:
        return _digest(own, Reason.MAINTENANCE_WINDOW, rules, until=maintenance.end_utc())
    quiet = quiet_until(settings.quiet_hours, now)
    if quiet is not None:
        return _digest(own, Reason.QUIET_HOURS, rules, until=quiet)
    collected = now + timedelta(seconds=settings.digest_seconds)
    ended = case.incident.ended_at
    if ended is not None and now - ended > timedelta(minutes=settings.late_after_minutes):
        return _digest(own, Reason.LATE, rules, until=collected)
    earlier = _cooling(case, rules)
    if earlier is not None:
        return _joined(own, earlier, rules)
    if rules.history.counted(own.receiver, since=now - HOUR) >= settings.max_alerts_per_hour:
        return _digest(own, Reason.HOURLY_LIMIT, rules, until=collected)
    return None


def _joined(own: Decision, earlier: AlertMessage, rules: Rules) -> Decision:
    """Into the earlier message; where that cannot be edited, into a digest at the end of the cooldown."""
    if rules.target.updates == "important":
        over = earlier.first_decided_at + timedelta(minutes=rules.settings.cooldown_minutes)
        return _digest(own, Reason.COOLDOWN, rules, until=over)
    return replace(own, verdict="join", reason=Reason.COOLDOWN, subject=earlier.subject)


def _cooling(case: Case, rules: Rules) -> AlertMessage | None:
    """The message of the same group that is younger than the cooldown and was no less severe."""
    since = rules.now - timedelta(minutes=rules.settings.cooldown_minutes)
    for message in rules.history.own_messages(rules.target.name, since):
        worst = max(severity_rank(one.severity) for one in message.intents)
        same = message.intents[0].group == case.group
        if same and severity_rank(case.incident.severity) <= worst:
            return message
    return None


def _digest(own: Decision, reason: Reason, rules: Rules, *, until: datetime) -> Decision:
    """Into the running digest of this reason, or a new one that is sent at `until`.

    A digest of the hourly limit or of late data takes more for an hour; any other until it is sent.
    """
    now = rules.now
    for message in rules.history.digests(own.receiver, reason):
        first = message.intents[0]
        hourly = reason in {Reason.HOURLY_LIMIT, Reason.LATE}
        if now < (message.first_decided_at + HOUR if hourly else first.not_before):
            due = max(now, first.not_before)
            return replace(own, verdict="digest", reason=reason, subject=message.subject, not_before=due)
    subject = f"digest:{reason}:{now:%Y%m%dT%H%M%S%fZ}"
    return replace(own, verdict="digest", reason=reason, subject=subject, not_before=until)


def _change(case: Case, told: AlertMessage, rules: Rules) -> Decision:
    """An update of the message that names the incident, or a message of its own once it is critical."""
    incident, now = case.incident, rules.now
    reason = case.event or what_changed(incident, case.previous)
    decision = Decision(rules.target.name, incident.id, "update", reason, told.subject, now)
    if reason is Reason.UNCHANGED:
        return replace(decision, verdict="nothing")
    own = f"incident:{incident.id}"
    held = told.subject != own or told.intents[0].not_before > now
    held = held and not told.subject.startswith(ESCALATION)
    if incident.severity == "critical" and incident.status != "resolved" and held:
        return replace(decision, verdict="message", subject=own, reason=Reason.SEVERITY_ROSE)
    if rules.target.updates == "important":
        silent = _why_silent(reason, incident, told, now)
        if silent is not None:
            return replace(decision, verdict="nothing", reason=silent)
    # What waits for its moment (a window's end, a snooze) is told then, in its state of then.
    return replace(decision, not_before=max(now, told.intents[0].not_before))


def what_changed(incident: Incident, previous: Incident | None) -> Reason:
    """The most important change since an incident was last looked at."""
    if previous is None:
        return Reason.GREW
    if incident.status != previous.status:
        return {
            "resolved": Reason.RESOLVED,
            "acknowledged": Reason.ACKNOWLEDGED,
            "open": Reason.REOPENED,
        }[incident.status]
    if severity_rank(incident.severity) > severity_rank(previous.severity):
        return Reason.SEVERITY_ROSE
    if incident.diagnosis_id != previous.diagnosis_id:
        return Reason.DIAGNOSIS_READY
    if incident.snoozed_until != previous.snoozed_until:
        return Reason.SNOOZE_SET
    grew = len(incident.anomaly_ids) > len(previous.anomaly_ids) or incident.impact != previous.impact
    return Reason.GREW if grew else Reason.UNCHANGED


def is_snoozed(incident: Incident, now: datetime) -> bool:
    """Whether a person asked for silence that is not over."""
    return incident.snoozed_until is not None and incident.snoozed_until > now


def _why_silent(reason: Reason, incident: Incident, told: AlertMessage, now: datetime) -> Reason | None:
    """Why people who would get a new message for this change get none."""
    if told.subject.startswith("digest:"):
        return None if reason is Reason.SEVERITY_ROSE else Reason.NOT_WORTH_A_MESSAGE
    again = reason is Reason.DIAGNOSIS_READY and any(one.reason == reason for one in told.intents)
    if again or reason not in IMPORTANT:
        return Reason.NOT_WORTH_A_MESSAGE
    heard = incident.severity == "critical" or reason is Reason.RESOLVED
    return Reason.SNOOZED if is_snoozed(incident, now) and not heard else None
