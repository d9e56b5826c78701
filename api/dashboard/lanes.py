"""Stored samples as lanes of a chart: on a grid, with what was expected and what was anomalous."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from api.dashboard.svg import Lane, Mark, Region
from api.stores import Stores
from domain.anomaly import SEVERITIES, Anomaly, Expected
from domain.event import Event
from domain.series import FloatArray, IntArray, Series, floor_to_step
from domain.timestamps import to_microseconds

# Finer than this no cell is kept; pictures thin what is left and keep its extremes.
_MAX_CELLS = 4_000_000
_BAND_DAYS = 7
_MIN_BAND_DAYS = 3
_BAND_WIDTH = 4.0 * 1.4826
# The lower and the upper edge of a band, shape (n,) each, NaN where unknown.
Edges = tuple[FloatArray | None, FloatArray | None]


def lane(
    stores: Stores,
    name: str,
    window: tuple[datetime, datetime],
    anomalies: Sequence[Anomaly] = (),
    events: Sequence[Event] = (),
) -> Lane:
    """A series over a window; one that is not registered is a lane without values."""
    series = stores.series.named([name]).get(name)
    if series is None:
        return Lane(name, "", window[0], 300, np.empty(0))
    step = _step(series, window)
    start = floor_to_step(window[0], step)
    n = max(1, int((window[1] - start) / timedelta(seconds=step)))
    values = cells(stores, series, start, step, n)
    own = [one for one in anomalies if name in one.affected_metrics]
    low, high = _expected(usual(stores, series, start, step, n), _band(own, start, step, values))
    end = start + timedelta(seconds=step * n)
    return Lane(
        title=name,
        unit=series.unit,
        start=start,
        step_s=step,
        values=values,
        low=low,
        high=high,
        regions=merged([_region(one, step, end) for one in own]),
        marks=tuple(Mark(event.timestamp, f"{event.kind}: {event.text[:200]}") for event in events),
    )


def cells(stores: Stores, series: Series, start: datetime, step: int, n: int) -> FloatArray:
    """The last value of each cell, shape (n,), NaN for a gap; counters as increases."""
    end = start + timedelta(seconds=step * n)
    before = start - timedelta(seconds=step) if series.kind == "counter" else start
    times, values = stores.samples.read(series.id, before, end)
    offset = 1 if series.kind == "counter" else 0
    grid = np.full(n + offset, np.nan)
    if len(times):
        grid[_columns(times, before, step)] = values
    if series.kind != "counter":
        return grid
    rise = np.diff(grid)
    # A counter that fell was reset: what it shows is what came since.
    return np.where(rise < 0, grid[1:], rise)


def usual(stores: Stores, series: Series, start: datetime, step: int, n: int) -> Edges:
    """The range of the same time of day over the seven days before; (None, None) with less than three days.

    Returns:
        Lower and upper edges of shape (n,), NaN where too few of the days have a value.
    """
    day = 86_400 // step
    if n > day or 86_400 % step:
        return None, None
    days = [cells(stores, series, start - timedelta(days=ago), step, n) for ago in range(1, _BAND_DAYS + 1)]
    grid = np.stack(days)
    enough = np.isfinite(grid).sum(axis=0) >= _MIN_BAND_DAYS
    if not enough.any():
        return None, None
    centre, spread = np.full(n, np.nan), np.nan
    centre[enough] = np.nanmedian(grid[:, enough], axis=0)
    spread = float(np.nanmedian(np.abs(grid[:, enough] - centre[enough])))
    centre = _smoothed(centre)
    return centre - _BAND_WIDTH * spread, centre + _BAND_WIDTH * spread


def _smoothed(values: FloatArray, half: int = 3) -> FloatArray:
    """The median of a few neighbours, shape kept: seven days alone make a ragged edge."""
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    known = np.isfinite(windows).any(axis=1)
    smooth = np.full(len(values), np.nan)
    smooth[known] = np.nanmedian(windows[known], axis=1)
    return smooth


def _columns(times: IntArray, start: datetime, step: int) -> IntArray:
    columns: IntArray = (times - to_microseconds(start)) // (step * 1_000_000)
    return columns


def _step(series: Series, window: tuple[datetime, datetime]) -> int:
    seconds = (window[1] - window[0]).total_seconds()
    factor = max(1, int(seconds / series.step_s / _MAX_CELLS) + (seconds / series.step_s > _MAX_CELLS))
    return series.step_s * factor


def _expected(usual_band: Edges, told: Edges) -> Edges:
    """One band for the whole window: what is usual at this time of day, else what the detector expected.

    A detector learns while an anomaly lasts; a band that follows the loss would make it look expected.
    """
    (low, high), (told_low, told_high) = usual_band, told
    if low is None or high is None or told_low is None or told_high is None:
        return (told_low, told_high) if low is None else (low, high)
    known = np.isfinite(low) & np.isfinite(high)
    return np.where(known, low, told_low), np.where(known, high, told_high)


def _band(anomalies: Sequence[Anomaly], start: datetime, step: int, values: FloatArray) -> Edges:
    """What was expected while a series was anomalous; an open side is drawn to the edge of the data."""
    finite = values[np.isfinite(values)]
    if not len(finite) or all(one.expected.low is None and one.expected.high is None for one in anomalies):
        return None, None
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    # Where several overlap the first one stands: what came later has learned from it.
    for one in sorted(anomalies, key=lambda one: one.timestamp, reverse=True):
        if one.expected.low is None and one.expected.high is None:
            continue
        first = max(0, int((one.timestamp - start).total_seconds() // step))
        last = len(values)
        if one.ended_at is not None:
            last = max(0, int((one.ended_at - start).total_seconds() // step))
        low[first:last], high[first:last] = _edges(one.expected, finite)
    return low, high


def _edges(expected: Expected, finite: FloatArray) -> tuple[float, float]:
    """Both edges of what was expected; an open side reaches to the data's edge, or beyond the other side."""
    low, high = expected.low, expected.high
    if low is None:
        low = min([float(finite.min())] + ([high] if high is not None else []))
    if high is None:
        high = max(float(finite.max()), low)
    return low, high


def merged(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Regions that overlap as one, with the worst of their severities: several detectors saw one thing."""
    found: list[Region] = []
    for one in sorted(regions, key=lambda region: region.start):
        if found and one.start < found[-1].end:
            found[-1] = _union(found[-1], one)
        else:
            found.append(one)
    return tuple(found)


def _union(first: Region, second: Region) -> Region:
    worst = max(first, second, key=lambda region: SEVERITIES.index(region.severity))
    return Region(first.start, max(first.end, second.end), worst.severity, f"{first.label}; {second.label}")


def _region(anomaly: Anomaly, step: int, now: datetime) -> Region:
    end = max(anomaly.ended_at or now, anomaly.timestamp + timedelta(seconds=step))
    return Region(anomaly.timestamp, end, anomaly.severity, f"{anomaly.id}: {anomaly.severity}")
