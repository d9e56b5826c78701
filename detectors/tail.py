"""Calibration: the causal tail probability of a statistic within its own series' history.

The surprises of a series have, beyond a high quantile, an exponential tail (equivalently a Pareto tail of
the underlying probability). Two numbers per series describe it: the quantile, followed by
stochastic approximation (Robbins and Monro, 1951), and the mean excess beyond it. Both start at
what the nominal law says and move to what was seen; excesses are winsorised, so an anomaly teaches little.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detectors.surprise import LOG10_E, MAX_SURPRISE
from domain.series import BoolArray, FloatArray

SHARE = 0.03
START = -math.log10(SHARE)
PRIOR_POINTS = 40.0
PRIOR_EXCESSES = 15.0
MEMORY = 3_000.0
WINSOR = 5.0
SMALLEST_EXCESS = 0.1


@dataclass(slots=True)
class Tail:
    """State per series: `quantile` is exceeded with probability 0.03, `excess` is the mean beyond it."""

    quantile: NDArray[np.float32]
    excess: NDArray[np.float32]
    count: NDArray[np.float32]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Self:
        return cls(
            np.full(shape, START, dtype=np.float32),
            np.full(shape, LOG10_E, dtype=np.float32),
            np.zeros(shape, dtype=np.float32),
        )

    def grow(self, n: int) -> None:
        """Append series with the prior state along the last axis up to a length of n."""
        fresh = Tail.empty((*self.count.shape[:-1], n - self.count.shape[-1]))
        self.quantile = np.concatenate([self.quantile, fresh.quantile], axis=-1)
        self.excess = np.concatenate([self.excess, fresh.excess], axis=-1)
        self.count = np.concatenate([self.count, fresh.count], axis=-1)

    def surprise(self, nominal: FloatArray) -> FloatArray:
        """Calibrated surprises of nominal ones, both of the state's shape; NaN stays NaN."""
        body = START * nominal / np.maximum(self.quantile, 1e-9)
        beyond = START + LOG10_E * (nominal - self.quantile) / self.excess
        return np.minimum(np.where(nominal > self.quantile, beyond, body), MAX_SURPRISE)

    def learn(self, nominal: FloatArray, mask: BoolArray, pace: FloatArray | float = 1.0) -> None:
        """Take in one surprise per series.

        Args:
            nominal: finite where `mask` holds.
            mask: series to learn.
            pace: 1 to learn in full, less near an alarm.
        """
        over = mask & (nominal > self.quantile)
        rate = pace / np.minimum(self.count + PRIOR_POINTS, MEMORY)
        excess_rate = pace / np.minimum(SHARE * self.count + PRIOR_EXCESSES, SHARE * MEMORY)
        beyond = np.minimum(nominal - self.quantile, WINSOR * self.excess)
        moved = self.quantile + mask * (rate * self.excess / SHARE) * (over - SHARE)
        grown = self.excess + excess_rate * (beyond - self.excess)
        kept = np.where(over, np.maximum(grown, SMALLEST_EXCESS), self.excess)
        self.excess = kept.astype(np.float32)
        self.quantile = np.maximum(moved, 0.05).astype(np.float32)
        self.count = (self.count + mask * pace).astype(np.float32)
