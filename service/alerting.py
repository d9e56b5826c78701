"""Joins alert policy, the outbox and what is known of an incident."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import structlog

from alerts.decider import AlertPolicy, Decider
from alerts.notice import Notice
from alerts.outbox import AlertIntent as Decided
from alerts.outbox import Story
from alerts.policy import Reason
from alerts.receivers.configured import build_receivers, build_targets
from alerts.settings import AlertSettings
from alerts.summary import summarise
from alerts.worker import OutboxWorker
from db.anomalies import AnomalyFilter, AnomalyStore
from db.diagnoses import DiagnosisStore
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis
from domain.errors import NotFound
from domain.incident import Incident, lead_anomaly
from service.windows import Windows

log = structlog.get_logger()
SPARKLINE_POINTS = 48


@dataclass(frozen=True, slots=True)
class Storyteller:
    """All that can be told about one incident now."""

    incidents: IncidentStore
    anomalies: AnomalyStore
    diagnoses: DiagnosisStore
    windows: Windows

    def story(self, incident_id: str) -> Story | None:
        try:
            incident = self.incidents.get(incident_id)
        except NotFound:
            return None
        anomalies = self.members(incident)
        diagnosis = self.diagnoses.get(incident.diagnosis_id) if incident.diagnosis_id else None
        return Story(incident, anomalies, diagnosis, self._sparkline(anomalies))

    def members(self, incident: Incident) -> tuple[Anomaly, ...]:
        """The anomalies of an incident."""
        return tuple(self.anomalies.iterate(AnomalyFilter(incident_id=incident.id)))

    def _sparkline(self, anomalies: Sequence[Anomaly]) -> tuple[float, ...]:
        if not anomalies:
            return ()
        name = lead_anomaly(anomalies).affected_metrics[0]
        for step_s in self.windows.steps():
            window = self.windows.view(step_s)
            if window is not None and name in window.positions:
                recent = window.row(name)[-SPARKLINE_POINTS:]
                return tuple(float(value) for value in recent[np.isfinite(recent)])
        return ()


class Alerting:
    """Decides inside the transaction of what it is about; the worker delivers."""

    def __init__(
        self, settings: AlertSettings, store: OutboxStore, stories: Storyteller, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._store = store
        self._stories = stories
        receivers = build_receivers(settings)
        self.receivers = {one.name: one for one, _ in receivers}
        self._policy = AlertPolicy(settings, build_targets(receivers, settings), store)
        self.worker = OutboxWorker(store, [one for one, _ in receivers], stories, settings, clock)

    def decide(self, now: datetime) -> Callable[..., Sequence[AlertIntent]]:
        """The decisions of one cycle, as storage takes them."""
        decider = self._decider((one.id for one in self._stories.incidents.open()), now)
        return lambda incident, anomalies, previous: _stored(decider(incident, anomalies, previous))

    def diagnosed(self, diagnosis: Diagnosis, now: datetime) -> Sequence[AlertIntent]:
        """What to tell now that an incident has a diagnosis; stored with the diagnosis."""
        if diagnosis.incident_id is None or not self.receivers:
            return ()
        before = self._stories.incidents.get(diagnosis.incident_id)
        after = before.model_copy(update={"diagnosis_id": diagnosis.id, "impact": diagnosis.impact})
        return _stored(self._decider((after.id,), now).diagnosed(after, self._stories.members(before)))

    def check(self, name: str, now: datetime) -> None:
        """Send a test message to one receiver; raises NotifyError."""
        incident = Incident(
            id="I-0", title="Test message: this receiver works", severity="low", status="open", started_at=now
        )
        summary = summarise(Story(incident), self._settings.dashboard_url)
        key = f"test:{name}:{now.isoformat()}"
        self.receivers[name].notify(
            Notice(
                key=key,
                reason=Reason.FIRST_NOTIFICATION,
                summaries=(summary,),
                fresh=(incident.id,),
                digest=None,
                remote_ref=None,
                uncertain=False,
                now=now,
            )
        )

    def changed(self, before: Incident, after: Incident, now: datetime) -> None:
        """A person changed an incident: tell it."""
        intents = self._decider((before.id,), now)(after, self._stories.members(after), before)
        self._store.add(_stored(intents), after.id, now)
        self.worker.wake()

    def _decider(self, incident_ids: Iterable[str], now: datetime) -> Decider:
        return self._policy.decider(tuple(incident_ids), now)


def _stored(decided: Sequence[Decided]) -> list[AlertIntent]:
    return [
        AlertIntent(one.receiver, one.kind, one.dedupe_key, one.payload, one.not_before, one.subject)
        for one in decided
    ]
