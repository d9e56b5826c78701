"""Log templates that burst, appeared or vanished: a G-test per template against what was to be expected.

More lines than the reference rate are judged by that rate. Fewer lines are judged by the rate times the
component's own change in volume: a component that is called less logs less of everything, which says nothing,
while one line that vanishes among others that go on marks a path that the code no longer takes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agent.evidence.case import LogCounts, LogSummary
from agent.evidence.tails import false_discovery_rate
from domain.series import FloatArray
from domain.timestamps import to_microseconds

_ERROR_LEVELS = frozenset({"ERROR", "ERR", "CRITICAL", "FATAL", "SEVERE", "EMERG", "ALERT"})
_ERROR_WORDS = ("exception", "panic", "traceback", "fatal", "fail", "refused", "timed out")
MINUTE = 60_000_000
FEW_LINES = 5.0
SHORTEST_NAME = 4
SHORTEST_PART = 3


@dataclass(frozen=True, slots=True)
class TemplateShift:
    """One template: counts, what was to be expected, and how surprising the difference is.

    `component` is the one that it speaks of, `logger` the one that wrote it. `g` is the G statistic, signed:
    positive where there are more lines than expected.
    """

    component: str
    level: str
    template: str
    observed: float
    expected: float
    minutes: float
    g: float
    p_value: float
    q_value: float
    is_new: bool
    is_error: bool
    logger: str = ""
    quoted: str = ""


def template_shifts(
    logs: Sequence[LogCounts | LogSummary], reference_start: datetime, onset: datetime, end: datetime
) -> list[TemplateShift]:
    """Compare every template's lines in [onset, end) with what [reference_start, onset) leads to expect."""
    rows = [_summary(one, reference_start, onset, end) for one in logs]
    if not rows:
        return []
    bursts = [_burstiness(one, reference_start, onset, end) for one in logs]
    volume = _volume_ratios(rows)
    pairs = [_expected(row, ratio) for row, ratio in zip(rows, volume, strict=True)]
    g = np.array([_signed_g(row, more, fewer) for row, (more, fewer) in zip(rows, pairs, strict=True)])
    g /= np.array(bursts)
    p = _p_values(g)
    q = _corrected(p, [isinstance(one, LogCounts) and one.told for one in logs])
    return [
        TemplateShift(
            component=row.component,
            level=row.level,
            template=row.template,
            observed=row.count_window,
            expected=pairs[i][0 if g[i] > 0 else 1],
            minutes=row.minutes_window,
            g=float(g[i]),
            p_value=float(p[i]),
            q_value=float(q[i]),
            is_new=row.count_reference == 0 and row.count_window > 0,
            is_error=is_error(row.level, row.template),
            logger=row.component,
            quoted=one.quoted if isinstance(one, LogCounts) else "",
        )
        for i, (row, one) in enumerate(zip(rows, logs, strict=True))
    ]


def _corrected(p: FloatArray, told: Sequence[bool]) -> FloatArray:
    """Corrected for the number of templates that were searched; one that was told of was not found so."""
    asked = np.array(told, dtype=np.bool_)
    q = p.copy()
    q[~asked] = false_discovery_rate(p[~asked])
    return q


def _summary(
    one: LogCounts | LogSummary, reference_start: datetime, onset: datetime, end: datetime
) -> LogSummary:
    if isinstance(one, LogSummary):
        return one
    first, middle, last = (to_microseconds(instant) for instant in (reference_start, onset, end))
    inside = (one.timestamps >= middle) & (one.timestamps < last)
    before = (one.timestamps >= first) & (one.timestamps < middle)
    return LogSummary(
        component=one.component,
        level=one.level,
        template=one.template,
        count_window=float(one.counts[inside].sum()),
        minutes_window=(last - middle) / MINUTE,
        count_reference=float(one.counts[before].sum()),
        minutes_reference=(middle - first) / MINUTE,
    )


