"""Tail probabilities of statistics that are compared with those of reference windows."""

import numpy as np

from domain.series import FloatArray, IntArray


def matched_width(reference: FloatArray, width: int) -> int:
    """Length of the reference windows that match an incident's: at least three must fit."""
    return max(1, min(width, int(reference.shape[1]) // 3))


def degrees_of(samples: IntArray, width: int) -> FloatArray:
    """Independent windows in the reference, less one; between 3 and 30."""
    degrees: FloatArray = np.clip(samples / width - 1.0, 3.0, 30.0)
    return degrees


def t_tail(z: FloatArray, degrees: FloatArray) -> FloatArray:
    """One-sided tail of Student's t: heavy enough for metrics."""
    from scipy.special import stdtr  # noqa: PLC0415 - scipy is slow to import and `--help` must not pay

    tail: FloatArray = stdtr(degrees, -np.abs(z))
    return tail


def false_discovery_rate(p: FloatArray) -> FloatArray:
    """Benjamini-Hochberg q-values of shape (n,) for p-values of shape (n,)."""
    count = len(p)
    if count == 0:
        return p
    order = np.argsort(p, kind="stable")
    ranked = p[order] * count / np.arange(1, count + 1)
    q = np.empty(count)
    q[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return q
