"""Samples as three columns, and the searches and merges on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from domain.series import BoolArray, FloatArray, IntArray

DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples of many series.

    Args:
        ids: shape (n,), series ids.
        times: shape (n,), microseconds since 1970.
        values: shape (n,).
    """

    ids: IntArray
    times: IntArray
    values: FloatArray

    @classmethod
    def empty(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))

    @classmethod
    def joined(cls, parts: Sequence["Columns"]) -> Self:
        """All samples of the parts, in their order."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: BoolArray | IntArray | slice) -> "Columns":
        """The samples at a mask, at positions or in a slice."""
        return Columns(self.ids[chosen], self.times[chosen], self.values[chosen])

    def latest(self) -> "Columns":
        """Sorted by series and time; of equal keys the one that came last."""
        if len(self) < 2:
            return self
        order = np.lexsort((self.times, self.ids))
        ids, times = self.ids[order], self.times[order]
        last = np.append((ids[1:] != ids[:-1]) | (times[1:] != times[:-1]), True)
        return self.where(order[last])


def repeats(ids: IntArray, times: IntArray) -> BoolArray:
    """Which samples have the series and time of an earlier one in the same columns, shape (n,)."""
    order = np.lexsort((times, ids))
    same = (ids[order][1:] == ids[order][:-1]) & (times[order][1:] == times[order][:-1])
    found = np.zeros(len(ids), dtype=np.bool_)
    found[order[1:][same]] = True
    return found


def contains(ordered: Columns, ids: IntArray, times: IntArray) -> BoolArray:
    """Which (id, time) pairs occur in columns that are sorted by id and time, shape (n,)."""
    low = np.searchsorted(ordered.ids, ids, side="left")
    end = np.searchsorted(ordered.ids, ids, side="right")
    if not len(ordered):
        return np.zeros(len(ids), dtype=np.bool_)
    high = end.copy()
    while np.any(low < high):
        middle = np.minimum((low + high) // 2, len(ordered) - 1)
        less = (ordered.times[middle] < times) & (low < high)
        low = np.where(less, middle + 1, low)
        high = np.where(less | (low >= high), high, middle)
    found: BoolArray = (low < end) & (ordered.times[np.minimum(low, len(ordered) - 1)] == times)
    return found
