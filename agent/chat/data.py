"""What the chat's tools read; the service joins it to its stores and windows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.chat.results import ModelDay
from domain.anomaly import Anomaly
from domain.cycle import Cycle, SourceHealth
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.event import Event
from domain.incident import Incident
from domain.rule import Rule
from domain.series import FloatArray, IntArray, Series, Window


class DeskData(Protocol):
    """The stored desk. Everything is read-only but for `diagnose`."""

    def now(self) -> datetime: ...

    def series(self) -> Sequence[Series]: ...

    def samples(self, series: Series, start: datetime, end: datetime) -> tuple[IntArray, FloatArray]:
        """Times (microseconds since 1970) and values in [start, end); increases per cell of counters."""

    def window(self, step_s: int, start: datetime, end: datetime) -> Window:
        """All series of one step width in [start, end)."""

    def incident(self, incident_id: str) -> Incident: ...

    def incidents(self, start: datetime, end: datetime) -> Sequence[Incident]:
        """Those that were going on at some time in [start, end), newest first."""

    def anomaly(self, anomaly_id: str) -> Anomaly: ...

    def anomalies(self, start: datetime, end: datetime) -> Sequence[Anomaly]:
        """Those that began in [start, end), newest first."""

    def anomalies_of(self, incident_id: str) -> Sequence[Anomaly]: ...

    def diagnosis(self, diagnosis_id: str) -> Diagnosis: ...

    def diagnoses(self, start: datetime, end: datetime) -> Sequence[Diagnosis]:
        """Those made in [start, end), newest first."""

    def verdict_on(self, diagnosis_id: str) -> str | None:
        """What people said about a diagnosis last."""

    def events(self, start: datetime, end: datetime) -> Sequence[Event]: ...

    def rules(self) -> Sequence[Rule]: ...

    def sources(self) -> Sequence[SourceHealth]: ...

    def usage(self, start: datetime, end: datetime) -> Sequence[ModelDay]: ...

    def budget_left_usd(self) -> float | None: ...

    def last_cycle(self) -> Cycle | None: ...

    def diagnose(self, request: DiagnosisRequest) -> Diagnosis: ...
