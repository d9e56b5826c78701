"""A lane as the chart reads it: columns on a grid, thinned to twice the pixels, every extreme kept."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from api.dashboard.lanes import cells, lane
from api.dashboard.svg import Lane, thinned
from api.doors import Doors
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly
from domain.errors import InvalidInput, NotFound
from domain.event import Event
from domain.series import FloatArray, floor_to_step

MARK_KINDS = {"deploy", "config_change", "notice", "news"}
_DIGITS = 7
_LONGEST_ANOMALY = timedelta(days=2)
_MAX_REGIONS = 100
_MOST_CANDLES = 60
_MOST_RIBBONS = 5
_PNL_METRICS = ("pnl", "realized_pnl", "pnl_usd")


def series_chart(
    door: Doors, name: str, window: tuple[datetime, datetime], *, candles: bool = False
) -> dict[str, Any]:
    """One series with its band, regions, marks and votes; raises NotFound for an unknown series.

    With `candles` the values are the last ones of some fifty stretches, with the first, largest and smallest.
    """
    if name not in door.stores.series.named([name]):
        raise NotFound("series", name)
    anomalies = around(door, window, name)
    drawn = lane(door.stores, name, window, anomalies, marks(door, window))
    shown = _candles(drawn) if candles else _columns(drawn)
    return {**shown, "regions": _regions(drawn, anomalies), "votes": _votes(drawn, anomalies)}


def _candles(drawn: Lane) -> dict[str, Any]:
    """The lane in stretches of whole cells: `y` is the close, `candles` are open, high and low."""
    size = max(1, math.ceil(len(drawn.values) / _MOST_CANDLES))
    padded = np.full(math.ceil(len(drawn.values) / size) * size, np.nan)
    padded[: len(drawn.values)] = drawn.values
    blocks = padded.reshape(-1, size)
    known = np.isfinite(blocks)
    some = known.any(axis=1)
    rows, last = np.arange(len(blocks)), size - 1 - np.argmax(known[:, ::-1], axis=1)
    high = np.where(some, np.max(np.where(known, blocks, -np.inf), axis=1), np.nan)
    low = np.where(some, np.min(np.where(known, blocks, np.inf), axis=1), np.nan)
    first = blocks[rows, np.argmax(known, axis=1)]
    closed = replace(drawn, step_s=drawn.step_s * size, values=blocks[rows, last], low=None, high=None)
    return {**_columns(closed), "candles": [_plain(one) for one in (first, high, low)]}


def money_chart(door: Doors, window: tuple[datetime, datetime], without: str | None) -> dict[str, Any]:
    """PnL summed over all books since the window began.

    With `without` (such as `venue:bybit`) `alt` is what it were without that part.
    """
    step = door.service.step_s
    start = floor_to_step(window[0], step)
    n = max(1, int((window[1] - start) / timedelta(seconds=step)))
    total, rest, unit = np.zeros(n), np.zeros(n), ""
    label, value = _part(without)
    for one in _books(door):
        gains = np.nan_to_num(cells(door.stores, one, start, step, n))
        total, unit = total + gains, one.unit or unit
        rest += 0.0 if one.key.label(label) == value else gains
    drawn = Lane("PnL since the window began", unit, start, step, np.cumsum(total))
    shown = {**_columns(drawn), "regions": [], "votes": []}
    if without is not None:
        shown["alt"] = _plain(thinned(Lane("", unit, start, step, np.cumsum(rest))).values)
    return shown


def _books(door: Doors) -> list[Any]:
    for metric in _PNL_METRICS:
        found = door.stores.series.find(metric=metric, labels={}, limit=500, cursor=None)
        if found.items:
            return list(found.items)
    return []


def _part(without: str | None) -> tuple[str, str]:
    label, colon, value = (without or ":").partition(":")
    if not colon:
        raise InvalidInput("without", "must read like venue:bybit")
    return label, value


def around(door: Doors, window: tuple[datetime, datetime], metric: str | None = None) -> list[Anomaly]:
    """The anomalies that touch a window."""
    wanted = AnomalyFilter(start=window[0] - _LONGEST_ANOMALY, end=window[1], metric=metric)
    found = door.stores.anomalies.list(wanted, _MAX_REGIONS).items
    return [one for one in found if one.ended_at is None or one.ended_at > window[0]]


def marks(door: Doors, window: tuple[datetime, datetime]) -> list[Event]:
    """What happened outside the series: deploys, changes, notices, headlines."""
    found = door.stores.events.between(*window, limit=500)
    return [event for event in found if event.kind in MARK_KINDS][:20]


def _columns(drawn: Lane) -> dict[str, Any]:
    small = thinned(drawn)
    return {
        "title": small.title,
        "unit": small.unit,
        "start": int(small.start.timestamp()),
        "step": small.step_s,
        "y": _plain(small.values),
        "lo": None if small.low is None else _plain(small.low),
        "hi": None if small.high is None else _plain(small.high),
        "marks": [
            {"t": int(one.at.timestamp()), "label": one.label, "kind": one.label.partition(":")[0]}
            for one in small.marks
        ],
    }


def _plain(values: FloatArray) -> list[float | None]:
    """Seven digits are more than any screen shows; None for a gap."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values]


def _regions(drawn: Lane, anomalies: Sequence[Anomaly]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.label.partition(":")[0],
            "from": int(one.start.timestamp()),
            "to": int(one.end.timestamp()),
            "severity": one.severity,
            "label": one.label,
        }
        for one in drawn.regions
        if anomalies and one.end > drawn.start
    ]


def _votes(drawn: Lane, anomalies: Sequence[Anomaly]) -> list[dict[str, Any]]:
    """One ribbon per detector; beyond a few they would leave no room for the line."""
    own = [one for one in anomalies if drawn.title in one.affected_metrics]
    names = list(dict.fromkeys(f"{one.rule} ({one.method})" for one in own))[:_MOST_RIBBONS]
    return [
        {
            "name": f"{one.rule} ({one.method})",
            "from": int(one.timestamp.timestamp()),
            "to": int((one.ended_at or drawn.end).timestamp()),
        }
        for one in own
        if f"{one.rule} ({one.method})" in names
    ]
