"""Residual: surprise of the newest value given the few before it (autoregression with a robust scale)."""

import numpy as np

from detectors.scored import Scored, anchored, enough, sorted_quantiles
from domain.series import FloatArray

REACH = 4.0
RIDGE = 1e-3
LAGS = 2
LEAST = 20


def residual_scores(baseline: FloatArray, x: FloatArray) -> Scored:
    """Score the newest value against the forecast of an AR(2) fitted to its recent past.

    Args:
        baseline: shape (n_series, n_baseline), oldest first; NaN is carried forward for the fit.
        x: shape (n_series,).

    Returns:
        Innovations in robust standard deviations of past innovations; infinite off a constant baseline, NaN
        below 20 points.
    """
    if baseline.shape[1] < LEAST:
        empty = np.full(len(x), np.nan)
        return Scored(empty, empty, empty, empty, "autoregressive forecast")
    anchor = anchored(baseline)
    past = _filled(baseline - anchor[:, None])
    centre = past.mean(axis=1)
    past = past - centre[:, None]
    coefficients = _fit(past)
    fitted = _forecast(past, coefficients)
    innovations = past[:, LAGS:] - fitted[:, :-1]
    spread = sorted_quantiles(np.abs(innovations), (0.5,))[0] * 1.4826
    spread = np.maximum(spread, 0.3 * np.sqrt(np.square(innovations).mean(axis=1)))
    expected = (fitted[:, -1] + centre + anchor) * enough(baseline, LEAST)
    return Scored.around(x, expected, spread, REACH, "autoregressive forecast")


def _filled(values: FloatArray) -> FloatArray:
    """Carry the last finite value of each row forward; leading gaps become 0 (the anchor)."""
    index = np.where(np.isfinite(values), np.arange(values.shape[1]), -1)
    last = np.maximum.accumulate(index, axis=1)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, taken, 0.0)


def _fit(past: FloatArray) -> FloatArray:
    """Ridge AR(2) coefficients of shape (n_series, 2) by the normal equations."""
    target, first, second = past[:, 2:], past[:, 1:-1], past[:, :-2]
    a11, a22 = np.square(first).sum(axis=1), np.square(second).sum(axis=1)
    a12 = (first * second).sum(axis=1)
    b1, b2 = (first * target).sum(axis=1), (second * target).sum(axis=1)
    ridge = RIDGE * (a11 + a22) + np.finfo(float).tiny
    a11, a22 = a11 + ridge, a22 + ridge
    determinant = np.maximum(a11 * a22 - a12 * a12, np.finfo(float).tiny)
    return np.stack([(b1 * a22 - b2 * a12) / determinant, (b2 * a11 - b1 * a12) / determinant], axis=1)


def _forecast(past: FloatArray, coefficients: FloatArray) -> FloatArray:
    """One-step forecasts made after columns 1, 2, ...; shape (n_series, n_baseline - 1)."""
    return coefficients[:, :1] * past[:, 1:] + coefficients[:, 1:] * past[:, :-1]
