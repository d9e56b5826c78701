"""Neighbours: how far a row of a table is from everything seen before (Ramaswamy and others, 2000).

A reservoir of past rows, thinned evenly as it fills, stands for the past. Columns are measured in
widths of their own range so far; a column that has stayed within [0, 1] is read as a share of a known whole,
whose width is 1. Both the value and its short mean are compared, so that a small lasting change counts.
"""

import numpy as np

from domain.series import FloatArray

CAPACITY = 1_024
NEAREST = 10
BLOCK = 64
FEWEST = 20
SHORT = 1 / 6
VALUE_WEIGHT, MEAN_WEIGHT = 0.6, 0.85


class Neighbours:
    """State of one table with n columns; rows join the reservoir at the end of a block of 64."""

    def __init__(self, n: int) -> None:
        self._rows = np.zeros((0, 2 * n))
        self._scaled = np.zeros((0, 2 * n))
        self._norms = np.zeros(0)
        self._waiting: list[FloatArray] = []
        self._stride = 1
        self._count = 0
        self._last = np.zeros(n)
        self._mean = np.zeros(n)
        self._low = np.full(n, np.inf)
        self._high = np.full(n, -np.inf)
        self._weight = np.zeros(2 * n)

    def step(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Distance of a row to its neighbours in the past, then learn the row.

        Args:
            x: shape (n,); NaN carries the last value forward.

        Returns:
            The root mean square distance to the 10 nearest (0 while there are fewer than 20), and each
            column's share of it, shape (n,).
        """
        self._last = np.where(np.isfinite(x), x, self._last)
        start = np.where(np.isfinite(self._low), self._mean, self._last)
        self._mean = start + SHORT * (self._last - start)
        row = np.concatenate([self._last, self._mean])
        distance, share = self._distance(row)
        self._learn(row, x)
        return distance, share

    def _distance(self, row: FloatArray) -> tuple[float, FloatArray]:
        n = len(self._last)
        if len(self._scaled) < FEWEST:
            return 0.0, np.zeros(n)
        scaled = row * self._weight
        squares = self._norms + float(scaled @ scaled) - 2.0 * (self._scaled @ scaled)
        nearest = np.argpartition(squares, NEAREST)[:NEAREST]
        gaps = np.square(self._scaled[nearest] - scaled).mean(axis=0)
        by_column = gaps[:n] + gaps[n:]
        total = float(by_column.sum())
        return float(np.sqrt(total)), by_column / max(total, 1e-300)

    def _learn(self, row: FloatArray, x: FloatArray) -> None:
        self._low = np.fmin(self._low, x)
        self._high = np.fmax(self._high, x)
        if self._count % self._stride == 0:
            self._waiting.append(row)
        self._count += 1
        if self._count % BLOCK == 0:
            self._refresh()

    def _refresh(self) -> None:
        if self._waiting:
            self._rows = np.concatenate([self._rows, np.array(self._waiting)])
            self._waiting = []
        if len(self._rows) > CAPACITY:
            self._rows = self._rows[::2]
            self._stride *= 2
        width = np.where(self._high > self._low, self._high - self._low, 0.0)
        share = (self._low >= 0.0) & (self._high <= 1.0) & (width > 1e-9)
        width = np.where(share, 1.0, width)
        usable = width > 1e-9 * np.maximum(np.abs(self._high), np.abs(self._low))
        weight = np.where(usable & np.isfinite(width), 1.0 / np.where(usable, width, 1.0), 0.0)
        self._weight = np.concatenate([VALUE_WEIGHT * weight, MEAN_WEIGHT * weight])
        self._scaled = self._rows * self._weight
        self._norms = np.square(self._scaled).sum(axis=1)


def distances(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What `Neighbours.step` returns for every row of a table.

    Args:
        values: shape (n_rows, n_columns).

    Returns:
        Distances of shape (n_rows,) and shares of shape (n_rows, n_columns).
    """
    state = Neighbours(values.shape[1])
    rows = [state.step(row) for row in values]
    return np.array([one for one, _ in rows]), np.array([share for _, share in rows]).reshape(values.shape)
