"""The window of the running service: loaded once, then advanced by new points only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from domain.series import FloatArray, IntArray, SampleBatch, Series, Window
from domain.timestamps import from_microseconds, to_microseconds


def increases(cumulative: FloatArray) -> FloatArray:
    """Turn counters into their increase per cell.

    A value below its predecessor is a reset: the counter started again at zero, so the increase is the
    value itself (the rule of Prometheus' `increase`). After a gap the increase is unknown, hence NaN.

    Args:
        cumulative: shape (n_series, n_steps + 1); column 0 only serves as the predecessor of column 1.

    Returns:
        Increases of shape (n_series, n_steps).
    """
    change = np.diff(cumulative, axis=1)
    reset = change < 0
    change[reset] = cumulative[:, 1:][reset]
    return change


@dataclass(frozen=True, slots=True)
class Change:
    """What an advance altered: the first column that must be looked at again, and how many cells."""

    first_column: int
    cells: int


class LiveWindow:
    """The last `n_steps` cells of every series with one step width; not safe for concurrent writers.

    Memory: 12 bytes a cell, grown by half when new series arrive.
    """

    def __init__(self, step_s: int, n_steps: int, now: datetime) -> None:
        self.step_s = step_s
        self.n_steps = n_steps
        self._step_us = step_s * 1_000_000
        self._rows: dict[int, int] = {}
        self._series: list[Series] = []
        self._raw: FloatArray = np.full((0, n_steps + 1), np.nan)
        # Milliseconds into its cell at which the held sample was taken: an older one must not replace it.
        self._taken: NDArray[np.int32] = np.full((0, n_steps + 1), -1, dtype=np.int32)
        # The absolute number of the cell in the last column; column 0 of _raw precedes the window.
        self._last_cell = to_microseconds(now) // self._step_us
        self._dirty_from = n_steps

    @property
    def start(self) -> datetime:
        return from_microseconds((self._last_cell - self.n_steps + 1) * self._step_us)

    def __len__(self) -> int:
        return len(self._series)

    def add_series(self, series: Iterable[Series]) -> None:
        """Make room for series that are not yet known; known ones are updated in place."""
        new = []
        for one in series:
            if one.id in self._rows:
                self._series[self._rows[one.id]] = one
            else:
                self._rows[one.id] = len(self._series)
                self._series.append(one)
                new.append(one)
        missing = len(self._series) - self._raw.shape[0]
        if new and missing > 0:
            grown = max(missing, self._raw.shape[0] // 2)
            shape = (grown, self.n_steps + 1)
            self._raw = np.concatenate([self._raw, np.full(shape, np.nan)])
            self._taken = np.concatenate([self._taken, np.full(shape, -1, dtype=np.int32)])

    def load(self, raw: Window) -> None:
        """Fill the window from storage.

        Args:
            raw: shape (n_series, n_steps + 1) from one cell before the window on, counters as read.
        """
        self._last_cell = to_microseconds(raw.start) // self._step_us + self.n_steps
        self.add_series(raw.series)
        rows = np.asarray([self._rows[one.id] for one in raw.series], dtype=np.intp)
        self._raw[rows] = raw.values
        self._taken[rows] = np.where(np.isfinite(raw.values), 0, -1)
        self._dirty_from = 0

    def advance(self, batch: SampleBatch, now: datetime) -> Change:
        """Move the grid so that the last column holds `now`, then put every sample into its cell.

        Samples before the window or after the cell of `now` are left to storage. Several samples of one
        cell: the latest timestamp wins, of equal ones the later row.
        """
        self._move_to(to_microseconds(now) // self._step_us)
        self.add_series(one for one in batch.series if one.step_s == self.step_s)
        cells = self._place(batch)
        change = Change(self._dirty_from, cells)
        self._dirty_from = self.n_steps
        return change

    def view(self) -> Window:
        """The current window as a copy with counters as increases, rows in ascending order of series id."""
        order = sorted(range(len(self._series)), key=lambda row: self._series[row].id)
        raw = self._raw[np.asarray(order, dtype=np.intp)]
        values = raw[:, 1:].copy()
        counters = [i for i, row in enumerate(order) if self._series[row].kind == "counter"]
        if counters:
            values[counters] = increases(raw[counters])
        return Window(tuple(self._series[row] for row in order), self.step_s, self.start, values)

    def _move_to(self, cell: int) -> None:
        moved = cell - self._last_cell
        if moved <= 0:
            return
        width = self.n_steps + 1
        kept = max(width - moved, 0)
        self._raw[:, :kept] = self._raw[:, width - kept :].copy()
        self._raw[:, kept:] = np.nan
        self._taken[:, :kept] = self._taken[:, width - kept :].copy()
        self._taken[:, kept:] = -1
        self._last_cell = cell
        self._dirty_from = max(0, min(self._dirty_from, self.n_steps) - moved)

    def _place(self, batch: SampleBatch) -> int:
        rows = self._rows_of(batch)
        columns = batch.timestamps // self._step_us - self._last_cell + self.n_steps
        inside = (rows >= 0) & (columns >= 0) & (columns <= self.n_steps)
        if not inside.any():
            return 0
        rows, columns = rows[inside], columns[inside]
        # A stable sort by time leaves the winner of each cell last.
        order = np.argsort(batch.timestamps[inside], kind="stable")
        flat = (rows * (self.n_steps + 1) + columns)[order]
        last = len(flat) - 1 - np.unique(flat[::-1], return_index=True)[1]
        target, winners = flat[last], batch.values[inside][order][last]
        taken = (batch.timestamps[inside][order][last] % self._step_us // 1000).astype(np.int32)
        newer = taken >= self._taken.reshape(-1)[target]
        target, winners = target[newer], winners[newer]
        self._taken.reshape(-1)[target] = taken[newer]
        raw = self._raw.reshape(-1)
        changed = raw[target] != winners
        raw[target] = winners
        if changed.any():
            first = int((target[changed] % (self.n_steps + 1)).min()) - 1
            self._dirty_from = min(self._dirty_from, max(first, 0))
        return int(changed.sum())

    def _rows_of(self, batch: SampleBatch) -> IntArray:
        rows = [self._rows.get(one.id, -1) if one.step_s == self.step_s else -1 for one in batch.series]
        return np.asarray(rows, dtype=np.int64)[batch.index]
