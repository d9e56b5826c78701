"""Recurrence: a peak that keeps coming back is no news."""

import copy

import numpy as np

from detectors.surprise import LOG10_E
from domain.series import FloatArray

BLOCK = 48
KEPT = 12
ALIKE = 0.9
WEIGHT = 0.5


class Recurrence:
    """The largest block maxima of each series' past strength; fixed memory, one column at a time.

    Blocks are 48 columns. The running block and the one before it do not count, so that an anomaly does not
    excuse itself.
    """

    def __init__(self, n: int = 0) -> None:
        self._peaks = np.zeros((KEPT, n), dtype=np.float32)
        self._current = np.zeros(n, dtype=np.float32)
        self._previous = np.zeros(n, dtype=np.float32)
        self._columns = 0

    def grow(self, n: int) -> None:
        """Append series without a past up to n."""
        more = n - len(self._current)
        self._peaks = np.pad(self._peaks, ((0, 0), (0, more)))
        self._current = np.pad(self._current, (0, more))
        self._previous = np.pad(self._previous, (0, more))

    def copy(self) -> "Recurrence":
        """An independent copy."""
        return copy.deepcopy(self)

    def discounted(self, strength: FloatArray) -> FloatArray:
        """Strength less the logarithm of how often the past was about as strong, shape (n_series,)."""
        alike = (self._peaks >= ALIKE * np.maximum(strength, 1e-3)).sum(axis=0)
        less: FloatArray = np.maximum(strength - WEIGHT * LOG10_E * np.log1p(alike), 0.0)
        return less

    def learn(self, strength: FloatArray) -> None:
        """Take in one column of (undiscounted) strengths; NaN counts as quiet."""
        quiet = np.where(np.isfinite(strength), strength, 0.0)
        np.maximum(self._current, quiet, out=self._current, casting="unsafe")
        self._columns += 1
        if self._columns % BLOCK:
            return
        weakest = self._peaks.argmin(axis=0)
        rows = np.arange(len(weakest))
        self._peaks[weakest, rows] = np.maximum(self._peaks[weakest, rows], self._previous)
        self._previous, self._current = self._current, np.zeros_like(self._current)
