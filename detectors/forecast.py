"""A local forecast per series: three simple experts weighted by how well they did lately.

The experts are the last value, a fast exponential mean, and the seasonal baseline plus its recent offset.
Their weights fall with the fourth power of the recent mean absolute error, so the best one leads and a tie is
averaged (Vovk's aggregating idea with polynomial weights; Cesa-Bianchi and Lugosi, 2006).
"""

from dataclasses import dataclass

import numpy as np

from domain.series import BoolArray, FloatArray

EXPERTS = 3
FAST = 0.3
DRIFT = 0.1
ERROR_MEMORY = 100
WINSOR = 4.0
TINY = 1e-300


def winsorised(miss: FloatArray, usual: FloatArray, warm: BoolArray) -> FloatArray:
    """Absolute errors bounded at four times what is usual, once the usual is known."""
    return np.where(warm & (usual > 0), np.minimum(miss, WINSOR * usual), miss)


@dataclass(slots=True)
class Forecaster:
    """State of shape (n,) per array; `errors` has shape (3, n)."""

    last: FloatArray
    fast: FloatArray
    offset: FloatArray
    errors: FloatArray

    @classmethod
    def empty(cls, n: int) -> "Forecaster":
        return cls(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros((EXPERTS, n)))

    def grow(self, n: int) -> None:
        """Append series without a past up to n."""
        more = n - len(self.last)
        for name in ("last", "fast", "offset"):
            setattr(self, name, np.pad(getattr(self, name), (0, more)))
        self.errors = np.pad(self.errors, ((0, 0), (0, more)))

    def forecast(self, seasonal: FloatArray) -> FloatArray:
        """The next value of each series, given its seasonal baseline; shape (n,)."""
        relative = (self.errors + TINY) / (self.errors.min(axis=0) + TINY)
        weight = 1.0 / np.square(np.square(relative))
        experts = np.stack([self.last, self.fast, seasonal + self.offset])
        result: FloatArray = (weight * experts).sum(axis=0) / weight.sum(axis=0)
        return result

    def learn(self, y: FloatArray, seasonal: FloatArray, count: FloatArray, seen: BoolArray) -> None:
        """Take in one column; `count` points were seen before it."""
        rate = np.maximum(1.0 / (count + 1.0), 1.0 / ERROR_MEMORY)
        experts = np.stack([self.last, self.fast, seasonal + self.offset])
        misses = winsorised(np.abs(y - experts), self.errors, (count > 20)[None, :])
        self.errors = np.where(seen, self.errors + rate * (misses - self.errors), self.errors)
        self.fast = np.where(seen, self.fast + np.maximum(FAST, rate) * (y - self.fast), self.fast)
        self.offset = np.where(seen, self.offset + DRIFT * (y - seasonal - self.offset), self.offset)
        self.last = np.where(seen, y, self.last)
