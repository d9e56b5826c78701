"""The principal components of all series: where the desk as a whole is, and how far from its usual place."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup, escape

from api.dashboard import fmt
from api.dashboard.explore import complete_rows, held_window
from api.dashboard.svg import Lane, bar, chart
from api.doors import Doors
from domain.series import BoolArray, FloatArray, Window

_CLIP, _FAR = 10.0, 100.0
_COMPONENTS = 5
_MIN_SERIES, _MIN_STEPS = 4, 30
# Radius that 99 % of a two-dimensional normal distribution stays within, and the share it stands for.
_RADIUS_99 = math.sqrt(9.2103)
_SHARE = 0.99
_TRAIL_S = 12 * 3600
_SIZE = 420.0


@dataclass(frozen=True, slots=True)
class Contribution:
    name: str
    share: float
    bar: Markup


@dataclass(frozen=True, slots=True)
class Projection:
    scatter: Markup
    t2: Markup
    spe: Markup
    outside: int
    strange: int
    points: int
    series: int
    chosen: datetime | None
    contributions: list[Contribution]


@dataclass(frozen=True, slots=True)
class Fit:
    """Scores shape (n_steps, k), residuals shape (n_steps, n_series), and both statistics with limits."""

    scores: FloatArray
    residuals: FloatArray
    t2: FloatArray
    spe: FloatArray
    t2_limit: float
    spe_limit: float


def projection(door: Doors, at: int | None) -> Projection | None:
    """Project the window; None where there are too few complete series."""
    held = held_window(door)
    rows = complete_rows(held)
    if len(rows) < _MIN_SERIES or held.n_steps < _MIN_STEPS:
        return None
    seen = held.select(rows)
    standard = standardised(seen.values)
    found = fitted(standard)
    chosen = _column(seen, at, found)
    return Projection(
        scatter=_scatter(seen, found, chosen),
        t2=_statistic(seen, found.t2, found.t2_limit, "distance within the usual directions (T²)"),
        spe=_statistic(seen, found.spe, found.spe_limit, "distance off the usual directions (SPE)"),
        outside=int(_is_outside(found).sum()),
        strange=int((found.spe > found.spe_limit).sum()),
        points=seen.n_steps,
        series=len(rows),
        chosen=None if chosen is None else seen.time_at(chosen),
        contributions=[] if chosen is None else _contributions(seen, standardised(seen.values, _FAR), chosen),
    )


def standardised(values: FloatArray, most: float = _CLIP) -> FloatArray:
    """Columns of series in robust units, shape (n_steps, n_series), gaps at the median, clipped."""
    centre = np.nanmedian(values, axis=1, keepdims=True)
    spread = 1.4826 * np.nanmedian(np.abs(values - centre), axis=1, keepdims=True)
    spread = np.where(spread > 0, spread, np.nanstd(values, axis=1, keepdims=True))
    scaled = np.nan_to_num((values - centre) / np.where(spread > 0, spread, 1.0))
    clipped: FloatArray = np.clip(scaled, -most, most).T
    return clipped


def fitted(standard: FloatArray) -> Fit:
    """Components of the calmer nine tenths of the times, applied to all of them."""
    norms = np.linalg.norm(standard, axis=1)
    calm = standard[norms <= np.quantile(norms, 0.9)]
    _, _, directions = np.linalg.svd(calm - calm.mean(axis=0), full_matrices=False)
    basis = directions[: min(_COMPONENTS, len(directions))]
    scores = (standard - calm.mean(axis=0)) @ basis.T
    scale = np.maximum(((calm - calm.mean(axis=0)) @ basis.T).std(axis=0), 1e-9)
    residuals = standard - calm.mean(axis=0) - scores @ basis
    t2, spe = ((scores / scale) ** 2).sum(axis=1), (residuals**2).sum(axis=1)
    usual = norms <= np.quantile(norms, 0.9)
    return Fit(
        scores / scale,
        residuals,
        t2,
        spe,
        float(np.quantile(t2[usual], _SHARE)),
        float(np.quantile(spe[usual], _SHARE)),
    )


def _is_outside(found: Fit) -> BoolArray:
    outside: BoolArray = np.hypot(found.scores[:, 0], found.scores[:, 1]) > _RADIUS_99
    return outside


def _column(seen: Window, at: int | None, found: Fit) -> int | None:
    """The chosen time, else the one furthest out."""
    if at is None:
        return int(np.argmax(found.t2 / found.t2_limit + found.spe / found.spe_limit))
    column = seen.column_of(datetime.fromtimestamp(at, UTC))
    return column if 0 <= column < seen.n_steps else None


def _contributions(seen: Window, standard: FloatArray, column: int) -> list[Contribution]:
    parts = np.abs(standard[column])
    total = float(parts.sum()) or 1.0
    order = np.argsort(-parts, kind="stable")[:10]
    return [
        Contribution(
            seen.series[int(i)].name,
            float(parts[i]) / total,
            bar(float(parts[i]) / float(parts[order[0]] or 1.0), fmt.percent(float(parts[i]) / total)),
        )
        for i in order
    ]


def _statistic(seen: Window, values: FloatArray, limit: float, title: str) -> Markup:
    limits = np.full(len(values), limit)
    return chart(Lane(title, "", seen.start, seen.step_s, values, low=np.zeros(len(values)), high=limits))


def _scatter(seen: Window, found: Fit, chosen: int | None) -> Markup:
    points = found.scores[:, :2] if found.scores.shape[1] > 1 else np.pad(found.scores, ((0, 0), (0, 1)))
    reach = max(_RADIUS_99 * 1.15, float(np.quantile(np.abs(points), 0.995)) * 1.1)
    scale = _SIZE / 2 / reach
    edge = reach - 6 / scale
    xy = np.clip(points, -edge, edge) * np.array([scale, -scale]) + _SIZE / 2
    outside = _is_outside(found)
    dots = "".join(_dot(seen, i, xy[i], bool(outside[i]), i == chosen) for i in range(len(xy)))
    first = max(0, len(xy) - _TRAIL_S // seen.step_s)
    trail = "L".join(f"{x:.0f} {y:.0f}" for x, y in xy[first:])
    label = f"{int(outside.sum())} of {len(xy)} times lie outside the region of 99 %"
    return Markup(  # noqa: S704 - numbers of our own only
        f'<svg class="scatter" viewBox="0 0 {_SIZE:g} {_SIZE:g}" role="group" aria-label="{escape(label)}">'
        f'<circle class="normal" cx="{_SIZE / 2:g}" cy="{_SIZE / 2:g}" r="{_RADIUS_99 * scale:.1f}"/>'
        f'<path class="trail" d="M{trail}"/>{dots}</svg>'
    )


def _dot(seen: Window, i: int, at: FloatArray, outside: bool, chosen: bool) -> str:
    instant = seen.time_at(i)
    age = min(3, 4 * (seen.n_steps - 1 - i) // max(seen.n_steps, 1))
    kind = f"dot{'-out' if outside else ''} age-{age}{' chosen' if chosen else ''}"
    return (
        f'<a href="/explore?view=pca&amp;at={int(instant.timestamp())}" aria-label="{instant:%H:%M}">'
        f'<circle class="{kind}" cx="{at[0]:.0f}" cy="{at[1]:.0f}" r="{6 if chosen else 4}"/></a>'
    )
