"""Principal components: points that break the usual pattern of a group of series.

T2 measures an unusual amount of the usual pattern, SPE (Q) what the pattern cannot explain; control limits
after Jackson and Mudholkar (1979) for SPE and the F law for T2.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from detectors.scored import sorted_quantiles
from domain.series import BoolArray, FloatArray

EXPLAINED = 0.9
MOST_COMPONENTS = 10
LEAST_FINITE = 0.7
CLIP = 8.0


@dataclass(frozen=True, slots=True)
class Axes:
    """A fitted model.

    Args:
        used: shape (n_columns,), columns that vary and mostly report; the others are left out.
        centre: shape (n_used,).
        scale: shape (n_used,).
        axes: shape (n_components, n_used), orthonormal.
        power: shape (n_components,), variance along each axis.
        spe_limit: 99 % limit of SPE.
        t2_limit: 99 % limit of T2.
    """

    used: BoolArray
    centre: FloatArray
    scale: FloatArray
    axes: FloatArray
    power: FloatArray
    spe_limit: float
    t2_limit: float


def fit_axes(rows: FloatArray) -> Axes | None:
    """Fit the pattern of a group; None where fewer than two columns or eight rows are usable.

    Args:
        rows: shape (n_rows, n_columns), one row per time; gaps are filled by the column's median. Values are
            clipped at 8 robust deviations so that an anomaly in the past does not become an axis.
    """
    used = usable_columns(rows)
    if used.sum() < 2 or len(rows) < 8:
        return None
    x = rows[:, used]
    centre = sorted_quantiles(x.T, (0.5,))[0]
    gap = np.abs(x - centre)
    mean_gap = np.nansum(gap, axis=0) / np.maximum(np.isfinite(gap).sum(axis=0), 1)
    scale = np.maximum(1.4826 * sorted_quantiles(gap.T, (0.5,))[0], 0.5 * mean_gap)
    z = np.clip(np.nan_to_num((x - centre) / scale, nan=0.0), -CLIP, CLIP)
    away = z - z.mean(axis=0)
    power, vectors = np.linalg.eigh(away.T @ away / max(len(z) - 1, 1))
    power, axes = np.maximum(power[::-1], 0.0), vectors[:, ::-1].T
    share = np.cumsum(power) / max(float(power.sum()), 1e-300)
    k = min(int(np.searchsorted(share, EXPLAINED)) + 1, MOST_COMPONENTS, len(power))
    limit = _spe_limit(power[k:])
    return Axes(used, centre, scale, axes[:k], np.maximum(power[:k], 1e-9), limit, _t2_limit(k, len(z)))


def usable_columns(rows: FloatArray) -> BoolArray:
    """Columns that are mostly finite and not constant; shape (n_columns,)."""
    finite = np.isfinite(rows)
    enough = finite.mean(axis=0) >= LEAST_FINITE if len(rows) else np.zeros(rows.shape[1], dtype=bool)
    high = np.max(np.where(finite, rows, -np.inf), axis=0, initial=-np.inf)
    low = np.min(np.where(finite, rows, np.inf), axis=0, initial=np.inf)
    away = np.abs(rows - np.where(enough, low, 0.0))
    typical = np.sum(np.where(finite, away, 0.0), axis=0)
    used: BoolArray = enough & (high > low) & (typical > 1e-12 * np.where(enough, np.abs(low), 0.0))
    return used


def _spe_limit(rest: FloatArray) -> float:
    """Jackson and Mudholkar's 99 % limit from the variances of the discarded axes."""
    t1, t2, t3 = (float(np.power(rest, i).sum()) for i in (1, 2, 3))
    if t2 <= 1e-12:
        return 1e-6
    h = max(1.0 - 2.0 * t1 * t3 / (3.0 * t2 * t2), 1e-3)
    inner = 2.3263 * np.sqrt(2.0 * t2 * h * h) / t1 + 1.0 + t2 * h * (h - 1.0) / (t1 * t1)
    return max(float(t1 * inner ** (1.0 / h)), 1e-6)


@cache
def _t2_limit(k: int, n: int) -> float:
    from scipy.stats import f  # noqa: PLC0415  # slow to import

    return float(k * (n - 1) * (n + 1) / (n * max(n - k, 1)) * f.ppf(0.99, k, max(n - k, 1)))


def pca_scores(model: Axes, row: FloatArray) -> tuple[float, FloatArray]:
    """Score one time of a group.

    Args:
        model: fitted axes.
        row: shape (n_columns,); missing values count as ordinary.

    Returns:
        The larger of T2 and SPE relative to its limit (1 = at the limit), and the contribution of every
        column to the larger one, shape (n_columns,), zero for columns left out.
    """
    z = np.nan_to_num((row[model.used] - model.centre) / model.scale, nan=0.0)
    along = model.axes @ z
    rest = z - along @ model.axes
    spe, t2 = float(rest @ rest) / model.spe_limit, float((along**2 / model.power).sum()) / model.t2_limit
    part = np.square(rest) if spe >= t2 else np.abs(z * ((along / model.power) @ model.axes))
    contribution = np.zeros(len(model.used))
    contribution[model.used] = part
    return max(spe, t2), contribution


def projection(model: Axes, rows: FloatArray) -> FloatArray:
    """The first two coordinates of each row for a picture; shape (n_rows, 2), zeros where one axis exists."""
    z = np.nan_to_num((rows[:, model.used] - model.centre) / model.scale, nan=0.0)
    flat = np.zeros((len(rows), 2))
    flat[:, : min(2, len(model.axes))] = z @ model.axes[:2].T
    return flat
