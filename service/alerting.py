"""Joins alert policy, the outbox and what is known of an incident."""

import time
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
from alerts.receivers.configured import build_escalations, build_receivers, build_targets
from alerts.settings import AlertSettings
from alerts.summary import summarise
from alerts.worker import OutboxWorker
from api.alert_port import DeliveryState
from api.service_port import CheckResult
from db.anomalies import AnomalyFilter, AnomalyStore
from db.diagnoses import DiagnosisStore
from db.feedback import FeedbackStore
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis
from domain.errors import NotFound, NotifyError
from domain.feedback import Feedback
from domain.incident import Incident, lead_anomaly
from service.delivery import delivery_state
from service.windows import Windows

log = structlog.get_logger()
SPARKLINE_POINTS = 48


@dataclass(frozen=True, slots=True)
class Storyteller:
    """All that can be told about one incident now."""

    incidents: IncidentStore
    anomalies: AnomalyStore
    diagnoses: DiagnosisStore
    feedback: FeedbackStore
    windows: Windows

    def story(self, incident_id: str) -> Story | None:
        try:
            incident = self.incidents.get(incident_id)
        except NotFound:
            return None
        anomalies = self.members(incident)
        diagnosis = self.diagnoses.get(incident.diagnosis_id) if incident.diagnosis_id else None
        said = self.feedback.of("diagnosis", diagnosis.id) if diagnosis else []
        lead = lead_anomaly(anomalies).affected_metrics[0] if anomalies else ""
        return Story(incident, anomalies, diagnosis, self._recent(lead), lead, tuple(said))

    def members(self, incident: Incident) -> tuple[Anomaly, ...]:
        """The anomalies of an incident."""
        return tuple(self.anomalies.iterate(AnomalyFilter(incident_id=incident.id)))

    def _recent(self, name: str) -> tuple[float, ...]:
        """The last values of a series, of those that are held in memory."""
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
        self.escalated: Callable[[str], None] = lambda _incident_id: None
        self._settings = settings
        self._clock = clock
        self._store = store
        self.stories = stories
        receivers = build_receivers(settings)
        further = build_escalations(receivers, settings)
        everybody = [*(one for one, _ in receivers), *further]
        self.receivers = {one.name: one for one in everybody}
        self._policy = AlertPolicy(settings, build_targets(receivers, settings, further), store)
        self.worker = OutboxWorker(store, everybody, stories, settings, clock)
        self.worker.before_turn = self._escalate if settings.escalate_to else None

    def decide(self, now: datetime) -> Callable[..., Sequence[AlertIntent]]:
        """The decisions of one cycle, as storage takes them."""
        decider = self._decider((one.id for one in self.stories.incidents.open()), now)
        return lambda incident, anomalies, previous: _stored(decider(incident, anomalies, previous))

    def diagnosed(self, diagnosis: Diagnosis, now: datetime) -> Sequence[AlertIntent]:
        """What to tell now that an incident has a diagnosis; stored with the diagnosis."""
        if diagnosis.incident_id is None or not self.receivers:
            return ()
        before = self.stories.incidents.get(diagnosis.incident_id)
        after = before.model_copy(update={"diagnosis_id": diagnosis.id, "impact": diagnosis.impact})
        return _stored(self._decider((after.id,), now).diagnosed(after, self.stories.members(before)))

    def check(self, name: str, now: datetime) -> CheckResult:
        """Send a test message through a receiver; raises NotFound."""
        if name not in self.receivers:
            raise NotFound("alert receiver", name)
        started = time.perf_counter()
        try:
            self._test(name, now)
            ok, answer = True, "a test message was taken"
        except NotifyError as error:
            ok, answer = False, error.reason
        return CheckResult(ok=ok, answer=answer, ms=round((time.perf_counter() - started) * 1000, 1))

    def _test(self, name: str, now: datetime) -> None:
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
        intents = self._decider((before.id,), now)(after, self.stories.members(after), before)
        self._store.add(_stored(intents), after.id, now)
        self.worker.wake()

    def judged(self, feedback: Feedback) -> None:
        """A person judged a diagnosis: tell it."""
        if feedback.kind != "diagnosis" or not self.receivers:
            return
        incident_id = self.stories.diagnoses.get(feedback.target_id).incident_id
        if incident_id is None:
            return
        incident, now = self.stories.incidents.get(incident_id), self._clock()
        intents = self._decider((incident_id,), now).judged(incident, self.stories.members(incident))
        self._store.add(_stored(intents), incident_id, now)
        self.worker.wake()

    def _escalate(self) -> None:
        """Store what is due because nobody took an incident; another replica may store the same, once."""
        now = self._clock()
        for one in self._policy.escalations(self.stories.incidents.open(), now):
            if self._store.add(_stored([one]), one.incident_id, now):
                self.escalated(one.incident_id)

    def delivery(self) -> DeliveryState:
        """How delivery fares."""
        return delivery_state(self._store, self.worker, self._clock())

    def try_again(self, name: str) -> int:
        """Have a receiver's parked messages tried again; raises NotFound."""
        if name not in self.receivers:
            raise NotFound("alert receiver", name)
        count = self._store.unpark(name, self._clock())
        self.worker.wake()
        return count

    def _decider(self, incident_ids: Iterable[str], now: datetime) -> Decider:
        return self._policy.decider(tuple(incident_ids), now)


def _stored(decided: Sequence[Decided]) -> list[AlertIntent]:
    return [
        AlertIntent(one.receiver, one.kind, one.dedupe_key, one.payload, one.not_before, one.subject)
        for one in decided
    ]
