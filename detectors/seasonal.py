"""Seasonal baseline: what a series usually is at this time of the day, on working days and on days off."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from detectors.scored import Scored
from domain.series import BoolArray, FloatArray, IntArray

MOST_SLOTS = 48
MEMORY = 40.0
REACH = 4.0
WINSOR = 4.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an instant lies: slot of the day, share of the way to the next slot, day off or not.

    Either one instant for all series, or arrays of shape (n_series,) where each series has its own.
    """

    slot: int | IntArray
    share: float | FloatArray
    off: bool | IntArray


@dataclass(frozen=True, slots=True)
class Calendar:
    """Reads instants in a zone; Saturdays, Sundays and holidays are days off.

    Args:
        zone: the zone of the daily pattern.
        holidays: further days off.
        slots: slots per day.
    """

    zone: ZoneInfo
    holidays: frozenset[date]
    slots: int

    def moment(self, instant: datetime) -> Moment:
        """The place of an instant in its local day (so a clock change moves no pattern)."""
        local = instant.astimezone(self.zone)
        seconds = local.hour * 3_600 + local.minute * 60 + local.second
        place = seconds * self.slots / 86_400
        slot = int(place)
        off = local.weekday() >= 5 or local.date() in self.holidays
        return Moment(slot, place - slot, off)


def slots_for(step_s: float) -> int:
    """Slots per day for a sampling step: never finer than the step, at most 48."""
    return int(np.clip(86_400 // max(step_s, 1), 1, MOST_SLOTS))


class SeasonalTable:
    """Running mean and mean deviation per slot and kind of day for many series.

    Arrays have shape (2, n_slots, n_series): working days first, then days off.
    """

    def __init__(self, n_slots: int, n_series: int = 0) -> None:
        self.level = np.zeros((2, n_slots, n_series), dtype=np.float32)
        self.visits = np.zeros((2, n_slots, n_series), dtype=np.uint8)

    def grow(self, n: int) -> None:
        """Append series without a past up to n."""
        more = n - self.level.shape[2]
        pad = ((0, 0), (0, 0), (0, more))
        self.level = np.pad(self.level, pad)
        self.visits = np.pad(self.visits, pad)

    def expected(self, at: Moment) -> FloatArray:
        """Baseline of shape (n_series,) at a moment; NaN where no day has passed yet."""
        following = (at.slot + 1) % self.level.shape[1]
        here, there = self._slot(at.slot, at.off), self._slot(following, at.off)
        there = np.where(np.isfinite(there), there, here)
        return here + at.share * (there - here)

    def _place(self, kind: int | IntArray, slot: int | IntArray) -> Any:
        """Index of one cell per series; a plain pair (a view) where all series share the moment."""
        if isinstance(slot, np.ndarray):
            return kind, slot, np.arange(self.level.shape[2])
        return int(kind), slot

    def _slot(self, slot: int | IntArray, off: bool | IntArray) -> FloatArray:
        same, other = self._place(off, slot), self._place(1 - off, slot)
        visited = self.visits[same] > 0
        level = np.where(visited, self.level[same], self.level[other])
        seen = visited | (self.visits[other] > 0)
        return np.where(seen, level, np.nan).astype(np.float64)

    def learn(self, at: Moment, x: FloatArray, scale: FloatArray, mask: BoolArray) -> None:
        """Take in values of shape (n_series,), winsorised at 4 `scale` around what the slot says."""
        place = self._place(at.off, at.slot)
        visits = self.visits[place]
        known = visits > 0
        start = np.where(known, self.level[place], self._slot(at.slot, at.off))
        start = np.where(np.isfinite(start), start, x)
        bound = np.where(known & (scale > 0), WINSOR * scale, np.inf)
        step = np.clip(x - start, -bound, bound) / (1.0 + visits)
        self.level[place] = np.where(mask, start + step, self.level[place])
        self.visits[place] = np.minimum(visits + mask, int(MEMORY) - 1)


def seasonal_scores(x: FloatArray, expected: FloatArray, spread: FloatArray) -> Scored:
    """Deviation of values from their seasonal baseline.

    Args:
        x: shape (n_series,).
        expected: shape (n_series,), baseline; NaN where unknown.
        spread: shape (n_series,), standard deviation around the baseline.
    """
    return Scored.around(x, expected, spread, REACH, "same time on earlier days")
