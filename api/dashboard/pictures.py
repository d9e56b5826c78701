"""Lanes as figures: drawn on the server, with the address from which a script draws them live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from markupsafe import Markup

from api.dashboard.chart_data import marks
from api.dashboard.lanes import lane
from api.dashboard.svg import Lane, chart
from api.doors import Doors
from domain.anomaly import Anomaly

_MAX_LANES = 6


@dataclass(frozen=True, slots=True)
class Picture:
    lane: Lane
    svg: Markup
    address: str


def pictures(
    door: Doors, names: Sequence[str], window: tuple[datetime, datetime], anomalies: Sequence[Anomaly]
) -> list[Picture]:
    """At most six series over one window, with what happened meanwhile."""
    events = marks(door, window)
    lanes = [lane(door.stores, name, window, anomalies, events) for name in names[:_MAX_LANES]]
    return [Picture(one, chart(one), chart_address(one.title, window)) for one in lanes]


def chart_address(name: str, window: tuple[datetime, datetime]) -> str:
    """Where the columns of a series are."""
    first, last = seconds(window)
    return f"/api/v1/chart?{urlencode({'series': name, 'from': first, 'to': last})}"


def seconds(window: tuple[datetime, datetime]) -> tuple[int, int]:
    """A window in unix seconds, as it stands in addresses."""
    return int(window[0].timestamp()), int(window[1].timestamp())


def money_address(window: tuple[datetime, datetime]) -> str:
    """Where the desk's PnL over a window is."""
    first, last = seconds(window)
    return f"/api/v1/chart/pnl?{urlencode({'from': first, 'to': last})}"
