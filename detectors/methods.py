"""Every method of a rule behind one door: a view of one column in, scores out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detectors import isolation_forest
from detectors.changepoint import best_splits, cells_since, confirmed, shift_z
from detectors.frozen import frozen_scores, trailing_run
from detectors.iqr import iqr_scores
from detectors.lateness import USUAL
from detectors.monitor import Column
from detectors.past_range import range_scores
from detectors.residual import residual_scores
from detectors.robust_zscore import robust_zscores
from detectors.scored import Scored
from detectors.seasonal import seasonal_scores
from detectors.stale import stale_scores
from detectors.threshold import threshold_scores
from detectors.zscore import zscores
from domain.rule import Rule
from domain.series import FloatArray

RECENT = 24
REFIT = 12
STALE_SURPRISE = 2.0


@dataclass(slots=True)
class View:
    """One column as the series of one rule see it.

    Args:
        rule: the rule.
        baseline: shape (n, <= window_size), the cells before the column.
        x: shape (n,), the column.
        column: what the monitor says about the same series.
        season: shape (n,), seasonal baseline, NaN where unknown.
        wide: shape (n,), mean absolute deviation from it.
        gap: shape (n,), cells since the last finite one, NaN where there never was one.
        usual_gap: shape (n,), longest ordinary gap.
        late: shape (n,), cells that are usually missing when it is looked at.
        ordinal: number of the column since the start, for work that is done every few columns.
        longest: bound on points of the kernel search.
        kept: what a method keeps between columns (fitted forests).
    """

    rule: Rule
    baseline: FloatArray
    x: FloatArray
    column: Column
    season: FloatArray
    wide: FloatArray
    gap: FloatArray
    usual_gap: FloatArray
    late: FloatArray
    ordinal: int
    longest: int
    kept: dict[str, Any] = field(default_factory=dict)


def _plain(method: Callable[[FloatArray, FloatArray], Scored]) -> Callable[[View], Scored]:
    return lambda view: method(view.baseline, view.x)


def _combined(view: View) -> Scored:
    column = view.column
    return Scored(column.strength, column.z, column.low, column.high, "combination of calibrated statistics")


def _seasonal(view: View) -> Scored:
    return seasonal_scores(view.x, view.season, np.maximum(view.wide * 1.2533, 1e-300))


def _threshold(view: View) -> Scored:
    line = view.rule.threshold if view.rule.threshold is not None else np.inf
    return threshold_scores(view.x, line, view.rule.direction)


def _stale(view: View) -> Scored:
    # Two cells beyond what is always missing count alike, however late a series is; long gaps between its
    # samples are no lateness.
    later = view.late - USUAL
    beyond = np.where(later < 0, later, np.maximum(later - view.usual_gap, 0.0))
    score = stale_scores(np.where(view.gap > 0, np.maximum(view.gap - beyond, 0.0), view.gap), view.usual_gap)
    nothing = np.full(len(view.x), np.nan)
    # It began with the first missing cell, not with the one that made it certain.
    view.kept["since"] = np.where(np.isfinite(view.gap), view.gap - 1, -1).astype(np.int64)
    return Scored(score, nothing, nothing, nothing, "longest ordinary gap")


def _frozen(view: View) -> Scored:
    """Repeats of the last value; zeros in a row are judged by how often there was nothing, not by repeats."""
    both = np.concatenate([view.baseline, view.x[:, None]], axis=1)
    nothing_now = view.x == 0
    zero = both[:, 1:] == 0
    same = np.where(nothing_now[:, None], zero, both[:, 1:] == both[:, :-1])
    run = np.where(nothing_now, _last_run(zero), trailing_run(both))
    share = (same.sum(axis=1) - run) / np.maximum(same.shape[1] - run, 1)
    longest = _longest_run(same, run)
    score = frozen_scores(run, longest, share)
    nothing = np.full(len(view.x), np.nan)
    usable = np.isfinite(view.x) & (same.shape[1] - run >= RECENT)
    view.kept["since"] = np.maximum(run - 1, 0).astype(np.int64)
    return Scored(np.where(usable, score, np.nan), nothing, nothing, nothing, "longest run of equal values")


def _last_run(events: Any) -> FloatArray:
    """Length of the unbroken run of true cells at the end of each row."""
    if not events.shape[1]:
        return np.zeros(len(events))
    broken = ~events[:, ::-1]
    length = np.where(broken.any(axis=1), broken.argmax(axis=1), events.shape[1])
    return np.asarray(length, dtype=np.float64)


def _longest_run(same: Any, run: FloatArray) -> FloatArray:
    """Longest run of true cells in each row before the trailing run."""
    columns = np.arange(same.shape[1])
    past = same & (columns < (same.shape[1] - run)[:, None])
    broken = np.maximum.accumulate(np.where(past, -1, columns), axis=1)
    longest = np.where(past, columns - broken, 0).max(axis=1, initial=0)
    return np.asarray(longest, dtype=np.float64)


def _changepoint(view: View) -> Scored:
    both = np.concatenate([view.baseline, view.x[:, None]], axis=1)
    splits = best_splits(both)
    z = shift_z(splits, both.shape[1])
    least = view.rule.threshold if view.rule.threshold is not None else 4.0
    recent = both.shape[1] - splits.column <= RECENT
    kept = np.zeros(len(z), dtype=bool)
    candidates = np.flatnonzero(recent & (np.abs(z) >= least))
    if len(candidates):
        few = type(splits)(*(getattr(splits, name)[candidates] for name in splits.__slots__))
        kept[candidates[confirmed(both[candidates], few, least, view.longest)]] = True
    score = np.where(np.isfinite(view.x), np.where(kept, z, 0.0), np.nan)
    view.kept["since"] = cells_since(both, splits)
    reach = 3.0 * splits.noise
    return Scored(score, score, splits.before - reach, splits.before + reach, "mean before the change")


def _isolation_forest(view: View) -> Scored:
    both = np.concatenate([view.baseline, view.x[:, None]], axis=1)
    nothing = np.full(len(view.x), np.nan)
    if both.shape[1] < isolation_forest.SHORT * 4:
        return Scored(nothing, nothing, nothing, nothing, "isolation forest")
    features = isolation_forest.local_features(both)
    if "forest" not in view.kept or view.ordinal % REFIT == 0:
        view.kept["forest"] = isolation_forest.fit_forest(features[:, :-1].reshape(-1, features.shape[2]))
    if view.kept["forest"] is None:
        return Scored(nothing, nothing, nothing, nothing, "isolation forest")
    score = isolation_forest.forest_scores(view.kept["forest"], features[:, -1])
    z = 25.0 * np.maximum(score - 0.45, 0.0)
    return Scored(
        score, np.where(view.column.z < 0, -z, z), view.column.low, view.column.high, "isolation forest"
    )


METHODS: Mapping[str, Callable[[View], Scored]] = {
    "zscore": _plain(zscores),
    "robust_zscore": _plain(robust_zscores),
    "iqr": _plain(iqr_scores),
    "range": _plain(range_scores),
    "residual": _plain(residual_scores),
    "seasonal": _seasonal,
    "changepoint": _changepoint,
    "isolation_forest": _isolation_forest,
    "stale": _stale,
    "frozen": _frozen,
    "threshold": _threshold,
    "combined": _combined,
}
