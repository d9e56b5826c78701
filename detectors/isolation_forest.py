"""Isolation forest: points that random cuts separate early (Liu, Ting and Zhou, 2008)."""

from typing import Any

import numpy as np

from detectors.scored import sorted_quantiles
from domain.series import FloatArray

TREES = 50
SAMPLES = 256
MOST_ROWS = 4_000
SHORT = 6
SEED = 7
FEWEST_ROWS = 50


def local_features(values: FloatArray) -> FloatArray:
    """What a point looks like to the forest, in units of its own series.

    Args:
        values: shape (n_series, n_steps), at least 8 columns.

    Returns:
        Shape (n_series, n_steps - 6, 4): deviation from the median, last change, deviation of the mean of
        the last 6 points, and their standard deviation. NaN where a value is missing.
    """
    centre = sorted_quantiles(values, (0.5,))[0][:, None]
    away = np.abs(values - centre)
    scale = np.maximum(
        sorted_quantiles(away, (0.5,))[0] * 1.4826, np.nanmean(np.where(np.isnan(away), 0.0, away), axis=1)
    )
    z = np.clip((values - centre) / np.maximum(scale, 1e-12)[:, None], -1e6, 1e6)
    windows = np.lib.stride_tricks.sliding_window_view(z, SHORT, axis=1)[:, 1:]
    return np.stack(
        [z[:, SHORT:], z[:, SHORT:] - z[:, SHORT - 1 : -1], windows.mean(axis=2), windows.std(axis=2)], axis=2
    )


def fit_forest(features: FloatArray) -> Any:
    """Fit a forest on rows of shape (n, n_features); None where too few rows are complete."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # slow to import

    rows = features[np.isfinite(features).all(axis=1)]
    if len(rows) < FEWEST_ROWS:
        return None
    rows = rows[:: -(-len(rows) // MOST_ROWS)]
    forest = IsolationForest(n_estimators=TREES, max_samples=min(SAMPLES, len(rows)), random_state=SEED)
    return forest.fit(rows)


def forest_scores(forest: Any, features: FloatArray) -> FloatArray:
    """Scores in (0, 1), about 0.5 for ordinary points; NaN for rows with a gap.

    Args:
        forest: what `fit_forest` returned.
        features: shape (n, n_features).
    """
    scores = np.full(len(features), np.nan)
    usable = np.isfinite(features).all(axis=1)
    if usable.any():
        scores[usable] = -forest.score_samples(features[usable])
    return scores
