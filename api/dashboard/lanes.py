"""Stored samples as lanes of a chart: on a grid, with what was expected and what was anomalous."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from api.dashboard.svg import Lane, Mark, Region
from api.stores import Stores
from domain.anomaly import SEVERITIES, Anomaly
from domain.event import Event
from domain.series import FloatArray, IntArray, Series, floor_to_step
from domain.timestamps import to_microseconds

_MAX_CELLS = 20_000


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
    low, high = _band(own, start, step, values)
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


def _columns(times: IntArray, start: datetime, step: int) -> IntArray:
    columns: IntArray = (times - to_microseconds(start)) // (step * 1_000_000)
    return columns


def _step(series: Series, window: tuple[datetime, datetime]) -> int:
    seconds = (window[1] - window[0]).total_seconds()
    factor = max(1, int(seconds / series.step_s / _MAX_CELLS) + (seconds / series.step_s > _MAX_CELLS))
    return series.step_s * factor


def _band(
    anomalies: Sequence[Anomaly], start: datetime, step: int, values: FloatArray
) -> tuple[FloatArray | None, FloatArray | None]:
    """What was expected while a series was anomalous; an open side is drawn to the edge of the data."""
    finite = values[np.isfinite(values)]
    if not len(finite) or all(one.expected.low is None and one.expected.high is None for one in anomalies):
        return None, None
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for one in anomalies:
        if one.expected.low is None and one.expected.high is None:
            continue
        first = max(0, int((one.timestamp - start).total_seconds() // step))
        last = len(values)
        if one.ended_at is not None:
            last = max(0, int((one.ended_at - start).total_seconds() // step))
        low[first:last] = float(finite.min()) if one.expected.low is None else one.expected.low
        high[first:last] = float(finite.max()) if one.expected.high is None else one.expected.high
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
