"""Decides for all receivers at once, as storage asks inside its transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from alerts.calendar import matches
from alerts.escalation import due_escalations
from alerts.history import History
from alerts.outbox import AlertIntent, StoredAlert
from alerts.policy import Case, Decision, Reason, Rules, Target, decide, to_intent
from alerts.settings import AlertSettings
from alerts.summary import group_of
from domain.anomaly import Anomaly
from domain.errors import InvalidInput
from domain.incident import Incident
from domain.series import SeriesKey

log = structlog.get_logger()

HORIZON = timedelta(hours=26)


class Decider:
    """The callback `decide(incident, anomalies, previous)` of one cycle or one change.

    Args:
        settings: the policy.
        targets: the configured receivers with the patterns of what they want.
        history: what was told so far; decisions are added to it.
        now: the time of the service.

    Attributes:
        decisions: every decision made, those not to send included, for the log and the metrics.
    """

    def __init__(
        self,
        settings: AlertSettings,
        targets: Sequence[tuple[Target, dict[str, str]]],
        history: History,
        now: datetime,
    ) -> None:
        self._settings = settings
        self._targets = tuple(targets)
        self._history = history
        self._now = now
        self.decisions: list[Decision] = []

    def __call__(
        self, incident: Incident, anomalies: Sequence[Anomaly], previous: Incident | None
    ) -> Sequence[AlertIntent]:
        """The rows to store with the incident, at most one for each receiver."""
        return self._decide(incident, anomalies, previous, None)

    def diagnosed(self, incident: Incident, anomalies: Sequence[Anomaly]) -> Sequence[AlertIntent]:
        """The rows to store with a diagnosis of the incident that has just finished."""
        return self._decide(incident, anomalies, incident, Reason.DIAGNOSIS_READY)

    def judged(self, incident: Incident, anomalies: Sequence[Anomaly]) -> Sequence[AlertIntent]:
        """The rows to store after a person judged the diagnosis."""
        return self._decide(incident, anomalies, incident, Reason.JUDGED)

    def _decide(
        self,
        incident: Incident,
        anomalies: Sequence[Anomaly],
        previous: Incident | None,
        event: Reason | None,
    ) -> Sequence[AlertIntent]:
        labels = labels_of(anomalies)
        group = group_of(anomalies, incident)
        intents = []
        for target, patterns in self._targets:
            routed = matches(patterns, labels)
            case = Case(incident, previous, group, labels, routed=routed, event=event)
            decision = decide(case, Rules(target, self._history, self._settings, self._now))
            self.decisions.append(decision)
            _record(decision)
            for one in (decision, *self._escalated(decision, target)):
                intent = to_intent(one, case, self._now)
                if intent is not None:
                    self._history.add(intent)
                    intents.append(intent)
        return intents

    def _escalated(self, decision: Decision, target: Target) -> Sequence[Decision]:
        """Messages by which it was escalated change along with the one that tells of it."""
        if decision.verdict != "update" or target.updates != "in_place":
            return ()
        told = self._history.escalations(target.name, decision.incident_id)
        return [replace(decision, subject=one.subject) for one in told if one.subject != decision.subject]


class RecentAlerts(Protocol):
    def recent(self, since: datetime, incident_ids: Sequence[str]) -> Sequence[StoredAlert]:
        """Rows stored since an instant, and all about these incidents, oldest first."""
        ...


class AlertPolicy:
    """Makes a decider for each cycle and each change, from what the outbox holds."""

    def __init__(
        self,
        settings: AlertSettings,
        targets: Sequence[tuple[Target, dict[str, str]]],
        outbox: RecentAlerts,
    ) -> None:
        self._settings = settings
        self._targets = tuple(targets)
        self._outbox = outbox

    def decider(self, incident_ids: Sequence[str], now: datetime) -> Decider:
        """A decider that knows what was told of late, and all about these incidents.

        Args:
            incident_ids: the open incidents, or the one that changes.
            now: the time of the service.
        """
        horizon = max(HORIZON, timedelta(minutes=self._settings.cooldown_minutes))
        history = History.of(self._outbox.recent(now - horizon, incident_ids))
        return Decider(self._settings, self._targets, history, now)

    def escalations(self, incidents: Sequence[Incident], now: datetime) -> Sequence[AlertIntent]:
        """What is to be told now because nobody took these incidents."""
        if not self._settings.escalate_to or not incidents:
            return ()
        history = History.of(self._outbox.recent(now, [one.id for one in incidents]))
        found = due_escalations(incidents, history, self._settings, now)
        for one in found:
            log.info("alert_decided", receiver=one.receiver, incident=one.incident_id, reason=one.reason)
        return found


def _record(decision: Decision) -> None:
    if decision.reason is not Reason.UNCHANGED:
        level = log.debug if decision.verdict == "nothing" else log.info
        level(
            "alert_decided",
            receiver=decision.receiver,
            incident=decision.incident_id,
            verdict=decision.verdict,
            reason=decision.reason.value,
        )


def labels_of(anomalies: Sequence[Anomaly]) -> tuple[tuple[str, str], ...]:
    """The labels of all series of an incident, with `metric`, `rule` and `anomaly_type` among them."""
    found: set[tuple[str, str]] = set()
    for anomaly in anomalies:
        found |= {("rule", anomaly.rule), ("anomaly_type", anomaly.anomaly_type)}
        for name in anomaly.affected_metrics:
            try:
                key = SeriesKey.parse(name)
            except InvalidInput:
                found.add(("metric", name))
                continue
            found |= {("metric", key.metric), *key.labels}
    return tuple(sorted(found))
