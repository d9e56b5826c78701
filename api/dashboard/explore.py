"""The metrics explorer: which series are odd, together, and since when."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from api.dashboard.svg import sparkline
from api.doors import Doors
from db.anomalies import AnomalyFilter
from domain.series import FloatArray, Series, Window

View = Literal["grid", "lines", "pca"]
Group = Literal["all", "pnl_data", "trading_metrics", "market_data", "system_metrics", "system_logs"]
GROUPS: tuple[Group, ...] = (
    "all",
    "pnl_data",
    "trading_metrics",
    "market_data",
    "system_metrics",
    "system_logs",
)
SPANS = {"1h": 1, "6h": 6, "24h": 24}
PAGE = {"grid": 60, "lines": 12}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader wants to see; all of it stands in the address."""

    view: View
    group: Group
    window: str
    search: str
    only_odd: bool
    page: int
    candles: bool = False

    def address(self, **changes: object) -> str:
        """The address of the same choice with something changed."""
        now = {
            "view": self.view,
            "group": self.group,
            "window": self.window,
            "q": self.search,
            "odd": "1" if self.only_odd else "",
            "candles": "1" if self.candles else "",
        }
        return f"/explore?{urlencode({key: value for key, value in {**now, **changes}.items() if value})}"


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    anomalies: int
    value: float | None
    unit: str
    spark: Markup


@dataclass(frozen=True, slots=True)
class Explorer:
    choice: Choice
    tiles: list[Tile]
    total: int
    more: bool
    start: datetime
    end: datetime
    empty_reason: str


def explorer(door: Doors, choice: Choice) -> Explorer:
    """The series of a choice, those with most anomalies first."""
    end = door.service.now()
    start = end - timedelta(hours=SPANS[choice.window])
    held = held_window(door)
    counts = odd_counts(door, end - timedelta(hours=24))
    wanted = [(i, one) for i, one in enumerate(held.series) if _fits(one, choice, counts)]
    wanted.sort(key=lambda pair: (-counts[pair[1].name], pair[1].name))
    size = PAGE.get(choice.view, 0)
    shown = wanted[choice.page * size : (choice.page + 1) * size]
    seen = held.between(start, end)
    return Explorer(
        choice=choice,
        tiles=[_tile(one, seen.values[i], counts[one.name]) for i, one in shown],
        total=len(wanted),
        more=len(wanted) > (choice.page + 1) * size,
        start=start,
        end=end,
        empty_reason=_empty_reason(held, choice),
    )


def held_window(door: Doors) -> Window:
    """The window in memory; where there is none, that of the store."""
    held = door.service.window(door.service.step_s)
    if held is not None:
        return held
    now = door.service.now()
    return door.stores.samples.window(door.service.step_s, now - timedelta(hours=24), now)


def odd_counts(door: Doors, since: datetime) -> Counter[str]:
    """Anomalies per series since an instant."""
    found = door.stores.anomalies.iterate(AnomalyFilter(start=since))
    return Counter(name for one in found for name in one.affected_metrics[:1])


def _fits(series: Series, choice: Choice, counts: Counter[str]) -> bool:
    return (
        choice.group in {"all", series.source}
        and choice.search.lower() in series.name.lower()
        and (not choice.only_odd or counts[series.name] > 0)
    )


def _tile(series: Series, values: FloatArray, anomalies: int) -> Tile:
    known = values[np.isfinite(values)]
    last = float(known[-1]) if len(known) else None
    return Tile(series.name, anomalies, last, series.unit, sparkline(values))


def _empty_reason(held: Window, choice: Choice) -> str:
    if not len(held.series):
        return "No series has arrived yet: configure a source, or push samples to /api/v1/samples."
    if choice.only_odd:
        return "No series of this choice was anomalous in the last 24 hours."
    return f"None of the {len(held.series)} series fits this choice."


def complete_rows(held: Window, share: float = 0.9) -> Sequence[int]:
    """Series that have a value in at least this share of the cells, and that vary."""
    known = np.isfinite(held.values).mean(axis=1) >= share
    return [int(i) for i in np.flatnonzero(known) if float(np.nanstd(held.values[i])) > 0]
