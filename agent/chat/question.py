"""A question as it was understood: what is asked, of which series, when."""

from dataclasses import dataclass
from typing import Literal

from agent.chat.times import Span
from domain.anomaly import Severity

Intent = Literal[
    "value",
    "money",
    "compare",
    "what_happened",
    "why",
    "when",
    "how_bad",
    "worst",
    "list_incidents",
    "list_anomalies",
    "status",
    "explain",
    "actions",
    "movers",
    "logs",
    "events",
    "sources",
    "rules",
    "usage",
    "similar",
    "last_time",
    "against",
    "over",
    "significant",
    "diagnose",
    "inventory",
    "help",
    "command",
    "clock",
    "thanks",
    "unknown",
]
Statistic = Literal["last", "mean", "median", "max", "min", "sum", "count", "p95", "p99", "std"]


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked.

    Args:
        text: the words, as written.
        intent: what kind of answer is wanted.
        metrics: names of stored metrics.
        labels: label pairs; several values of one label mean any of them.
        spans: times in the order of the words.
        ids: `A-12`, `I-3`, `D-4`, `E1` in the order of the words.
        statistic: the wanted figure, where one was named.
        dimension: the label to split by.
        severity: the least severity that was asked for.
        status: `open` or `resolved`, where only such ones are asked for.
        lowest: the small end is asked for (least, lowest, best loss).
        absent: quantities that are known by name but not recorded here.
        strangers: words that stand where a name would and name nothing that is stored.
        unknown: all words without a meaning here, the strangers included.
        cited: incidents, anomalies and diagnoses that the answer to it named, as `I-3`.
        fresh: `cited` is from the very last answer, not from one before it.
        since: the incident from whose start on is meant (`since it began`).
        until: the incident up to whose start is meant (`before it`).
        follows: it leans on what was said before.
        counted: a number of things was asked for.
    """

    text: str
    intent: Intent = "unknown"
    metrics: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    spans: tuple[Span, ...] = ()
    ids: tuple[str, ...] = ()
    statistic: Statistic | None = None
    dimension: str | None = None
    severity: Severity | None = None
    status: Literal["open", "resolved"] | None = None
    lowest: bool = False
    absent: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    fresh: bool = False
    since: str | None = None
    until: str | None = None
    follows: bool = False
    counted: bool = False

    @property
    def span(self) -> Span | None:
        return self.spans[0] if self.spans else None

    @property
    def has_subject(self) -> bool:
        return bool(self.metrics or self.labels or self.ids)
