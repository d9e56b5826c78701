"""Pictures made on the server: sparklines, a chart with band and regions, bars; classes, no inline styles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from markupsafe import Markup, escape

from api.dashboard import fmt
from domain.anomaly import Severity
from domain.series import FloatArray

_SPARK = (120.0, 28.0)
_CHART = (960.0, 240.0)
_MARGIN_LEFT, _MARGIN_BOTTOM, _MARGIN_TOP = 84.0, 26.0, 10.0
_MAX_POINTS = 1_600
# A deploy is a triangle, news a disc, anything else a diamond; as the live charts draw them.
_SHAPES = {
    "deploy": "m0-5l-5 9h10z",
    "news": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "notice": "m0-5l5 5-5 5-5-5z",
}
_TIME_STEPS = (60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of time to shade; `severity` is its class."""

    start: datetime
    end: datetime
    severity: Severity
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one time: a deploy, a headline."""

    at: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One series to draw.

    Args:
        title: what it is called.
        unit: of its values.
        start: the time of the first value.
        step_s: seconds between values.
        values: shape (n,), NaN for a gap.
        low: the lower edge of what was expected, shape (n,), NaN where unknown; or None.
        high: the upper edge.
        regions: anomalous stretches.
        marks: events.
    """

    title: str
    unit: str
    start: datetime
    step_s: int
    values: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    regions: tuple[Region, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.step_s * len(self.values))


def sparkline(values: FloatArray, first_odd: int | None = None) -> Markup:
    """A small line without axes; from `first_odd` on it is drawn in the colour of trouble."""
    width, height = _SPARK
    if not np.isfinite(values).any():
        return Markup('<svg class="spark" viewBox="0 0 120 28" role="img" aria-label="no data"></svg>')
    xs = np.linspace(2, width - 2, max(len(values), 2))[: len(values)]
    ys = _scaled(values, _bounds([values]), 3.0, height - 3)
    parts = [f'<path class="line" d="{_path(xs, ys)}"/>']
    if first_odd is not None and first_odd < len(values):
        odd = max(first_odd - 1, 0)
        parts.append(f'<path class="odd" d="{_path(xs[odd:], ys[odd:])}"/>')
    label = f"from {fmt.number(_first(values))} to {fmt.number(_first(values[::-1]))}"
    return Markup(  # noqa: S704 - numbers of our own only
        f'<svg class="spark" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def bar(share: float, label: str) -> Markup:
    """A horizontal bar for a share between 0 and 1."""
    width = 100 * min(max(share, 0.0), 1.0)
    return Markup(  # noqa: S704 - the label is escaped
        f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><rect class="track" width="100" height="8"/>'
        f'<rect class="fill" width="{width:.1f}" height="8"/></svg>'
    )


def chart(lane: Lane) -> Markup:
    """A line with its axis, the band of what was expected, shaded regions and event marks."""
    if not np.isfinite(lane.values).any():
        return Markup('<p class="empty">No data in this window.</p>')
    lane = thinned(lane)
    bounds = _bounds([lane.values, lane.low, lane.high])
    body = (
        _grid(lane, bounds)
        + _band(lane, bounds)
        + "".join(_region(lane, region) for region in lane.regions)
        + f'<path class="line" d="{_path(_times(lane), _ys(lane.values, bounds))}"/>'
        + "".join(_mark(lane, mark) for mark in lane.marks)
    )
    width, height = _CHART
    return Markup(  # noqa: S704 - foreign text is escaped where it enters
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(_description(lane))}">{body}</svg>'
    )


def thinned(lane: Lane) -> Lane:
    """At most 1,600 points, keeping the smallest and the largest of every stretch."""
    n = len(lane.values)
    if n <= _MAX_POINTS:
        return lane
    size = math.ceil(n / (_MAX_POINTS / 2))
    padded = np.full(math.ceil(n / size) * size, np.nan)
    padded[:n] = lane.values
    blocks = padded.reshape(-1, size)
    empty = ~np.isfinite(blocks).any(axis=1)
    low = np.where(empty, np.nan, np.min(np.where(np.isfinite(blocks), blocks, np.inf), axis=1))
    high = np.where(empty, np.nan, np.max(np.where(np.isfinite(blocks), blocks, -np.inf), axis=1))
    rising = np.nan_to_num(blocks[:, 0], nan=0.0) <= np.nan_to_num(blocks[:, -1], nan=0.0)
    values = np.stack([np.where(rising, low, high), np.where(rising, high, low)], axis=1).reshape(-1)
    step = max(1, round(lane.step_s * size / 2))
    edges = [_every(edge, size) for edge in (lane.low, lane.high)]
    return replace(lane, step_s=step, values=values, low=edges[0], high=edges[1])


def _every(edge: FloatArray | None, size: int) -> FloatArray | None:
    """An edge of the expected band at the two points of each stretch of `size` cells."""
    if edge is None:
        return None
    starts = np.arange(0, len(edge), size)
    return np.repeat(edge[starts], 2)


def _description(lane: Lane) -> str:
    odd = "; ".join(f"{region.severity} anomaly from {fmt.clock(region.start)}" for region in lane.regions)
    return (
        f"{lane.title} from {fmt.clock(lane.start)} to {fmt.clock(lane.end)} UTC, "
        f"between {fmt.number(float(np.nanmin(lane.values)), lane.unit)} and "
        f"{fmt.number(float(np.nanmax(lane.values)), lane.unit)}" + (f"; {odd}" if odd else "")
    )


