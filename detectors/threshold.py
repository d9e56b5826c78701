"""Threshold: a fixed line that a value must not cross."""

import numpy as np

from detectors.scored import Scored
from domain.anomaly import Direction
from domain.series import FloatArray


def threshold_scores(x: FloatArray, threshold: float, direction: Direction) -> Scored:
    """The score is the value itself; `down` alarms below the threshold, everything else above it.

    Args:
        x: shape (n_series,); NaN is not judged.
        threshold: the line, in the unit of the values.
        direction: which side is bad.
    """
    unbounded = np.full(len(x), np.nan)
    line = np.full(len(x), threshold)
    low, high = (line, unbounded) if direction == "down" else (unbounded, line)
    return Scored(x.copy(), np.full(len(x), np.nan), low, high, "fixed threshold")
