"""What it cost: observed minus expected PnL with an honest interval, split so that the parts add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.money import Impact, ImpactPart
from domain.series import FloatArray, Series

DIMENSIONS = ("strategy", "venue", "symbol")
EXPECTATION_MINUTES = 60
# What an incident costs per hour is told by its newest half hour.
RATE_MINUTES = 30
# 90 % of a standard normal lies within this many standard deviations.
_NORMAL_90 = 1.645


@dataclass(frozen=True, slots=True)
class Deviation:
    """Observed minus expected sum of one flow series over the window, with its standard error.

    `mean` is what was expected per column. `known` is false where there are too few samples to expect
    anything by, or none to compare with it.
    """

    amount: float
    error: float
    expected: float
    mean: float = 0.0
    known: bool = True


def deviation(values: FloatArray, first: int, last: int, samples: int) -> Deviation:
    """Compare the sum over columns [first, last) with the recent mean per column.

    The expectation is the mean of the `samples` columns before `first`; its error comes from the spread of
    sums over blocks as long as the window, so that autocorrelation is in it.

    Args:
        values: shape (n,), gains per column; NaN is a gap and counts as the expectation.
        first: the first column of the incident.
        last: the column after it.
        samples: how many columns before `first` the expectation is made of.
    """
    width = last - first
    history = values[:first]
    history = history[np.isfinite(history)]
    current = values[first:last]
    observed = current[np.isfinite(current)]
    if len(history) < 3 or not len(observed):
        return Deviation(0.0, 0.0, 0.0, known=False)
    mean = float(history[-samples:].mean())
    count = len(observed)
    return Deviation(
        amount=float(observed.sum()) - mean * count,
        error=_block_error(history, min(width, max(len(history) // 4, 1)), count, samples),
        expected=mean * count,
        mean=mean,
    )


def expectation_samples(step_s: int) -> int:
    """How many columns the recent mean is made of."""
    return max(EXPECTATION_MINUTES * 60 // step_s, 6)


def _block_error(history: FloatArray, block: int, count: int, samples: int) -> float:
    """Standard error of a sum of `count` samples minus its expectation, from moving blocks."""
    sums = np.convolve(history - history.mean(), np.ones(block), mode="valid")
    per_sample = float((sums**2).mean()) / block
    recent = min(len(history), samples)
    return float(np.sqrt(per_sample * count * (1 + count / recent)))


def impact_of(
    series: Sequence[Series],
    values: FloatArray,
    window: tuple[int, int],
    inflation: float,
    total: int | None = None,
) -> Impact | None:
    """Impact of an incident on PnL series, attributed by label.

    Args:
        series: the leaf series whose sum is the book; each a flow in money.
        values: shape (n, columns), one row per leaf.
        window: first and last (exclusive) column of the incident.
        inflation: factor on the interval, learnt so that it covers 90 %.
        total: the leaf that is itself the total, if one is.

    Returns:
        None where there is no money, or too little of it before or during the incident to compare.
    """
    if not len(series):
        return None
    first, last = window
    samples = expectation_samples(series[0].step_s)
    leaves = [i for i in range(len(series)) if i != total]
    each = {i: deviation(values[i], first, last, samples) for i in leaves}
    gains = values[total] if total is not None else _sum_of(values[leaves])
    whole = deviation(gains, first, last, samples)
    if not whole.known:
        return None
    half = _NORMAL_90 * inflation * whole.error
    amounts = {i: one.amount for i, one in each.items()}
    unit = series[0].unit or "USD"
    by = parts_by_label([series[i] for i in leaves], [amounts[i] for i in leaves])
    explained = sum(amounts.values()) if by else 0.0
    return Impact(
        amount=whole.amount,
        low=whole.amount - half,
        high=whole.amount + half,
        unit=unit,
        by=by,
        unexplained=whole.amount - explained if by else 0.0,
        per_hour=_per_hour(gains[first:last], whole.mean, series[0].step_s),
    )


def _per_hour(gains: FloatArray, mean: float, step_s: int) -> float | None:
    """Gains beyond the expected mean per column, as a rate over the newest half hour."""
    newest = gains[-max(RATE_MINUTES * 60 // step_s, 1) :]
    newest = newest[np.isfinite(newest)]
    return float(newest.mean() - mean) * 3600 / step_s if len(newest) else None


def _sum_of(values: FloatArray) -> FloatArray:
    """Column sums; a column in which nothing reported is a gap."""
    total = np.nansum(values, axis=0)
    total[~np.isfinite(values).any(axis=0)] = np.nan
    summed: FloatArray = total
    return summed


def parts_by_label(series: Sequence[Series], amounts: Sequence[float]) -> tuple[ImpactPart, ...]:
    """Sum the leaves' amounts by each dimension that every leaf carries; every dimension has the same sum."""
    parts: list[ImpactPart] = []
    for dimension in DIMENSIONS:
        labels = [one.key.label(dimension) for one in series]
        if not labels or any(label is None for label in labels):
            continue
        sums: dict[str, float] = {}
        for label, amount in zip(labels, amounts, strict=True):
            sums[str(label)] = sums.get(str(label), 0.0) + amount
        ranked = sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))
        parts += [ImpactPart(label=dimension, value=value, amount=amount) for value, amount in ranked]
    return tuple(parts)


def largest_parts(impact: Impact) -> Mapping[str, ImpactPart]:
    """Per dimension, the slice that moved most in the direction of the whole."""
    sign = -1.0 if impact.amount < 0 else 1.0
    out: dict[str, ImpactPart] = {}
    for part in impact.by:
        if part.amount * sign > 0 and (
            part.label not in out or part.amount * sign > out[part.label].amount * sign
        ):
            out[part.label] = part
    return out
