"""IQR: distance beyond the quartiles in interquartile ranges (Tukey's fences, 1977)."""

import numpy as np

from detectors.scored import Scored, enough, sorted_quantiles
from domain.series import FloatArray

FENCE = 1.5
QUARTILE_Z = 0.6745


def iqr_scores(baseline: FloatArray, x: FloatArray) -> Scored:
    """Score how far the newest value lies outside the quartiles of its recent past.

    Args:
        baseline: shape (n_series, n_baseline); NaN is ignored.
        x: shape (n_series,).

    Returns:
        Signed scores in interquartile ranges, 0 between the quartiles, infinite off a constant baseline, NaN
        below 10 points. `z` is what the score means for a normal law.
    """
    low, high = sorted_quantiles(baseline, (0.25, 0.75))
    usable = enough(baseline)
    low, high = low * usable, high * usable
    width = high - low
    beyond = np.where(x > high, x - high, np.where(x < low, x - low, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(beyond == 0.0, 0.0, beyond / width)
    score = np.where(np.isfinite(x) & np.isfinite(width), score, np.nan)
    z = np.where(score == 0.0, 0.0, np.sign(score) * (QUARTILE_Z + 2 * QUARTILE_Z * np.abs(score)))
    return Scored(score, z, low - FENCE * width, high + FENCE * width, "quartiles")
