"""What the charts of the pages draw: one series or the desk's PnL over a window, thinned for a screen."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.dashboard.chart_data import money_chart, series_chart
from api.doors import Door, Reader, errors
from api.json_body import StrictRoute
from api.paging import PlainNumber, check_order
from api.problem import invalid

router = APIRouter(prefix="/api/v1/chart", tags=["series"], route_class=StrictRoute)
_FIRST, _LAST = 0, 7_258_118_400
# Of more cells than this no screen shows anything, but the memory would be needed.
_MOST_CELLS = 500_000
Seconds = Annotated[int | None, PlainNumber, Query(ge=_FIRST, le=_LAST, description="Unix seconds.")]
Start = Annotated[
    int | None, PlainNumber, Query(alias="from", ge=_FIRST, le=_LAST, description="Unix seconds.")
]


def window_of(door: Door, start: Start = None, to: Seconds = None) -> tuple[datetime, datetime]:
    """The window of a picture; the last 24 hours without a range."""
    end = datetime.fromtimestamp(to, UTC) if to is not None else door.service.now()
    first = datetime.fromtimestamp(start, UTC) if start is not None else end - timedelta(hours=24)
    check_order(first, end)
    return first, end


ChartWindow = Annotated[tuple[datetime, datetime], Depends(window_of)]


@router.get("", responses=errors(404))
def chart(
    door: Door,
    _caller: Reader,
    window: ChartWindow,
    series: Annotated[str, Query(min_length=1, max_length=2_000)],
    candles: Annotated[bool, Query(description="Open, high, low and close of stretches.")] = False,
) -> dict[str, Any]:
    """A series on a grid with the band of what is usual, anomalous regions, event marks and detector votes.

    At most 1,600 points; of each stretch the smallest and the largest value are kept.
    """
    found = door.stores.series.named([series]).get(series)
    _check_cells(window, found.step_s if found is not None else door.service.step_s)
    return series_chart(door, series, window, candles=candles)


@router.get("/pnl", responses=errors())
def pnl(
    door: Door,
    _caller: Reader,
    window: ChartWindow,
    without: Annotated[str | None, Query(max_length=500, pattern=r"^([^:]+:.+)?$")] = None,
) -> dict[str, Any]:
    """The desk's PnL summed since the window began, also without one strategy, venue or symbol."""
    _check_cells(window, door.service.step_s)
    return money_chart(door, window, without or None)


def _check_cells(window: tuple[datetime, datetime], step_s: int) -> None:
    start, end = window
    if (end - start).total_seconds() / step_s > _MOST_CELLS:
        raise invalid("from", f"is more than {_MOST_CELLS:,} steps of {step_s} s before the end")
