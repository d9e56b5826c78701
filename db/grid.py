"""From samples at any time to a regular grid: last sample per cell, increases of counters."""

from collections.abc import Sequence

import numpy as np

from db.columns import Columns
from domain.series import FloatArray, IntArray

MICROS = 1_000_000


class Grid:
    """A matrix of cells that takes samples in any order; of one cell the sample with the last time wins.

    Args:
        ids: series ids, one per row.
        start: microseconds at which column 0 begins.
        step: width of a column in microseconds.
        n_steps: number of columns.
    """

    def __init__(self, ids: Sequence[int], start: int, step: int, n_steps: int) -> None:
        self._start = start
        self._step = step
        self._n_steps = n_steps
        self._row = np.full(max(ids, default=0) + 2, -1, dtype=np.int64)
        self._row[np.asarray(ids, dtype=np.int64)] = np.arange(len(ids))
        self._times = np.full(len(ids) * n_steps, np.iinfo(np.int64).min)
        self._flat = np.full(len(ids) * n_steps, np.nan)

    @property
    def values(self) -> FloatArray:
        """Shape (len(ids), n_steps), NaN where no sample fell."""
        shaped: FloatArray = self._flat.reshape(-1, self._n_steps)
        return shaped

    def lay(self, columns: Columns) -> None:
        """Lay samples over the grid; where the columns hold one cell's samples in order of time.

        Of two samples with the same time the one that is laid later wins.
        """
        cells, columns = self._cells(columns)
        newer = columns.times >= self._times[cells]
        cells = cells[newer]
        self._times[cells] = columns.times[newer]
        self._flat[cells] = columns.values[newer]

    def lay_increases(self, columns: Columns) -> None:
        """Lay a counter's increases; `columns` is sorted by series and time and has no repeated keys.

        An increase belongs to the cell of its later sample. A fall is a reset: the counter began at zero
        again. Nothing is known about a cell whose sample follows a gap of a whole cell or more.
        """
        if len(columns) < 2:
            return
        rows = self._rows(columns.ids)
        cell = (columns.times - self._start) // self._step
        step = np.diff(columns.values)
        increase = np.where(step >= 0, step, columns.values[1:])
        known = (columns.ids[1:] == columns.ids[:-1]) & (np.diff(cell) <= 1)
        inside = known & (cell[1:] >= 0) & (cell[1:] < self._n_steps) & (rows[1:] >= 0)
        flat = rows[1:][inside] * self._n_steps + cell[1:][inside]
        total = np.bincount(flat, increase[inside], len(self._flat))
        self._flat[flat] = total[flat]

    def _rows(self, ids: IntArray) -> IntArray:
        rows: IntArray = self._row[np.minimum(ids, len(self._row) - 1)]
        return rows

    def _cells(self, columns: Columns) -> tuple[IntArray, Columns]:
        rows = self._rows(columns.ids)
        column = (columns.times - self._start) // self._step
        inside = (rows >= 0) & (column >= 0) & (column < self._n_steps)
        if not inside.all():
            rows, column, columns = rows[inside], column[inside], columns.where(inside)
        return rows * self._n_steps + column, columns
