"""What the tools of the chat return: plain facts, as JSON a model could read too."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.anomaly import Anomaly, Severity
from domain.cycle import Cycle, SourceHealth
from domain.diagnosis import Diagnosis
from domain.incident import Incident
from domain.money import Impact
from domain.rule import Rule


class Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class SeriesInfo(Result):
    series: str
    metric: str
    labels: dict[str, str]
    unit: str
    source: str


class SeriesList(Result):
    items: tuple[SeriesInfo, ...]
    total: int


class Statistics(Result):
    """Figures of one series in a stretch of time; None where it holds no sample."""

    series: str
    unit: str
    n: int
    first: float | None = None
    last: float | None = None
    last_at: datetime | None = None
    mean: float | None = None
    median: float | None = None
    std: float | None = None
    p95: float | None = None
    p99: float | None = None
    min: float | None = None
    min_at: datetime | None = None
    max: float | None = None
    max_at: datetime | None = None
    sum: float | None = None


class StatisticsList(Result):
    """`sum_of_sums` adds up the sums of all series, where they have one unit."""

    start: datetime
    end: datetime
    items: tuple[Statistics, ...]
    sum_of_sums: float | None = None


class Comparison(Result):
    """`value` beside `other`, the mean of `windows` other stretches with their extremes."""

    series: str
    unit: str
    value: float | None
    other: float | None
    change: float | None
    percent: float | None
    windows: int
    low: float | None = None
    high: float | None = None
    z: float | None = None


class ComparisonList(Result):
    """`whole` compares the sums over all series, where they are flows in one unit."""

    start: datetime
    end: datetime
    other_start: datetime
    other_end: datetime
    total: bool
    items: tuple[Comparison, ...]
    whole: Comparison | None = None


class MoneyPart(Result):
    name: str
    amount: float


class Money(Result):
    """A sum of flows in money, split by one label; what lacks the label stands under `other`."""

    metric: str
    start: datetime
    end: datetime
    amount: float
    unit: str
    by: str | None
    parts: tuple[MoneyPart, ...] = ()
    series: tuple[str, ...] = ()
    samples: int = 0


class Mover(Result):
    series: str
    component: str
    unit: str
    before: float
    during: float
    z: float
    money: bool = False


class MoverList(Result):
    start: datetime
    end: datetime
    baseline_start: datetime
    tested: int
    items: tuple[Mover, ...]


class CoMover(Result):
    series: str
    component: str
    correlation: float
    lag_seconds: float


class CoMoverList(Result):
    target: str
    start: datetime
    end: datetime
    items: tuple[CoMover, ...]


class IncidentBrief(Result):
    """An incident with the gist of its diagnosis."""

    id: str
    title: str
    status: str
    severity: Severity
    started_at: datetime
    ended_at: datetime | None
    anomalies: int
    impact: Impact | None
    diagnosis_id: str | None
    cause: str | None = None
    component: str | None = None
    confidence: float | None = None
    assignee: str | None = None


class IncidentList(Result):
    items: tuple[IncidentBrief, ...]
    total: int


class IncidentDetail(Result):
    """An incident with what it is made of; `minutes` is how long it lasted, or has lasted so far."""

    incident: Incident
    minutes: float
    anomalies: tuple[Anomaly, ...]
    diagnosis: Diagnosis | None


class AnomalyList(Result):
    items: tuple[Anomaly, ...]
    total: int


class LogPattern(Result):
    """A log template; `template` is text from outside."""

    component: str
    level: str
    template: str
    lines: float
    lines_before: float
    new: bool


class LogList(Result):
    start: datetime
    end: datetime
    items: tuple[LogPattern, ...]
    total_lines: float


class EventItem(Result):
    """An event; `text` is text from outside."""

    timestamp: datetime
    kind: str
    source: str
    component: str
    text: str


class EventList(Result):
    start: datetime
    end: datetime
    items: tuple[EventItem, ...]
    total: int


class SourceList(Result):
    items: tuple[SourceHealth, ...]


class RuleList(Result):
    items: tuple[Rule, ...]
    total: int


class ModelDay(Result):
    day: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class ModelUsage(Result):
    start: datetime
    end: datetime
    items: tuple[ModelDay, ...]
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    budget_left_usd: float | None


class SimilarIncident(Result):
    id: str
    title: str
    started_at: datetime
    diagnosis_id: str
    cause: str
    component: str | None
    minutes: float | None
    verdict: str | None = None


class SimilarList(Result):
    of: str
    cause: str | None
    items: tuple[SimilarIncident, ...]


class DeskStatus(Result):
    """The desk at a glance."""

    now: datetime
    open: tuple[IncidentBrief, ...]
    series: int
    sources_ok: int
    sources: int
    troubled_sources: tuple[str, ...]
    last_cycle: Cycle | None


class StartedDiagnosis(Result):
    diagnosis_id: str
    status: str


ToolError = Literal["not_found", "forbidden", "invalid", "unavailable"]