def _bounds(columns: Sequence[FloatArray | None]) -> tuple[float, float]:
    finite = np.concatenate([column[np.isfinite(column)] for column in columns if column is not None])
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        pad = abs(low) * 0.05 or 1.0
        return low - pad, high + pad
    pad = (high - low) * 0.04
    return low - pad, high + pad


def _scaled(values: FloatArray, bounds: tuple[float, float], top: float, bottom: float) -> FloatArray:
    low, high = bounds
    scaled: FloatArray = bottom - (values - low) / (high - low) * (bottom - top)
    return scaled


def _ys(values: FloatArray, bounds: tuple[float, float]) -> FloatArray:
    return _scaled(values, bounds, _MARGIN_TOP, _CHART[1] - _MARGIN_BOTTOM)


def _times(lane: Lane) -> FloatArray:
    n = len(lane.values)
    xs: FloatArray = _MARGIN_LEFT + (np.arange(n) + 0.5) / n * (_CHART[0] - _MARGIN_LEFT)
    return xs


def _x(lane: Lane, instant: datetime) -> float:
    share = (instant - lane.start) / (lane.end - lane.start)
    return _MARGIN_LEFT + min(max(share, 0.0), 1.0) * (_CHART[0] - _MARGIN_LEFT)


def _path(xs: FloatArray, ys: FloatArray) -> str:
    parts: list[str] = []
    pen_down = False
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            parts.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
            pen_down = True
        else:
            pen_down = False
    return "".join(parts)


def _band(lane: Lane, bounds: tuple[float, float]) -> str:
    if lane.low is None or lane.high is None:
        return ""
    known = np.isfinite(lane.low) & np.isfinite(lane.high)
    parts: list[str] = []
    xs, lows, highs = _times(lane), _ys(lane.low, bounds), _ys(lane.high, bounds)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    half = (_CHART[0] - _MARGIN_LEFT) / len(xs) / 2
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        # From the left edge of the first cell to the right edge of the last one.
        columns = np.arange(first, last)
        across = np.concatenate([[xs[first] - half], xs[columns], [xs[last - 1] + half]])
        rows = np.concatenate([[first], columns, [last - 1]])
        upper = [f"{x:.1f} {highs[i]:.1f}" for x, i in zip(across, rows, strict=True)]
        lower = [f"{x:.1f} {lows[i]:.1f}" for x, i in zip(across[::-1], rows[::-1], strict=True)]
        parts.append(f'<path class="band" d="M{"L".join(upper + lower)}Z"/>')
    return "".join(parts)


def _region(lane: Lane, region: Region) -> str:
    first, last = _x(lane, region.start), _x(lane, region.end)
    if region.end <= lane.start or region.start >= lane.end:
        return ""
    height = _CHART[1] - _MARGIN_BOTTOM - _MARGIN_TOP
    title = f"<title>{escape(region.label)}</title>" if region.label else ""
    return (
        f'<rect class="region {region.severity}" x="{first:.1f}" y="{_MARGIN_TOP:g}" '
        f'width="{max(last - first, 2.0):.1f}" height="{height:g}">{title}</rect>'
    )


def _mark(lane: Lane, mark: Mark) -> str:
    if not lane.start <= mark.at < lane.end:
        return ""
    x, bottom = _x(lane, mark.at), _CHART[1] - _MARGIN_BOTTOM
    shape = _SHAPES.get(mark.label.partition(":")[0], _SHAPES["notice"])
    return (
        f'<path class="mark" d="M{x:.1f} {bottom - 5:g}{shape}"><title>{escape(mark.label)}</title></path>'
        f'<path class="mark-line" d="M{x:.1f} {_MARGIN_TOP:g}V{bottom:g}"/>'
    )


def _grid(lane: Lane, bounds: tuple[float, float]) -> str:
    parts: list[str] = []
    for tick in ticks(*bounds):
        y = float(_ys(np.array([tick]), bounds)[0])
        parts.append(
            f'<path class="grid" d="M{_MARGIN_LEFT:g} {y:.1f}H{_CHART[0]:g}"/>'
            f'<text class="tick" x="{_MARGIN_LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">'
            f"{fmt.number(tick)}</text>"
        )
    for instant in time_ticks(lane.start, lane.end):
        x = _x(lane, instant)
        text = f"{instant:%H:%M}" if lane.end - lane.start <= timedelta(days=2) else f"{instant:%m-%d %H:%M}"
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{_CHART[1] - 4:g}" text-anchor="middle">{text}</text>'
        )
    return "".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """Round values that divide an interval into three to six parts."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step)
    return [round(i * step, 12) for i in range(first, math.floor(high / step) + 1)]


def time_ticks(start: datetime, end: datetime) -> list[datetime]:
    """Round times in an interval, at most six and away from its edges."""
    span = (end - start).total_seconds()
    step = next((one for one in _TIME_STEPS if span / one <= 6), math.ceil(span / 6 / 86_400) * 86_400)
    first = math.ceil((start.timestamp() + span * 0.04) / step)
    last = math.floor((end.timestamp() - span * 0.04) / step)
    return [datetime.fromtimestamp(i * step, UTC) for i in range(first, last + 1)]


def _first(values: FloatArray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite[0]) if len(finite) else None
