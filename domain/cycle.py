"""What the service says about itself: cycles, detectors and sources with their states."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    feeds: tuple[str, ...] = Field(default=(), description="The kinds of data that come from it.")
    notes: tuple[str, ...] = Field(default=(), description="What the latest read left out, and why.")


class SourceState(BaseModel):
    """What a restart must know of a source: how far it was read, and when it may be tried again.

    `cursor` is JSON that only the source's own collector understands (file positions, known templates).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    watermark: datetime | None = None
    cursor: Mapping[str, Any] = Field(default_factory=dict)
    failures: int = 0
    open_until: datetime | None = None
    last_success_at: datetime | None = None
