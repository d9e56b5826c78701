"""Change points: all series screened at once by cumulative sums, candidates confirmed with a kernel search.

The screen is the maximum of the two-sample t statistic over all splits (Hawkins, 1977; Csorgo and
Horvath, 1997), its scale inflated for autocorrelation. A candidate counts when an exact penalised search
(Arlot, Celisse and Harchaoui, 2019, linear kernel) puts a change at about the same place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.scored import anchored
from domain.series import FloatArray, IntArray

EDGE = 5
BLOCK = 256
SCREEN_SHARE = 0.05
FEWEST_CANDIDATES = 8
CLOSE = 4


@dataclass(frozen=True, slots=True)
class Splits:
    """The best split of each series.

    Args:
        column: shape (n_series,), first column of the new regime.
        statistic: shape (n_series,), signed t statistic (positive = up); 0 for constant or short series.
        before: shape (n_series,), mean before the split.
        after: shape (n_series,), mean from the split on.
        noise: shape (n_series,), standard deviation around the two means.
    """

    column: IntArray
    statistic: FloatArray
    before: FloatArray
    after: FloatArray
    noise: FloatArray


def best_splits(values: FloatArray) -> Splits:
    """Find the most significant single shift of the mean in every series.

    Args:
        values: shape (n_series, n_steps); gaps carry the last value forward. At least 5 points lie on
            either side of a split, so a shift at the very edge is undecidable.
    """
    parts = [_best_block(values[i : i + BLOCK]) for i in range(0, len(values), BLOCK)]
    if not parts:
        parts = [_best_block(values)]
    return Splits(*(np.concatenate([part[k] for part in parts]) for k in range(5)))


def cells_since(values: FloatArray, splits: Splits) -> IntArray:
    """How many cells ago each series shifted, shape (n_series,); 0 = in the newest one.

    A split cannot lie within 5 points of the edge, but a large shift is seen sooner: among those points the
    change is where the mean of the rest is furthest from the mean before, in standard errors.

    Args:
        values: shape (n_series, n_steps), as they were searched.
        splits: what was found.
    """
    steps = values.shape[1]
    tail = np.nan_to_num(values[:, : -EDGE - 1 : -1] - splits.before[:, None])
    gain = np.abs(np.cumsum(tail, axis=1)) / np.sqrt(np.arange(1.0, tail.shape[1] + 1))
    at_edge: IntArray = gain.argmax(axis=1).astype(np.int64)
    return np.where(splits.column == steps - EDGE, at_edge, steps - 1 - splits.column)


def _best_block(values: FloatArray) -> tuple[NDArray[np.generic], ...]:
    n, steps = values.shape
    if n == 0 or steps < 2 * EDGE + 2:
        zeros = np.zeros(n)
        return np.zeros(n, dtype=np.int64), zeros, zeros, zeros, zeros
    anchor = anchored(values)
    x = _carried(values - anchor[:, None]).astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    sums = np.cumsum(x, axis=1)[:, EDGE - 1 : steps - EDGE]
    k = np.arange(EDGE, steps - EDGE + 1, dtype=np.float32)
    gain = np.abs(sums) * np.sqrt(steps / (k * (steps - k)))
    best = gain.argmax(axis=1)
    rows = np.arange(n)
    size, left = k[best].astype(np.float64), sums[rows, best].astype(np.float64)
    low, high = left / size, -left / (steps - size)
    rest = np.maximum(np.square(x).sum(axis=1) - gain[rows, best] ** 2, 0.0).astype(np.float64)
    noise = np.sqrt(rest / (steps - 2))
    statistic = np.sign(high - low) * _studentised(x, gain[rows, best], noise, (low, high, size))
    offset = anchor + np.nan_to_num(np.nanmean(_safe(values - anchor[:, None]), axis=1))
    return size.astype(np.int64), statistic, low + offset, high + offset, noise


def _studentised(
    x: NDArray[np.float32],
    gain: FloatArray,
    noise: FloatArray,
    split: tuple[FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    """The t statistic with the variance inflated by (1 + r) / (1 - r), r the lag-one autocorrelation."""
    low, high, size = split
    columns = np.arange(x.shape[1], dtype=np.float64)
    e: FloatArray = np.asarray(x - np.where(columns < size[:, None], low[:, None], high[:, None]))
    power = np.square(e).sum(axis=1)
    floor = 1e-7 * np.abs(x).max(axis=1) + np.finfo(np.float32).tiny
    r = np.clip((e[:, 1:] * e[:, :-1]).sum(axis=1) / np.maximum(power, floor**2), 0.0, 0.97)
    inflated = np.maximum(noise, floor) * np.sqrt((1.0 + r) / (1.0 - r))
    return np.asarray(np.where(gain > floor, gain / inflated, 0.0))


def _safe(values: FloatArray) -> FloatArray:
    """Rows without a finite value become zeros, so that means need no guard."""
    empty = np.logical_not(np.isfinite(values)).all(axis=1, keepdims=True)
    return np.where(empty, 0.0, values)


def _carried(values: FloatArray) -> FloatArray:
    finite = np.isfinite(values)
    if finite.all():
        return values
    index = np.maximum.accumulate(np.where(finite, np.arange(values.shape[1]), -1), axis=1)
    taken = np.take_along_axis(values, np.maximum(index, 0), axis=1)
    return np.asarray(np.where(index >= 0, taken, 0.0))


def shift_z(splits: Splits, n_steps: int) -> FloatArray:
    """Signed z of each best split after correcting for the search over all splits.

    The maximum over splits of a standard Gaussian field has about
    2 exp(-t^2 / 2) t log(n) / sqrt(2 pi) probability of passing t (Csorgo and Horvath); the returned z
    has that two-sided probability.
    """
    t = np.abs(splits.statistic)
    correction = 2.0 * np.log(np.maximum(t * np.log(max(n_steps, 3)), 1.0))
    z: FloatArray = np.sign(splits.statistic) * np.sqrt(np.maximum(np.square(t) - correction, 0.0))
    return z


def confirmed(values: FloatArray, splits: Splits, least_z: float, longest: int) -> IntArray:
    """Rows whose shift the exact search finds too, strongest first.

    Args:
        values: shape (n_series, n_steps), as given to `best_splits`.
        splits: its result.
        least_z: smallest corrected z worth confirming.
        longest: points given to the search; longer series are thinned out evenly.
    """
    z = np.abs(shift_z(splits, values.shape[1]))
    strongest = np.argsort(-z, kind="stable")[: max(int(SCREEN_SHARE * len(z)), FEWEST_CANDIDATES)]
    rows = [int(row) for row in strongest if z[row] >= least_z]
    return np.array(
        [row for row in rows if _agrees(values[row], int(splits.column[row]), longest)], dtype=np.int64
    )


def _agrees(row: FloatArray, column: int, longest: int) -> bool:
    found = change_points(row, longest)
    return any(abs(column - one) <= max(CLOSE, 2 * (len(row) // longest + 1)) for one in found)


def _lag_one(x: FloatArray) -> float:
    """Lag-one autocorrelation in [0, 0.9] of what is left after removing jumps of the level."""
    step = np.diff(x)
    power = float(np.square(step).sum())
    if power <= 0.0:
        return 0.0
    turning = float((step[1:] * step[:-1]).sum()) / power
    return float(np.clip(1.0 + 2.0 * turning, 0.0, 0.9))


def change_points(row: FloatArray, longest: int = 2_000) -> list[int]:
    """Starts of new regimes of the mean of one series, by an exact penalised search.

    Args:
        row: shape (n_steps,); gaps carry the last value forward.
        longest: bound on the points searched (time grows with their square); longer rows are thinned out
            and the answer is exact to the thinning.
    """
    from ruptures import KernelCPD  # noqa: PLC0415  # slow to import, needed rarely

    x = _carried((row - anchored(row[None]))[None])[0]
    thin = -(-len(x) // longest)
    x = x[::thin]
    if len(x) < 2 * EDGE + 2:
        return []
    step = np.diff(x)
    noise = 1.4826 * float(np.median(np.abs(step - np.median(step)))) / np.sqrt(2.0)
    noise = max(noise, 1e-3 * float(x.std()), 1e-300)
    scaled = np.clip((x - np.median(x)) / noise, -1e6, 1e6)
    r = _lag_one(scaled)
    penalty = 3.0 * np.log(len(x)) * (1.0 + r) / (1.0 - r)
    search = KernelCPD(kernel="linear", min_size=EDGE).fit(scaled[:, None])
    return [int(one) * thin for one in search.predict(pen=penalty)[:-1]]
