"""Frozen: a feed that repeats one value although it used to move."""

import numpy as np

from domain.series import FloatArray


def frozen_scores(run: FloatArray, longest: FloatArray, repeat_share: FloatArray) -> FloatArray:
    """Surprise of a run of equal values as -log10 of a probability.

    A series that repeats its last value with probability q has a run of k repeats with probability q^k
    (geometric law); a run no longer than one seen before is no surprise.

    Args:
        run: shape (n_series,), exact repeats up to now.
        longest: shape (n_series,), longest run seen before this one.
        repeat_share: shape (n_series,), share of exact repeats in the past.

    Returns:
        Shape (n_series,), 0 while the run is ordinary.
    """
    share = np.clip(repeat_share, 1e-3, 0.999)
    beyond = np.maximum(run - longest, 0.0)
    result: FloatArray = -beyond * np.log10(share)
    return result


def trailing_run(values: FloatArray) -> FloatArray:
    """Exact repeats of the last value at the end of each row (n_series, n_steps); gaps are skipped."""
    runs = np.zeros(len(values))
    alive = np.ones(len(values), dtype=bool)
    last = np.full(len(values), np.nan)
    for column in range(values.shape[1] - 1, -1, -1):
        x = values[:, column]
        seen = np.isfinite(x)
        started = np.isfinite(last)
        alive &= ~(seen & started & (x != last))
        runs += alive & seen & started
        last = np.where(seen & ~started, x, last)
        if not alive.any():
            break
    return runs
