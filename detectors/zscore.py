"""z-score: deviation from the mean in standard deviations."""

import numpy as np

from detectors.scored import Scored, anchored, enough
from domain.series import FloatArray

REACH = 3.0


def zscores(baseline: FloatArray, x: FloatArray) -> Scored:
    """Score the newest value of each series against its recent past.

    Sums run over values minus an anchor, so an offset of 1e15 does not cancel small noise.

    Args:
        baseline: shape (n_series, n_baseline); NaN is ignored.
        x: shape (n_series,).

    Returns:
        Scores in standard deviations; infinite where a value leaves a constant baseline, NaN below 10 points.
    """
    anchor = anchored(baseline)
    shifted = baseline - anchor[:, None]
    count = np.isfinite(shifted).sum(axis=1)
    total = np.maximum(count, 1)
    filled = np.nan_to_num(shifted, nan=0.0)
    mean = filled.sum(axis=1) / total
    deviations = np.where(np.isfinite(shifted), shifted - mean[:, None], 0.0)
    spread = np.sqrt(np.square(deviations).sum(axis=1) / np.maximum(count - 1, 1))
    return Scored.around(x, (mean + anchor) * enough(baseline), spread, REACH, "mean and standard deviation")
