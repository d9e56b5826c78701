"""Alarms without labels: calibrated strengths against a budget, one alarm per excursion."""

import numpy as np

from detectors.budget import AlarmBudget
from detectors.monitor import STRENGTH_UNIT
from detectors.surprise import MAX_SURPRISE
from detectors.tail import Tail
from domain.series import BoolArray, FloatArray

HOLD = 48
LOWEST = -2.2
OVERWHELMING, OVERWHELMING_FROM = 0.7, 5.0
PACE = 0.1
LONGEST_PACED = 288


class Alarms:
    """State of the alarms of n strengths (tables or series).

    Near an alarm the tail learns at a tenth of its pace, for at most 288 columns after the alarm began: an
    anomaly does not become the norm at once, a new regime does in the end. Strengths are comparable between
    tables, so one above 15 counts by its size too: a past full of bursts must not hide the next one.

    Args:
        n: number of strengths.
        alarm_budget: false alarms per day of each.
        step_s: seconds between columns.
        min_points: columns before the first alarm.
    """

    def __init__(self, n: int, alarm_budget: float, step_s: float, min_points: int) -> None:
        self._tail = Tail.empty((n,))
        self._alarm_budget = alarm_budget
        self._budget = AlarmBudget(alarm_budget, step_s, n, LOWEST)
        self._min_points = min_points
        self._columns = 0
        self._began = np.full(n, -LONGEST_PACED)
        self._last = np.full(n, -HOLD - 1)
        self._peak = np.zeros(n)

    def set_step(self, step_s: float) -> None:
        """Correct the cadence once it is known better."""
        before = self._budget
        self._budget = AlarmBudget(self._alarm_budget, step_s, len(before.raised), LOWEST)
        self._budget.raised, self._budget.days = before.raised, before.days

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
        felt = surprise + OVERWHELMING * np.maximum(scaled - OVERWHELMING_FROM, 0.0)
        hit = seen & (felt >= self._budget.threshold) & (t >= self._min_points)
        started = hit & (t - self._last > HOLD)
        alarm = started | (hit & (scaled > self._peak))
        self._peak = np.where(alarm, scaled, self._peak)
        self._began = np.where(started, t, self._began)
        self._last = np.where(alarm, t, self._last)
        near = (t - self._last <= HOLD) & (t - self._began < LONGEST_PACED)
        self._tail.learn(scaled, seen, np.where(near, PACE, 1.0))
        self._budget.spend(alarm, felt)
        self._columns += 1
        return alarm, surprise
