"""Anomalies: a series, or a set of them, left its normal behaviour."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
Direction = Literal["up", "down", "both"]

AnomalyType = Literal[
    "performance_drop",
    "sudden_loss",
    "volume_spike",
    "volatility_spike",
    "price_spike",
    "spread_widening",
    "correlation_breakdown",
    "execution_delay",
    "error_rate_spike",
    "resource_exhaustion",
    "stale_feed",
    "silent_strategy",
    "market_manipulation",
    "log_novelty",
    "news_anomaly",
    "funding_shock",
    "liquidity_drain",
    "drawdown",
    "multivariate",
    "level_shift",
]


class Expected(BaseModel):
    """The band in which the value would have been normal; None where there is no bound."""

    model_config = ConfigDict(frozen=True)

    low: float | None = None
    high: float | None = None


class Anomaly(BaseModel):
    """One detection with a duration: open until its series is normal again.

    `timestamp` is its onset (start of the first anomalous cell). A detector that looks at the same data
    again yields the same `key`, so that storing it twice changes nothing. `value`, `score`, `z_score`
    and `p_value` describe its most extreme point so far.
    """

    model_config = ConfigDict(frozen=True)

    id: str = ""
    timestamp: datetime
    detected_at: datetime
    anomaly_type: AnomalyType
    severity: Severity
    confidence: float = Field(ge=0, le=1)
    z_score: float | None = None
    p_value: float | None = Field(default=None, ge=0, le=1)
    threshold_exceeded: float | None = None
    rule: str
    method: str
    score: float
    direction: Direction
    value: float | None = None
    expected: Expected = Expected()
    affected_metrics: tuple[str, ...]
    data_sources: tuple[str, ...] = ()
    status: Literal["open", "resolved"] = "open"
    ended_at: datetime | None = None
    incident_id: str | None = None
    raw_data: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identity across re-scoring: rule, leading series and onset."""
        return f"{self.rule}|{self.affected_metrics[0]}|{self.timestamp.isoformat()}"


def severity_rank(severity: Severity) -> int:
    """0 for low to 3 for critical."""
    return SEVERITIES.index(severity)
