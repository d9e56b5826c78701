"""What a method says about columns of a window: signed scores and the band it expected."""

from dataclasses import dataclass

import numpy as np

from domain.series import FloatArray

MIN_BASELINE = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one column.

    Args:
        score: shape (n_series,), on the method's own scale, signed where the method has a direction; NaN
            where the series could not be judged.
        z: shape (n_series,), the same as a signed standardised deviation, for the nominal surprise.
        low: shape (n_series,), lower end of the band that was expected.
        high: shape (n_series,), upper end of it.
        unit: what `low` and `high` hold off the centre, in words.
    """

    score: FloatArray
    z: FloatArray
    low: FloatArray
    high: FloatArray
    unit: str

    @classmethod
    def around(
        cls, x: FloatArray, centre: FloatArray, spread: FloatArray, reach: float, unit: str
    ) -> "Scored":
        """Standardised deviation of `x` from a centre; a departure from a constant baseline is infinite.

        Args:
            x: shape (n_series,).
            centre: shape (n_series,); NaN where there are too few points.
            spread: shape (n_series,), one standard deviation; may be 0.
            reach: deviations that make the band.
            unit: words for the baseline.
        """
        gap = x - centre
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(gap == 0.0, 0.0, gap / spread)
        z = np.where(np.isfinite(x) & np.isfinite(centre), z, np.nan)
        return cls(z, z, centre - reach * spread, centre + reach * spread, unit)


def enough(baseline: FloatArray, least: int = MIN_BASELINE) -> FloatArray:
    """1.0 where a row of shape (n_series, n_baseline) has enough finite points, else NaN."""
    return np.where(np.isfinite(baseline).sum(axis=1) >= least, 1.0, np.nan)


def anchored(baseline: FloatArray) -> FloatArray:
    """One finite value of each row (0 where there is none), to subtract before sums lose digits."""
    finite = np.isfinite(baseline)
    first = finite.argmax(axis=1) if baseline.shape[1] else np.zeros(len(baseline), dtype=np.intp)
    if not baseline.shape[1]:
        return np.zeros(len(baseline))
    return np.where(finite.any(axis=1), baseline[np.arange(len(baseline)), first], 0.0)


def sorted_quantiles(baseline: FloatArray, shares: tuple[float, ...]) -> list[FloatArray]:
    """Quantiles of each row, NaN ignored, from one sort (four times faster than numpy's quantile).

    Args:
        baseline: shape (n_series, n_baseline).
        shares: probabilities.

    Returns:
        One array of shape (n_series,) per share, linear between order statistics; NaN for empty rows.
    """
    ordered = np.sort(baseline, axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    found = []
    for share in shares:
        position = share * np.maximum(count - 1, 0)
        below = position.astype(np.intp)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        if not ordered.shape[1]:
            found.append(np.full(len(ordered), np.nan))
            continue
        low = ordered[rows, below]
        found.append(low + (position - below) * (ordered[rows, above] - low))
    return found
