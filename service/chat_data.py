"""The stored desk as the chat reads it: stores first, the windows in memory where they reach."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np

from agent.chat.results import ModelDay
from api.stores import Stores
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly
from domain.cycle import Cycle, SourceHealth
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.event import Event
from domain.incident import Incident
from domain.rule import Rule
from domain.series import FloatArray, IntArray, Series, Window
from domain.timestamps import to_microseconds
from service.clock import Clock
from service.windows import Windows

MAX_ITEMS = 2_000
# An incident that began longer ago than this and has ended is not looked for as still going on.
LONGEST = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class StoredDesk:
    """Implements `agent.chat.data.DeskData`."""

    stores: Stores
    windows: Windows
    clock: Clock
    health: Callable[[], Sequence[SourceHealth]]
    budget: Callable[[], float | None]
    begin: Callable[[DiagnosisRequest], Diagnosis]

    def now(self) -> datetime:
        return self.clock()

    def series(self) -> Sequence[Series]:
        return self.stores.series.all()

    def samples(self, series: Series, start: datetime, end: datetime) -> tuple[IntArray, FloatArray]:
        if series.kind == "gauge":
            return self.stores.samples.read(series.id, start, end)
        found = self.stores.samples.window(series.step_s, start, end, [series])
        first = to_microseconds(found.start)
        times = first + np.arange(found.n_steps, dtype=np.int64) * found.step_s * 1_000_000
        return times, found.values[0]

    def window(self, step_s: int, start: datetime, end: datetime) -> Window:
        held = self.windows.view(step_s)
        if held is not None and held.start <= start:
            return held.between(start, end)
        return self.stores.samples.window(step_s, start, end)

    def incident(self, incident_id: str) -> Incident:
        return self.stores.incidents.get(incident_id)

    def incidents(self, start: datetime, end: datetime) -> Sequence[Incident]:
        found = {one.id: one for one in self.stores.incidents.open()}
        cursor: str | None = None
        while len(found) < MAX_ITEMS:
            page = self.stores.incidents.list(start=start - LONGEST, end=end, limit=500, cursor=cursor)
            found |= {one.id: one for one in page.items}
            cursor = page.next_cursor
            if cursor is None:
                break
        going_on = [
            one
            for one in found.values()
            if one.started_at < end and (one.ended_at is None or one.ended_at >= start)
        ]
        return sorted(going_on, key=lambda one: one.started_at, reverse=True)

    def anomaly(self, anomaly_id: str) -> Anomaly:
        return self.stores.anomalies.get(anomaly_id)

    def anomalies(self, start: datetime, end: datetime) -> Sequence[Anomaly]:
        return self._anomalies(AnomalyFilter(start=start, end=end))

    def anomalies_of(self, incident_id: str) -> Sequence[Anomaly]:
        return self._anomalies(AnomalyFilter(incident_id=incident_id))

    def _anomalies(self, wanted: AnomalyFilter) -> list[Anomaly]:
        found: list[Anomaly] = []
        for one in self.stores.anomalies.iterate(wanted):
            found.append(one)
            if len(found) >= MAX_ITEMS:
                break
        return found

    def diagnosis(self, diagnosis_id: str) -> Diagnosis:
        return self.stores.diagnoses.get(diagnosis_id)

    def diagnoses(self, start: datetime, end: datetime) -> Sequence[Diagnosis]:
        return self.stores.diagnoses.list(start=start, end=end, limit=500).items

    def verdict_on(self, diagnosis_id: str) -> str | None:
        said = self.stores.feedback.of("diagnosis", diagnosis_id)
        return said[-1].verdict if said else None

    def events(self, start: datetime, end: datetime) -> Sequence[Event]:
        found = [
            *self.stores.events.between(start, end, "news", MAX_ITEMS),
            *self.stores.events.between(start, end, "events", MAX_ITEMS),
        ]
        return sorted(found, key=lambda one: (one.timestamp, one.id))

    def rules(self) -> Sequence[Rule]:
        return self.stores.rules.all()

    def sources(self) -> Sequence[SourceHealth]:
        return self.health()

    def usage(self, start: datetime, end: datetime) -> Sequence[ModelDay]:
        return [ModelDay(**asdict(day)) for day in self.stores.usage.by_day(start, end)]

    def budget_left_usd(self) -> float | None:
        return self.budget()

    def last_cycle(self) -> Cycle | None:
        return self.stores.cycles.last("done")

    def diagnose(self, request: DiagnosisRequest) -> Diagnosis:
        return self.begin(request)
