"""Stores what a cycle found in one transaction, then tells the open pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.live import LiveFeed
from db.detections import CycleWriter
from db.records import SavedDetections
from domain.anomaly import Anomaly
from domain.series import Series
from domain.topology import Topology
from service.alerting import Alerting
from service.cases import CaseBuilder
from service.grouping import Grouping
from service.settings import Settings
from service.windows import Windows


@dataclass(frozen=True, slots=True)
class Saver:
    """Stores what a cycle found in one transaction, then tells the open pages."""

    writer: CycleWriter
    settings: Settings
    alerting: Alerting
    cases: CaseBuilder
    windows: Windows
    live: LiveFeed

    def __call__(self, anomalies: Sequence[Anomaly], now: datetime) -> SavedDetections:
        schedule = self.settings.scheduler
        grouping = Grouping(
            self._topology() if anomalies else Topology(),
            timedelta(seconds=schedule.incident_gap_seconds),
            timedelta(seconds=schedule.interval_seconds),
        )
        saved = self.writer.save_detections(anomalies, now, grouping, self.alerting.decide(now))
        created = set(saved.created)
        for anomaly in saved.anomalies:
            told = {"id": anomaly.id, "severity": anomaly.severity}
            self.live.publish("anomaly.created" if anomaly.id in created else "anomaly.updated", told)
        for incident in saved.incidents:
            self.live.publish("incident.updated", {"id": incident.id, "status": incident.status})
        self.alerting.worker.wake()
        return saved

    def _topology(self) -> Topology:
        series: list[Series] = []
        for step_s in self.windows.steps():
            window = self.windows.view(step_s)
            series += [] if window is None else window.series
        return self.cases.topology(series)
