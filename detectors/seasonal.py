"""Seasonal baseline: what a series usually is at this time of the day, on working days and on days off."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from detectors.scored import Scored
from detectors.settings import DetectionSettings, Session
from domain.errors import DetectorError
from domain.series import BoolArray, FloatArray, IntArray

MOST_SLOTS = 48
MEMORY = 40.0
REACH = 4.0
WINSOR = 4.0
PARTS = 2
WEEKS_KEPT = 10
PRIOR_WEEKS = 2
# Days after which it is known that nothing comes in a slot, and the fewest cells to tell by.
DAYS_OF_MISSES, LEAST_MISSES = 2.0, 2.0
# How many times more often missing than there a series is where it is not due.
RARELY = 10


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an instant lies: slot of the day, share of the way to the next slot, day off or not.

    Either one instant for all series, or arrays of shape (n_series,) where each series has its own.
    `weekday` (0 = Monday) is given where baselines may tell the days of the week apart.
    """

    slot: int | IntArray
    share: float | FloatArray
    off: bool | IntArray
    weekday: int | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Reads instants in a zone; Saturdays, Sundays and holidays are days off.

    Args:
        zone: the zone of the daily pattern.
        holidays: further days off.
        slots: slots per day.
        sessions: trading hours; where there are any, all time outside them counts as off, whatever the day.
    """

    zone: ZoneInfo
    holidays: frozenset[date]
    slots: int
    sessions: tuple[Session, ...] = ()

    def moment(self, instant: datetime) -> Moment:
        """The place of an instant in its local day (so a clock change moves no pattern)."""
        local = instant.astimezone(self.zone)
        seconds = local.hour * 3_600 + local.minute * 60 + local.second
        place = seconds * self.slots / 86_400
        slot = int(place)
        return Moment(slot, place - slot, self._off(local), local.weekday())

    def _off(self, local: datetime) -> bool:
        if local.date() in self.holidays:
            return True
        if not self.sessions:
            return local.weekday() >= 5
        at = local.time()
        return not any(local.weekday() in one.days and one.opens <= at < one.closes for one in self.sessions)


def calendar_for(settings: DetectionSettings, slots: int) -> Calendar:
    """The calendar of the settings.

    Raises:
        DetectorError: its zone does not exist.
    """
    try:
        zone = ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise DetectorError("seasonal", f"timezone {settings.timezone!r} does not exist") from error
    return Calendar(zone, frozenset(settings.holidays), slots, settings.sessions)


def slots_for(step_s: float) -> int:
    """Slots per day for a sampling step: never finer than the step, at most 48."""
    return int(np.clip(86_400 // max(step_s, 1), 1, MOST_SLOTS))


class SeasonalTable:
    """Running mean per slot and kind of day for many series, and what each day of the week adds to it.

    `level` and `visits` have shape (2, n_slots, n_series): working days first, then days off. `weekly` and
    `weekly_visits` have shape (7, n_parts, n_series): the mean deviation from the former by day of the
    week and half of the day, trusted more with every week (shrunk as if two weeks without any had
    been seen). `misses` counts the cells of each slot without a value, since the series began.

    It is too large to be copied for a return to an earlier state. What was learned since the latest `mark`
    can be undone instead, at the price of a copy of the few slots that it touched.

    Args:
        n_slots: slots per day.
        cells_per_day: columns per day.
    """

    def __init__(self, n_slots: int, cells_per_day: float = 288.0) -> None:
        self.level = np.zeros((2, n_slots, 0), dtype=np.float32)
        self.visits = np.zeros((2, n_slots, 0), dtype=np.uint8)
        self.misses = np.zeros((2, n_slots, 0), dtype=np.uint8)
        self._enough = max(DAYS_OF_MISSES * cells_per_day / n_slots, LEAST_MISSES)
        self._parts = min(PARTS, n_slots)
        self._per_part = max(cells_per_day / self._parts, 1.0)
        self.weekly = np.zeros((7, self._parts, 0), dtype=np.float32)
        self.weekly_visits = np.zeros((7, self._parts, 0), dtype=np.uint16)
        self._before: dict[tuple[str, int, int], NDArray[Any]] = {}

    def mark(self) -> None:
        """From here on what is learned can be undone."""
        self._before = {}

    def undo(self) -> None:
        """Forget what was learned since the mark."""
        for (name, first, second), values in self._before.items():
            getattr(self, name)[first, second] = values
        self._before = {}

    def _keep(self, first: int, second: int, *names: str) -> None:
        for name in names:
            if (name, first, second) not in self._before:
                self._before[name, first, second] = getattr(self, name)[first, second].copy()

    def grow(self, n: int) -> None:
        """Append series without a past up to n."""
        pad = ((0, 0), (0, 0), (0, n - self.level.shape[2]))
        self.level, self.visits = np.pad(self.level, pad), np.pad(self.visits, pad)
        self.misses = np.pad(self.misses, pad)
        self.weekly, self.weekly_visits = np.pad(self.weekly, pad), np.pad(self.weekly_visits, pad)
        self._before = {place: np.pad(values, pad[2]) for place, values in self._before.items()}

    def expected(self, at: Moment) -> FloatArray:
        """Baseline of shape (n_series,) at a moment; NaN where no day has passed yet."""
        daily = self._daily(at)
        if at.weekday is None:
            return daily
        part = int(at.slot) * self._parts // self.level.shape[1]
        seen = self.weekly_visits[at.weekday, part]
        trust = seen / (seen + PRIOR_WEEKS * self._per_part)
        return np.asarray(daily + trust * self.weekly[at.weekday, part])

    def _learn_week(self, at: Moment, x: FloatArray, scale: FloatArray, mask: BoolArray) -> None:
        part = int(at.slot) * self._parts // self.level.shape[1]
        self._keep(int(at.weekday or 0), part, "weekly", "weekly_visits")
        seen, mean = self.weekly_visits[at.weekday, part], self.weekly[at.weekday, part]
        away = np.nan_to_num(x - self._daily(at), nan=0.0)
        bounded = np.where(scale > 0, np.clip(away, -WINSOR * scale, WINSOR * scale), away)
        moved = mean + (bounded - mean) / (1.0 + seen)
        self.weekly[at.weekday, part] = np.where(mask, moved, mean)
        most = min(int(WEEKS_KEPT * self._per_part), 65_000)
        self.weekly_visits[at.weekday, part] = np.minimum(seen + mask, most)

    def _daily(self, at: Moment) -> FloatArray:
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
        if at.weekday is not None:
            self._learn_week(at, x, scale, mask)
        place = self._place(at.off, at.slot)
        if not isinstance(at.slot, np.ndarray):
            self._keep(*place, "level", "visits")
        visits = self.visits[place]
        known = visits > 0
        start = np.where(known, self.level[place], self._slot(at.slot, at.off))
        start = np.where(np.isfinite(start), start, x)
        bound = np.where(known & (scale > 0), WINSOR * scale, np.inf)
        step = np.clip(x - start, -bound, bound) / (1.0 + visits)
        self.level[place] = np.where(mask, start + step, self.level[place])
        self.visits[place] = np.minimum(visits + mask, int(MEMORY) - 1)

    def miss(self, at: Moment, missing: BoolArray) -> None:
        """Note series, shape (n_series,), that have begun and have no value at a moment."""
        place = self._place(at.off, at.slot)
        self.misses[place] = np.minimum(self.misses[place].astype(np.int64) + missing, 250)

    def due(self, at: Moment) -> BoolArray:
        """Which series, shape (n_series,), report at such a moment; those of which that is not known do.

        A market that is closed at night and at weekends is not silent then.
        """
        place = self._place(at.off, at.slot)
        misses = self.misses[place].astype(np.int64)
        closed = (misses >= self._enough) & (misses > RARELY * self.visits[place].astype(np.int64))
        return np.asarray(~closed)


def seasonal_scores(x: FloatArray, expected: FloatArray, spread: FloatArray) -> Scored:
    """Deviation of values from their seasonal baseline.

    Args:
        x: shape (n_series,).
        expected: shape (n_series,), baseline; NaN where unknown.
        spread: shape (n_series,), standard deviation around the baseline.
    """
    return Scored.around(x, expected, spread, REACH, "same time on earlier days")
