"""Robust z-score: deviation from the median in scaled median absolute deviations.

Iglewicz and Hoaglin, 1993.
"""

import numpy as np

from detectors.scored import Scored, enough, sorted_quantiles
from domain.series import FloatArray

REACH = 3.5
MAD_TO_SIGMA = 1.4826
FLOOR = 0.3


def robust_zscores(baseline: FloatArray, x: FloatArray) -> Scored:
    """Score the newest value of each series against the median of its recent past.

    The scale is never below 0.3 of the scale of the whole distribution (quartiles, then the mean absolute
    deviation): series that mostly rest on one value have a median absolute deviation of nearly zero.

    Args:
        baseline: shape (n_series, n_baseline); NaN is ignored.
        x: shape (n_series,).

    Returns:
        Scores in robust standard deviations; infinite off a constant baseline, NaN below 10 points.
    """
    centre = sorted_quantiles(baseline, (0.5,))[0]
    away = np.abs(baseline - centre[:, None])
    mad = sorted_quantiles(away, (0.5,))[0] * MAD_TO_SIGMA
    count = np.maximum(np.isfinite(away).sum(axis=1), 1)
    mean_away = np.nan_to_num(away, nan=0.0).sum(axis=1) / count * 1.2533
    spread = np.maximum(mad, FLOOR * mean_away)
    return Scored.around(x, centre * enough(baseline), spread, REACH, "median and median absolute deviation")
