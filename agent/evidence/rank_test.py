"""The Mann-Whitney test made honest for series with a memory."""

import numpy as np

from agent.evidence.tails import degrees_of, matched_width, t_tail
from domain.series import FloatArray


def rank_test(reference: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probability that a window sample exceeds a reference sample, and its one-sided tail.

    The spread of that mean rank is taken from reference windows of the same length, so autocorrelation is in
    it, but it is never below that of independent samples (Mann-Whitney). Degrees of freedom are the number of
    windows that fit into the reference.
    """
    n_reference = np.maximum(np.isfinite(reference).sum(axis=1), 1)
    n_current = np.maximum(np.isfinite(current).sum(axis=1), 1)
    auc = np.nan_to_num(_mean(_ranks_among(reference, current)), nan=0.5)
    width = matched_width(reference, current.shape[1])
    own = _own_ranks(reference) - 0.5
    variance = np.mean(_moving_mean(own, width) ** 2, axis=1) * (1 + width / n_reference)
    independent = (1 / n_current + 1 / n_reference) / 12
    z = (auc - 0.5) / np.sqrt(np.maximum(variance, independent))
    return auc, t_tail(z, degrees_of(n_reference, width))


def _ranks_among(reference: FloatArray, values: FloatArray) -> FloatArray:
    """Share of a row's reference samples below each of its values, ties counted half; NaN stays NaN."""
    count = np.maximum(np.isfinite(reference).sum(axis=1), 1)
    out = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        value = values[:, column : column + 1]
        below = (reference < value).sum(axis=1) + 0.5 * (reference == value).sum(axis=1)
        out[:, column] = np.where(np.isfinite(value[:, 0]), below / count, np.nan)
    return out


def _own_ranks(values: FloatArray) -> FloatArray:
    """Mid-ranks of each row's samples among themselves, as shares in (0, 1); NaN stays NaN."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    index = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    fresh = np.ones(values.shape, dtype=bool)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(fresh, index, 0), axis=1)
    ends = np.ones(values.shape, dtype=bool)
    ends[:, :-1] = fresh[:, 1:]
    last = np.minimum.accumulate(np.where(ends, index, values.shape[1])[:, ::-1], axis=1)[:, ::-1]
    count = np.maximum(np.isfinite(values).sum(axis=1), 1)[:, None]
    out = np.empty_like(values)
    np.put_along_axis(out, order, (first + last + 1) / (2 * count), axis=1)
    return np.where(np.isfinite(values), out, np.nan)


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the last axis; NaN is ignored, NaN where nothing is left."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    total = np.where(finite, values, 0.0).sum(axis=1)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _moving_mean(values: FloatArray, width: int) -> FloatArray:
    """Means of all stretches of a width; gaps are left out, an empty stretch counts as 0."""
    finite = np.isfinite(values)
    sums = np.cumsum(np.pad(np.where(finite, values, 0.0), ((0, 0), (1, 0))), axis=1)
    counts = np.cumsum(np.pad(finite, ((0, 0), (1, 0))), axis=1)
    mean: FloatArray = (sums[:, width:] - sums[:, :-width]) / np.maximum(
        counts[:, width:] - counts[:, :-width], 1
    )
    return mean