def _burstiness(
    one: LogCounts | LogSummary, reference_start: datetime, onset: datetime, end: datetime
) -> float:
    """Variance over mean of the reference's counts in stretches as long as the window, at least 1.

    Lines that come in bursts are no Poisson process; dividing G by this keeps its p-value honest.
    """
    if isinstance(one, LogSummary):
        return 1.0
    first, middle, last = (to_microseconds(instant) for instant in (reference_start, onset, end))
    stretches = int((middle - first) // max(last - middle, 1))
    if stretches < 4:
        return 1.0
    age = (middle - 1 - one.timestamps) // (last - middle)
    kept = (age >= 0) & (age < stretches)
    counts = np.bincount(age[kept], weights=one.counts[kept], minlength=stretches)
    return max(1.0, float(counts.var() / counts.mean())) if counts.any() else 1.0


def _rate_expectation(row: LogSummary) -> float:
    """Lines at the reference rate; half a line is added because nobody has watched for ever."""
    return (row.count_reference + 0.5) / max(row.minutes_reference, 1.0) * row.minutes_window


def _volume_ratios(rows: Sequence[LogSummary]) -> list[float]:
    """For each template, all other lines of its component over those that were to be expected.

    Where a component has hardly any other lines, its own are all that tells how often it was called.
    """
    seen: dict[str, float] = {}
    due: dict[str, float] = {}
    for row in rows:
        seen[row.component] = seen.get(row.component, 0.0) + row.count_window
        due[row.component] = due.get(row.component, 0.0) + _rate_expectation(row)
    out = []
    for row in rows:
        others = due[row.component] - _rate_expectation(row)
        told = row.count_window if others < FEW_LINES else 0.0
        base = due[row.component] if others < FEW_LINES else others
        out.append((seen[row.component] - row.count_window + told + 1) / (base + 1))
    return out


def _expected(row: LogSummary, volume: float) -> tuple[float, float]:
    """Expected lines when asking for more, and when asking for fewer."""
    rate = _rate_expectation(row)
    return rate, rate * min(1.0, volume)


def _signed_g(row: LogSummary, more: float, fewer: float) -> float:
    if row.count_window > more:
        return _g(row.count_window, more)
    if row.count_window < fewer and not is_error(row.level, row.template):
        return -_g(row.count_window, fewer)
    return 0.0


def _g(observed: float, expected: float) -> float:
    ratio = observed * float(np.log(observed / expected)) if observed > 0 else 0.0
    return max(2 * (ratio - (observed - expected)), 0.0)


def _p_values(g: FloatArray) -> FloatArray:
    from scipy.special import ndtr  # noqa: PLC0415 - slow to import, and `--help` must not pay for it

    p: FloatArray = np.minimum(2 * np.asarray(ndtr(-np.sqrt(np.abs(g)))), 1.0)
    return p


def is_error(level: str, template: str) -> bool:
    """Whether a line tells of a failure, by its level or its words."""
    lowered = template.lower()
    return level.upper() in _ERROR_LEVELS or any(word in lowered for word in _ERROR_WORDS)


def strongest_by_component(shifts: Sequence[TemplateShift]) -> Mapping[str, TemplateShift]:
    """Per component, its most surprising template."""
    out: dict[str, TemplateShift] = {}
    for one in shifts:
        if one.component not in out or abs(one.g) > abs(out[one.component].g):
            out[one.component] = one
    return out


def about(
    shifts: Sequence[TemplateShift], components: Sequence[str], odd: Mapping[str, float]
) -> list[TemplateShift]:
    """Give each line to the component that it speaks of, where that is another than its logger.

    A risk service that writes `order of momentum above size limit` tells of strategy momentum. A line that
    names what several components share, such as a venue, speaks of the oddest of them, if one is odd.

    Args:
        shifts: templates under their loggers.
        components: all that there are.
        odd: how odd those are that are.
    """
    names: dict[str, set[str]] = {}
    for component in dict.fromkeys(components):
        short = component.rpartition(":")[2].lower()
        if len(short) >= SHORTEST_NAME:
            names.setdefault(short, set()).add(component)
    known = {name: next(iter(owners)) for name, owners in names.items() if len(owners) == 1}
    shared = {component: _parts(component) for component in odd}
    return [_readdressed(one, known, shared, odd) for one in shifts]


def _parts(component: str) -> frozenset[str]:
    """The names in a component's name: `bybit` and `btc` of `market:bybit:BTC`."""
    return frozenset(part for part in component.lower().split(":")[1:] if len(part) >= SHORTEST_PART)


def _readdressed(
    one: TemplateShift,
    known: Mapping[str, str],
    shared: Mapping[str, frozenset[str]],
    odd: Mapping[str, float],
) -> TemplateShift:
    words = {word.strip(".") for word in re.findall(r"[a-z0-9_.-]+", one.template.lower())}
    named = {known[word] for word in words if word in known} - {one.component}
    if len(named) == 1:
        return replace(one, component=named.pop())
    own = _parts(one.component)
    fitting = {
        component: len(parts & words)
        for component, parts in shared.items()
        if component != one.component and (parts & words) - own
    }
    if named or not fitting:
        return one
    best = max(fitting, key=lambda component: (fitting[component], odd[component], component))
    return replace(one, component=best)
