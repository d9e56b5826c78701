"""Windows: all series of one step width on one grid, read in bulk."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from db import chunks
from db.columns import Columns
from db.database import Database
from db.grid import MICROS, Grid
from db.journal import SharedTail
from db.series import SeriesStore
from domain.errors import InvalidInput
from domain.series import Series, Window, floor_to_step
from domain.timestamps import to_microseconds


class WindowReader:
    """Reads chunks once and lays the journal over them."""

    def __init__(self, database: Database, series: SeriesStore, tail: SharedTail) -> None:
        self._database = database
        self._series = series
        self._tail = tail

    def window(
        self, step_s: int, start: datetime, end: datetime, series: Sequence[Series] | None = None
    ) -> Window:
        """The cells of [start, end), the first one floored to a multiple of the step.

        Args:
            step_s: width of a cell in seconds.
            start: inclusive.
            end: exclusive; a cell that it cuts belongs to the window.
            series: only these, in this order; None means all with this step, by id.

        Raises:
            InvalidInput: the end is not after the start, or the window has over 100 million cells.
        """
        chosen = [one for one in self._series.all() if one.step_s == step_s] if series is None else series
        first = floor_to_step(start, step_s)
        start_us, step = to_microseconds(first), step_s * MICROS
        n_steps = -(-(to_microseconds(end) - start_us) // step)
        if n_steps < 1:
            raise InvalidInput("end", "must be after the start")
        if n_steps * max(len(chosen), 1) > 100_000_000:
            raise InvalidInput("start", "the window is too large; read it in blocks")
        grid = Grid([one.id for one in chosen], start_us, step, n_steps)
        if chosen:
            self._fill(grid, chosen, start_us - step, start_us + n_steps * step)
        return Window(tuple(chosen), step_s, first, grid.values)

    def history(self, step_s: int, start: datetime, end: datetime, block: int) -> Iterator[Window]:
        """Windows over the same time, each with at most `block` series, by series id."""
        chosen = [one for one in self._series.all() if one.step_s == step_s]
        for i in range(0, len(chosen), block):
            yield self.window(step_s, start, end, chosen[i : i + block])

    def _fill(self, grid: Grid, series: Sequence[Series], start: int, end: int) -> None:
        """Lay samples of [start, end) over the grid; `start` is one cell early for counters' first step."""
        ids = np.array([one.id for one in series], dtype=np.int64)
        before = self._tail.tail
        with self._database.read() as connection:
            tail = self._tail.caught_up(connection, before)
            parts = chunks.of_all(connection, start, end, (int(ids.min()), int(ids.max())))
        late = tail.between(start, end)
        counters = np.array([one.id for one in series if one.kind == "counter"], dtype=np.int64)
        if len(counters):
            both = [part.where(np.isin(part.ids, counters)) for part in (*parts, late)]
            grid.lay_increases(Columns.joined(both).latest())
            parts = [part.where(~np.isin(part.ids, counters)) for part in parts]
            late = late.where(~np.isin(late.ids, counters))
        for part in (*parts, late):
            grid.lay(part)
