"""What the service says about itself: cycles, detectors and sources with their states."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

SourceStatus = Literal["ok", "stale", "failed", "warming_up"]
CycleStatus = Literal["running", "done", "failed", "missed", "interrupted"]


class DetectorState(BaseModel):
    """How one detector (or rule) fared in a cycle; a failure is a state, never an empty result."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: Literal["ok", "insufficient_data", "failed"]
    error: str | None = None


class StepTime(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    ms: float


class Cycle(BaseModel):
    """One slot of the schedule; a missed one is a row too, with the cycle that made up for it."""

    model_config = ConfigDict(frozen=True)

    id: int = 0
    scheduled_for: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    status: CycleStatus = "running"
    series: int = 0
    anomalies: int = 0
    detectors: tuple[DetectorState, ...] = ()
    steps: tuple[StepTime, ...] = ()
    error: str | None = None
    covered_by: int | None = None


class SourceHealth(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    status: SourceStatus
    last_success_at: datetime | None = None
    lag_seconds: float | None = None
    last_error: str | None = None
    next_try_at: datetime | None = None
    samples: int = 0
    events: int = 0
