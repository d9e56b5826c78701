"""Which of the desk's series an alert of another product is about."""

import re
from collections.abc import Collection, Mapping, Sequence

from api.hooks.alerts import ForeignAlert
from domain.series import Series

MAX_METRICS = 100
_METRIC_LABELS = ("metric", "__name__", "series", "metric_name")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNITS = frozenset({"ms", "s", "seconds", "bps", "usd", "percent", "ratio", "bytes", "total", "count"})


def affected_metrics(
    alerts: Sequence[ForeignAlert], known: Sequence[Series], outcome: str
) -> tuple[str, ...]:
    """The names of the series that alerts are about, those of the first alert first; at most a hundred.

    An alert names a metric by a label (`metric`, `__name__`) or in its own name (`OrderAckLatencyHigh`); of
    that metric the series count that share all labels they have in common. An alert that names none is about
    the desk's outcome metric, where possible of the strategy, venue or symbol that it names.
    """
    by_metric: dict[str, list[Series]] = {}
    for one in known:
        by_metric.setdefault(one.key.metric, []).append(one)
    # The longest name is the most precise one.
    stems = sorted(((_stem(metric), metric) for metric in by_metric), key=lambda it: (-len(it[0]), it[1]))
    found: dict[str, None] = {}
    for alert in alerts:
        rows = by_metric.get(_named(alert, by_metric.keys(), stems) or outcome, [])
        sharing = [one for one in rows if _shares(one, alert.labels)]
        found |= dict.fromkeys(one.name for one in (sharing or rows))
    return tuple(found)[:MAX_METRICS]


def _named(
    alert: ForeignAlert, metrics: Collection[str], stems: Sequence[tuple[Sequence[str], str]]
) -> str | None:
    for label in _METRIC_LABELS:
        if alert.labels.get(label) in metrics:
            return alert.labels[label]
    if alert.name in metrics:
        return alert.name
    said = _words(alert.name)
    return next((metric for stem, metric in stems if _within(stem, said)), None)


def _stem(metric: str) -> list[str]:
    """The words of a metric without its unit; a single short word says too little to be looked for."""
    parts = _words(metric)
    while len(parts) > 1 and parts[-1] in _UNITS:
        parts = parts[:-1]
    return parts


def _within(stem: Sequence[str], said: Sequence[str]) -> bool:
    if not stem or (len(stem) == 1 and len(stem[0]) < 3):
        return False
    return any(list(said[i : i + len(stem)]) == list(stem) for i in range(len(said) - len(stem) + 1))


def _words(name: str) -> list[str]:
    return [part for part in re.split(r"[^a-z0-9]+", _CAMEL.sub("_", name).lower()) if part]


def _shares(series: Series, labels: Mapping[str, str]) -> bool:
    """Whether a series has a label in common with an alert, and none that differs."""
    common = [(value, labels[name]) for name, value in series.key.labels if name in labels]
    return bool(common) and all(own == other for own, other in common)
