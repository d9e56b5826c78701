"""Stores what a cycle found in one transaction, then tells the open pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.live import LiveFeed
from db.anomalies import AnomalyFilter, AnomalyStore
from db.cycles import CycleStore
from db.detections import CycleWriter
from db.diagnoses import DiagnosisStore
from db.incidents import IncidentStore
from db.records import SavedDetections
from domain.anomaly import Anomaly
from domain.series import Series
from domain.topology import Topology
from service.alerting import Alerting
from service.cases import CaseBuilder
from service.grouping import Grouping
from service.reconciling import reconciled
from service.settings import Settings
from service.windows import Windows

FIRST_LOOK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Saver:
    """Stores what a cycle found in one transaction, then tells the open pages."""

    writer: CycleWriter
    settings: Settings
    alerting: Alerting
    cases: CaseBuilder
    windows: Windows
    live: LiveFeed
    anomalies: AnomalyStore
    cycles: CycleStore
    incidents: IncidentStore
    diagnoses: DiagnosisStore

    def __call__(self, anomalies: Sequence[Anomaly], now: datetime) -> SavedDetections:
        schedule = self.settings.scheduler
        anomalies = self._reconciled(anomalies, now)
        grouping = Grouping(
            self._topology() if anomalies else Topology(),
            timedelta(seconds=schedule.incident_gap_seconds),
            timedelta(seconds=schedule.interval_seconds),
            self._causes() if anomalies else {},
        )
        saved = self.writer.save_detections(
            anomalies, now, grouping, self.alerting.decide(now), reopen_within=grouping.max_gap
        )
        created = set(saved.created)
        for anomaly in saved.anomalies:
            told = {"id": anomaly.id, "severity": anomaly.severity}
            self.live.publish("anomaly.created" if anomaly.id in created else "anomaly.updated", told)
        for incident in saved.incidents:
            self.live.publish("incident.updated", {"id": incident.id, "status": incident.status})
        self.alerting.worker.wake()
        return saved

    def _causes(self) -> Mapping[str, str]:
        """Where the cause of each open incident was found."""
        found: dict[str, str] = {}
        for incident in self.incidents.open():
            if incident.diagnosis_id is None:
                continue
            diagnosis = self.diagnoses.get(incident.diagnosis_id)
            primary = diagnosis.primary_hypothesis
            if diagnosis.outcome == "cause_found" and primary is not None and primary.component:
                found[incident.id] = primary.component
        return found

    def _reconciled(self, found: Sequence[Anomaly], now: datetime) -> Sequence[Anomaly]:
        if not found:
            return found
        schedule = self.settings.scheduler
        oldest = min(one.timestamp for one in found) - timedelta(hours=schedule.lookback_hours)
        known = [*self.anomalies.iterate(AnomalyFilter(start=oldest)), *self.anomalies.open()]
        return reconciled(
            found,
            known,
            judged_until=self._judged_until(now) if self.windows.judging_again else None,
            tolerance=timedelta(seconds=2 * schedule.interval_seconds),
        )

    def _judged_until(self, now: datetime) -> datetime:
        """The last cycle that was done, or the first sample that none of them saw.

        At the very first start, what is older than an hour only teaches.
        """
        done = self.cycles.last("done")
        if done is None:
            return now - FIRST_LOOK
        unjudged = self.windows.unjudged_from
        return done.scheduled_for if unjudged is None else min(done.scheduled_for, unjudged)

    def _topology(self) -> Topology:
        series: list[Series] = []
        for step_s in self.windows.steps():
            window = self.windows.view(step_s)
            series += [] if window is None else window.series
        return self.cases.topology(series)
