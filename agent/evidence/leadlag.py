"""Who moved first, said only where the data can tell: lagged correlation of prewhitened changes."""

from dataclasses import dataclass

import numpy as np

from domain.series import FloatArray

MAX_LAG = 15
RESAMPLES = 60
MIN_SAMPLES = 24


@dataclass(frozen=True, slots=True)
class Lead:
    """By how many columns a series runs ahead of the target; negative where it follows.

    `known` is false where the 90 % interval includes zero: then nothing may be said about order.
    """

    columns: int
    low: int
    high: int
    correlation: float

    @property
    def known(self) -> bool:
        return self.low > 0 or self.high < 0


def lead_of(series: FloatArray, target: FloatArray, rng: np.random.Generator) -> Lead | None:
    """Lead of a series over the target from their lagged cross-correlation.

    Args:
        series: shape (n,); gaps are filled with the last value.
        target: shape (n,).
        rng: for the block bootstrap behind the interval.

    Returns:
        None where there are too few samples or nothing moves.
    """
    if len(series) < MIN_SAMPLES:
        return None
    first, second = _whitened(series), _whitened(target)
    if first is None or second is None:
        return None
    max_lag = min(MAX_LAG, len(first) // 4)
    products = _lagged_products(first, second, max_lag)
    best, correlation = _peak(products.mean(axis=1), max_lag)
    block = max(4, int(np.sqrt(len(first))))
    draws = np.sort([_peak(_resample(products, block, rng), max_lag)[0] for _ in range(RESAMPLES)])
    low, high = int(draws[int(0.05 * RESAMPLES)]), int(draws[int(0.95 * RESAMPLES)])
    return Lead(best, min(low, best), max(high, best), correlation)


def _whitened(values: FloatArray) -> FloatArray | None:
    """First differences with their own lag-one autocorrelation removed, standardised and clipped."""
    index = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), 0))
    moved = np.nan_to_num(np.diff(values[index]))
    if not moved.any():
        return None
    bottom = float((moved[:-1] ** 2).sum())
    rho = float((moved[1:] * moved[:-1]).sum()) / bottom if bottom else 0.0
    white = moved[1:] - np.clip(rho, -0.95, 0.95) * moved[:-1]
    spread = float(np.std(white))
    return np.clip((white - white.mean()) / spread, -6, 6) if spread > 0 else None


def _lagged_products(first: FloatArray, second: FloatArray, max_lag: int) -> FloatArray:
    """Row k holds first(t - lag) * second(t) for lag = k - max_lag; a positive lag means first leads."""
    n = len(first)
    out = np.zeros((2 * max_lag + 1, n))
    for k, lag in enumerate(range(-max_lag, max_lag + 1)):
        if lag >= 0:
            out[k, lag:] = first[: n - lag] * second[lag:]
        else:
            out[k, : n + lag] = first[-lag:] * second[: n + lag]
    return out


def _resample(products: FloatArray, block: int, rng: np.random.Generator) -> FloatArray:
    n = products.shape[1]
    starts = rng.integers(0, max(n - block, 0) + 1, size=-(-n // block))
    columns = (starts[:, None] + np.arange(block)[None, :]).ravel()[:n]
    mean: FloatArray = products[:, columns].mean(axis=1)
    return mean


def _peak(correlations: FloatArray, max_lag: int) -> tuple[int, float]:
    best = int(np.argmax(np.abs(correlations)))
    return best - max_lag, float(correlations[best])
