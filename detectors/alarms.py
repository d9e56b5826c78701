"""Alarms without labels: calibrated strengths against a budget, one alarm per excursion."""

import numpy as np

from detectors.budget import AlarmBudget
from detectors.monitor import STRENGTH_UNIT
from detectors.surprise import MAX_SURPRISE
from detectors.tail import Tail
from domain.series import BoolArray, FloatArray

HOLD = 48
LOWEST = -2.2
OVERWHELMING, OVERWHELMING_FROM, OVERWHELMING_PER_COLUMN = 0.7, 2.8, 0.17
PACE = 0.1
LONGEST_PACED = 288
REFUND = 0.9
LASTING_SECONDS, LASTING_ROWS, LASTING_SHARE, LASTING_SURPRISE = 3_600.0, (12, 60), 5 / 12, 1.5


class Alarms:
    """State of the alarms of n strengths (tables or series).

    Near an alarm the tail learns at a tenth of its pace, for at most 288 columns after the alarm began: an
    anomaly does not become the norm at once, a new regime does in the end. Strengths are comparable between
    tables of as many columns, so one far beyond what is common counts by its size too: a past full of bursts
    must not hide the next one. What an alarm cost is given back after an hour in which the strength stayed
    unusual: noise comes back at once, so an alarm that lasts is rarely a false one.

    Args:
        n: number of strengths.
        alarm_budget: false alarms per day of each.
        step_s: seconds between columns.
        min_points: columns before the first alarm.
        columns: how many columns each strength stands for, one for all or shape (n,).
    """

    def __init__(
        self, n: int, alarm_budget: float, step_s: float, min_points: int, columns: FloatArray | float = 1.0
    ) -> None:
        self._tail = Tail.empty((n,))
        self._budget = AlarmBudget(alarm_budget, step_s, n, LOWEST)
        self._overwhelming = OVERWHELMING_FROM + OVERWHELMING_PER_COLUMN * np.asarray(columns)
        self._min_points = min_points
        self._columns = 0
        self._began = np.full(n, -LONGEST_PACED)
        self._last = np.full(n, -HOLD - 1)
        self._peak = np.zeros(n)
        self._lasted = np.zeros(n)
        self._owed = np.zeros(n)
        self.set_step(step_s)

    def set_step(self, step_s: float | FloatArray) -> None:
        """Correct the cadence once it is known better; one for all, or shape (n,)."""
        self._budget.set_step(step_s)
        self._look = np.clip(np.round(LASTING_SECONDS / np.asarray(step_s)), *LASTING_ROWS)

    def judge(self, strength: FloatArray) -> tuple[BoolArray, FloatArray]:
        """Judge one column, then learn it (alarms are silent for 48 columns unless stronger).

        Args:
            strength: shape (n,), not negative; NaN is not judged.

        Returns:
            Whether each alarms, and its surprise, both of
            shape (n,).
        """
        t = self._columns
        seen = np.isfinite(strength)
        scaled = np.where(seen, strength, 0.0) / STRENGTH_UNIT
        surprise = np.where(seen, np.minimum(self._tail.surprise(scaled), MAX_SURPRISE), 0.0)
        felt = surprise + OVERWHELMING * np.maximum(scaled - self._overwhelming, 0.0)
        hit = seen & (felt >= self._budget.threshold) & (t >= self._min_points)
        started = hit & (t - self._last > HOLD)
        alarm = started | (hit & (scaled > self._peak))
        self._peak = np.where(alarm, scaled, self._peak)
        self._began = np.where(started, t, self._began)
        self._last = np.where(alarm, t, self._last)
        near = (t - self._last <= HOLD) & (t - self._began < LONGEST_PACED)
        self._tail.learn(scaled, seen, np.where(near, PACE, 1.0))
        self._pay(started, self._budget.spend(alarm, felt), surprise)
        self._columns += 1
        return alarm, surprise

    def _pay(self, started: BoolArray, charged: FloatArray, surprise: FloatArray) -> None:
        """Remember what an alarm cost; give most of it back where it lasted."""
        self._owed = np.where(started, charged, self._owed + charged)
        self._lasted = np.where(started, 0.0, self._lasted + (surprise >= LASTING_SURPRISE))
        due = (self._columns - self._began == self._look) & (self._lasted >= LASTING_SHARE * self._look)
        self._budget.refund(np.where(due, REFUND * self._owed, 0.0))
