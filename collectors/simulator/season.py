"""The day and the week of a crypto market: when people trade and when they do not."""

from typing import Final

import numpy as np

from collectors.simulator.layout import STEP_S, STEPS_PER_DAY
from domain.series import FloatArray, IntArray

# (hour of the peak UTC, width in hours, height in log volume): Asia, Europe, New York.
_SESSIONS: Final = ((1.5, 2.0, 0.22), (8.0, 2.2, 0.28), (14.8, 2.6, 0.75))
_WEEKEND: Final = -0.45
_FUNDING_HOURS: Final = 8
_SATURDAY: Final = 5
_EPOCH_WEEKDAY: Final = 3  # 1 January 1970 was a Thursday


def log_activity(steps: IntArray) -> FloatArray:
    """Expected log of trading activity against the average of a weekday, shape (len(steps),)."""
    hours = (steps % STEPS_PER_DAY) * (STEP_S / 3600)
    level = np.full(len(steps), -0.30)
    for peak, width, height in _SESSIONS:
        away = np.abs(hours - peak)
        away = np.minimum(away, 24 - away)
        level += height * np.exp(-0.5 * (away / width) ** 2)
    day = (steps // STEPS_PER_DAY + _EPOCH_WEEKDAY) % 7
    level += np.where(day >= _SATURDAY, _WEEKEND, 0.0)
    level += np.where(steps % (_FUNDING_HOURS * 3600 // STEP_S) == 0, 0.22, 0.0)
    return level + np.where(steps % (3600 // STEP_S) == 0, 0.06, 0.0)


def nightly_job(steps: IntArray) -> FloatArray:
    """1 while the reports of the day before are made (02:00 to 02:20 UTC), else 0."""
    minutes = (steps % STEPS_PER_DAY) * (STEP_S // 60)
    busy: FloatArray = ((minutes >= 120) & (minutes < 140)).astype(np.float64)
    return busy


def funding_period_starts(steps: IntArray) -> IntArray:
    """The step at which the funding period of each step began."""
    width = _FUNDING_HOURS * 3600 // STEP_S
    return steps - steps % width
