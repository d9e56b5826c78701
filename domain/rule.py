"""Rules: what to detect on which series, with which method."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.anomaly import AnomalyType, Direction
from domain.series import SeriesKey

Method = Literal[
    "zscore",
    "robust_zscore",
    "iqr",
    "range",
    "seasonal",
    "residual",
    "changepoint",
    "isolation_forest",
    "pca",
    "stale",
    "frozen",
    "threshold",
    "combined",
]


class SeverityThresholds(BaseModel):
    """Scores, on the method's own scale, from which an anomaly has a severity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float = Field(description="Score from which an anomaly is of low severity.")
    medium: float = Field(description="Score from which it is of medium severity.")
    high: float = Field(description="Score from which it is of high severity.")
    critical: float = Field(description="Score from which it is critical.")

    @model_validator(mode="after")
    def _ascending(self) -> "SeverityThresholds":
        if not self.low <= self.medium <= self.high <= self.critical:
            raise ValueError("must not fall from low to critical")
        return self


class Rule(BaseModel):
    """A detection rule.

    `metric` is a metric name or a shell pattern (`*_latency_ms`); `labels` must match too, each a value or
    a pattern. `threshold` and `severity_thresholds` are on the method's own score; None means what the
    method finds by itself within the false-alarm budget. `window_size` counts samples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Letters, digits, `_`, `.` and `-`; unique.",
    )
    metric: str = Field(
        min_length=1, max_length=200, description="Metric name; `*` and `?` match, as in `*_latency_ms`."
    )
    labels: Mapping[str, str] = Field(
        default_factory=dict, description="Labels that must match too, each a value or a pattern."
    )
    method: Method = Field(default="combined", description="How it is judged; see docs/rules.md.")
    threshold: float | None = Field(
        default=None, description="On the method's own score; found within the alarm budget where left out."
    )
    window_size: int = Field(default=288, ge=3, le=100_000, description="Samples that make the baseline.")
    direction: Direction = Field(default="both", description="Which departures count: up, down or both.")
    anomaly_type: AnomalyType = Field(default="level_shift", description="What an anomaly is called.")
    severity_thresholds: SeverityThresholds | None = Field(
        default=None, description="From which score on an anomaly has which severity."
    )
    enabled: bool = Field(default=True, description="A disabled rule finds nothing.")

    def matches(self, key: SeriesKey) -> bool:
        """Whether this rule looks at a series."""
        labels = dict(key.labels)
        return fnmatchcase(key.metric, self.metric) and all(
            fnmatchcase(labels.get(name, ""), pattern) for name, pattern in self.labels.items()
        )
