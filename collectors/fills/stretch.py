"""Which cells an account is stated for, and which of them are written."""

from collections.abc import Sequence
from datetime import timedelta

from collectors.collector import Position
from collectors.fills.books import MAX_CELLS, Grid
from collectors.fills.settings import BookSource
from domain.errors import SourceError
from domain.series import floor_to_step
from domain.timestamps import from_microseconds, to_microseconds

_HOUR_US = 3_600_000_000


def sharpe_cells(settings: BookSource) -> int:
    """Cells in the window of the rolling Sharpe ratio."""
    return max(2, round(settings.sharpe_hours * 3_600 / settings.step))


def grid_of(name: str, start: int, until: int, step_s: int) -> Grid:
    """The whole cells in [start, until), microseconds since 1970; raises SourceError where too many."""
    step = step_s * 1_000_000
    n = max(0, (until - start) // step)
    if n > MAX_CELLS:
        raise SourceError(name, "fills reach back too far for this step; raise step_seconds", permanent=True)
    return Grid(start, step, n)


def first_cell(settings: BookSource, since: Position, changed: Sequence[int], grid: Grid, until: int) -> int:
    """The first cell to write: the first that is new, or that something changed."""
    oldest = until - int(settings.backfill_hours * _HOUR_US)
    if since.watermark is None or "settled" not in since.cursor:
        start = oldest if since.watermark is None else to_microseconds(since.watermark)
        return grid.cell_of(max(start, oldest))
    return grid.cell_of(max(oldest, min([to_microseconds(since.watermark), *changed])))


def settled_at(settings: BookSource, before: int, until: int) -> int:
    """Up to when fills are settled, at the edge of a cell; never earlier than before."""
    behind = from_microseconds(until) - timedelta(hours=settings.settle_hours)
    return max(before, to_microseconds(floor_to_step(behind, settings.step)))


class Untold:
    """Times of changes that no stored page has told of yet: a page may be lost before it is stored."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._told = 0

    def add(self, since: Position, changed: Sequence[int], until: int) -> list[int]:
        """All such times, with those of a page that is made now up to `until`."""
        stored = since.watermark is not None and to_microseconds(since.watermark) >= self._told
        self._times = [*([] if stored else self._times), *changed]
        self._told = until
        return self._times
