"""Evidence: facts computed from full data before any word is written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EvidenceKind = Literal[
    "onset",
    "shift",
    "silence",
    "lead_lag",
    "co_movement",
    "impact",
    "attribution",
    "log_template",
    "event",
    "news",
    "normal",
    "missing",
    "similar_incident",
    "query",
]


class Interval(BaseModel):
    model_config = ConfigDict(frozen=True)

    low: float | None = None
    high: float | None = None


class TimeWindow(BaseModel):
    model_config = ConfigDict(frozen=True)

    start: datetime
    end: datetime


class Evidence(BaseModel):
    """One stored fact that can be computed again from stored data.

    `statement` is our own sentence about it. Text that came from outside (a log template, a headline)
    stands in `quoted`, never in `statement`. `lead_seconds` is positive where the series moved before the
    target, and None where its interval includes zero. `parameters` is what a recomputation needs.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: EvidenceKind
    series: tuple[str, ...] = ()
    component: str | None = None
    statement: str
    quoted: str | None = None
    value: float | None = None
    unit: str = ""
    baseline: float | None = None
    effect_size: float | None = None
    p_value: float | None = Field(default=None, ge=0, le=1)
    q_value: float | None = Field(default=None, ge=0, le=1)
    interval: Interval | None = None
    window: TimeWindow
    lead_seconds: float | None = None
    direction: Literal["up", "down"] | None = None
    parameters: Mapping[str, Any] = Field(default_factory=dict)
