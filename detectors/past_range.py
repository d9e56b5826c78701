"""Range: has this series ever been here? Distance beyond the extremes of its past."""

import numpy as np

from detectors.scored import Scored, enough
from domain.series import FloatArray

MARGIN = 0.01


def range_scores(baseline: FloatArray, x: FloatArray) -> Scored:
    """Score how far the newest value lies outside everything seen before.

    Args:
        baseline: shape (n_series, n_baseline); NaN is ignored.
        x: shape (n_series,).

    Returns:
        Signed distance beyond the extremes in widths of the range (0 inside a margin of 1 %), infinite off
        a constant baseline, NaN below 10 points. Under exchangeability a new extreme has probability
        2 / (n + 1), which is where `z` starts.
    """
    usable = enough(baseline)
    count = np.isfinite(baseline).sum(axis=1)
    low = np.min(np.where(np.isfinite(baseline), baseline, np.inf), axis=1, initial=np.inf)
    high = np.max(np.where(np.isfinite(baseline), baseline, -np.inf), axis=1, initial=-np.inf)
    low, high = np.where(count > 0, low, np.nan) * usable, np.where(count > 0, high, np.nan) * usable
    width = high - low
    margin = MARGIN * width
    beyond = np.where(x > high + margin, x - high, np.where(x < low - margin, x - low, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(beyond == 0.0, 0.0, beyond / width)
    score = np.where(np.isfinite(x) & np.isfinite(width), score, np.nan)
    first = np.sqrt(2.0 * np.log(np.maximum(count, 2)))
    z = np.where(score == 0.0, 0.0, np.sign(score) * first * (1.0 + 2.0 * np.abs(score)))
    return Scored(score, z, low - margin, high + margin, "extremes of the past")
