"""Figures over samples: summaries, comparisons with the usual, what moved, what moved together."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from agent.chat.results import CoMover, Comparison, Mover, Statistics
from agent.vocabulary import component_of, is_outcome, unit_of
from domain.series import FloatArray, IntArray, Series, Window
from domain.timestamps import from_microseconds

MIN_CELLS = 3
MAX_LAG = 6
# A spread cannot be told from fewer windows of earlier days.
MIN_DAYS = 3


def statistics_of(series: Series, times: IntArray, values: FloatArray) -> Statistics:
    """Summary of one series.

    Args:
        series: whose samples they are.
        times: shape (n,), microseconds since 1970, ascending.
        values: shape (n,); NaN is left out.

    Returns:
        All figures None where there is no finite value.
    """
    present = np.isfinite(values)
    times, values = times[present], values[present]
    unit = unit_of(series)
    if not len(values):
        return Statistics(series=series.name, unit=unit, n=0)
    low, high = int(values.argmin()), int(values.argmax())
    return Statistics(
        series=series.name,
        unit=unit,
        n=len(values),
        first=float(values[0]),
        last=float(values[-1]),
        last_at=from_microseconds(int(times[-1])),
        mean=float(values.mean()),
        median=float(np.median(values)),
        std=float(values.std()),
        p95=float(np.quantile(values, 0.95)),
        p99=float(np.quantile(values, 0.99)),
        min=float(values[low]),
        min_at=from_microseconds(int(times[low])),
        max=float(values[high]),
        max_at=from_microseconds(int(times[high])),
        sum=float(values.sum()),
    )


def comparison_of(
    series: Series, now: FloatArray, others: Sequence[FloatArray], *, total: bool
) -> Comparison:
    """One stretch of a series beside one or several other stretches.

    Args:
        series: whose values they are.
        now: shape (n,); NaN is a gap.
        others: each of shape (m,), such as the same hours of earlier days.
        total: compare sums (flows), else means.
    """
    value = _figure(now, total=total)
    usual = [figure for one in others if (figure := _figure(one, total=total)) is not None]
    other = float(np.mean(usual)) if usual else None
    spread = float(np.std(usual, ddof=1)) if len(usual) >= MIN_DAYS else None
    known = value is not None and other is not None
    return Comparison(
        series=series.name,
        unit=unit_of(series),
        value=value,
        other=other,
        change=value - other if value is not None and other is not None else None,
        percent=_percent(value, other) if known else None,
        windows=len(usual),
        low=min(usual) if len(usual) > 1 else None,
        high=max(usual) if len(usual) > 1 else None,
        z=(value - other) / spread if spread and value is not None and other is not None else None,
    )


def _figure(values: FloatArray, *, total: bool) -> float | None:
    present = values[np.isfinite(values)]
    if not len(present):
        return None
    return float(present.sum() if total else present.mean())


def _percent(value: float | None, other: float | None) -> float | None:
    if value is None or not other:
        return None
    return (value - other) / abs(other) * 100


def movers_of(window: Window, first: int, last: int, limit: int) -> list[Mover]:
    """The series whose level in columns [first, last) is farthest from that of the columns before.

    The distance is in robust spreads of the columns before `first`: of averages as long as the stretch, so
    that a noisy series needs to move farther than a quiet one.
    """
    found = []
    for row, series in enumerate(window.series):
        before, during = window.values[row, :first], window.values[row, first:last]
        before, during = before[np.isfinite(before)], during[np.isfinite(during)]
        if len(before) < 2 * MIN_CELLS or not len(during):
            continue
        middle = float(np.median(before))
        spread = 1.4826 * float(np.median(np.abs(before - middle))) or float(before.std())
        level = float(np.median(during))
        noise = spread * np.sqrt(1.0 / min(len(during), 12) + 1.0 / len(before)) + 0.1 * spread
        if not noise:
            noise = max(abs(middle), 1.0) * 1e-3
        found.append(_mover(series, middle, level, float((level - middle) / noise)))
    found.sort(key=lambda one: (-abs(one.z), one.series))
    return found[:limit]


def _mover(series: Series, before: float, during: float, z: float) -> Mover:
    return Mover(
        series=series.name,
        component=component_of(series.key),
        unit=unit_of(series),
        before=before,
        during=during,
        z=z,
        money=is_outcome(series),
    )


def co_movers_of(window: Window, target: int, limit: int) -> list[CoMover]:
    """The series whose steps correlate most with those of one row, over lags of up to six columns.

    `lag_seconds` is positive where the other series moved first.
    """
    steps = np.diff(window.values, axis=1)
    found = []
    for row, series in enumerate(window.series):
        if row == target:
            continue
        best = max(
            ((_correlation(steps[target], steps[row], lag), lag) for lag in range(-MAX_LAG, MAX_LAG + 1)),
            key=lambda item: (abs(item[0]), -abs(item[1])),
        )
        if best[0]:
            found.append(
                CoMover(
                    series=series.name,
                    component=component_of(series.key),
                    correlation=best[0],
                    lag_seconds=float(best[1] * window.step_s),
                )
            )
    found.sort(key=lambda one: (-abs(one.correlation), one.series))
    return found[:limit]


def _correlation(a: FloatArray, b: FloatArray, lag: int) -> float:
    """Correlation of a[t] with b[t - lag] where both are known; 0 where it cannot be told."""
    if lag > 0:
        a, b = a[lag:], b[:-lag]
    elif lag < 0:
        a, b = a[:lag], b[-lag:]
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 4 * MIN_CELLS:
        return 0.0
    a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def cells_of(span: timedelta, step_s: int) -> int:
    """How many columns a stretch covers, at least one."""
    return max(1, round(span.total_seconds() / step_s))
