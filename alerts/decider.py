"""Decides for all receivers at once, as storage asks inside its transaction."""

from collections.abc import Sequence
from datetime import datetime

from alerts.calendar import matches
from alerts.history import History
from alerts.outbox import AlertIntent
from alerts.policy import Case, Decision, Rules, Target, decide, to_intent
from alerts.settings import AlertSettings
from alerts.summary import group_of
from domain.anomaly import Anomaly
from domain.errors import InvalidInput
from domain.incident import Incident
from domain.series import SeriesKey


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
        labels = labels_of(anomalies)
        group = group_of(anomalies, incident)
        intents = []
        for target, patterns in self._targets:
            case = Case(incident, previous, group, labels, routed=matches(patterns, labels))
            decision = decide(case, Rules(target, self._history, self._settings, self._now))
            self.decisions.append(decision)
            intent = to_intent(decision, case, self._now)
            if intent is not None:
                self._history.add(intent)
                intents.append(intent)
        return intents


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
