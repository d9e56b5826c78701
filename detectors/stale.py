"""Stale: a series that used to report has stopped."""

import numpy as np

from domain.series import FloatArray


def stale_scores(gap: FloatArray, usual: FloatArray) -> FloatArray:
    """How many times longer than usual a series has been silent.

    Args:
        gap: shape (n_series,), cells since the last finite one (0 = reports now).
        usual: shape (n_series,), the longest ordinary gap of its past in cells.

    Returns:
        gap / (usual + 1), shape (n_series,): 0 for a series that reports, above 3 for one that is silent.
    """
    result: FloatArray = gap / (usual + 1.0)
    return result


def trailing_gap(values: FloatArray) -> FloatArray:
    """Missing cells at the end of each row of shape (n_series, n_steps); the whole length for empty rows."""
    finite = np.isfinite(values)
    last = values.shape[1] - 1 - finite[:, ::-1].argmax(axis=1) if values.shape[1] else np.zeros(len(values))
    gap = np.where(finite.any(axis=1), values.shape[1] - 1 - last, values.shape[1])
    return np.asarray(gap, dtype=np.float64)
