"""The false-alarm budget: a threshold per series that rises with every alarm and falls with quiet time."""

import copy
import math
from typing import Self

import numpy as np

from detectors.surprise import budget_surprise
from domain.series import BoolArray, FloatArray

STEP = 0.3
EARLY_STEP, EARLY_DAYS = 4.0, 6.0
START = -0.1
HIGHEST = 4.0
LEAST_WEIGHT = 0.1
COST = 1.25


class AlarmBudget:
    """Keeps the rate of alarms of each series near the budget (stochastic approximation on the threshold).

    An alarm counts less the further it lies beyond its threshold: overwhelming ones are rarely false. Where
    there is nothing to find, that weight is one half on average; `COST` makes up for it. Where the
    threshold may fall too, steps are large at first and shrink over some days.

    Args:
        alarm_budget: alarms per series and day.
        step_s: seconds between samples.
        n: number of series.
        lowest: how far thresholds may fall below what the budget asks for; 0 makes it an upper bound.
    """

    def __init__(self, alarm_budget: float, step_s: float, n: int = 0, lowest: float = 0.0) -> None:
        self.base = budget_surprise(alarm_budget, step_s)
        self._share = 10.0**-self.base
        self._lowest = lowest
        self._step_days = step_s / 86_400.0
        self.days = 0.0
        self.raised = np.full(n, max(START, lowest))

    def grow(self, n: int) -> None:
        """Append series up to n."""
        self.raised = np.concatenate([self.raised, np.full(n - len(self.raised), max(START, self._lowest))])

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    @property
    def threshold(self) -> FloatArray:
        """Surprise that alarms now, shape (n,)."""
        return self.base + self.raised

    def spend(self, alarmed: BoolArray, surprise: FloatArray) -> None:
        """Account for one column.

        Args:
            alarmed: shape (n,), series that started an alarm in it.
            surprise: shape (n,), how surprising they were.
        """
        beyond = np.where(np.isfinite(surprise), surprise, 0.0) - self.threshold
        weight = COST * np.maximum(LEAST_WEIGHT, np.power(10.0, -np.maximum(beyond, 0.0)))
        early = EARLY_STEP if self._lowest < 0.0 else 0.0
        step = STEP + early * math.exp(-self.days / EARLY_DAYS)
        self.days += self._step_days
        self.raised = np.clip(self.raised + step * (alarmed * weight - self._share), self._lowest, HIGHEST)


def discoveries(p_values: FloatArray, rate: float) -> float:
    """The largest p-value that the Benjamini-Hochberg procedure (1995) accepts.

    Args:
        p_values: shape (n,); NaN is not a test.
        rate: accepted share of false discoveries.

    Returns:
        A bound; 0.0 where nothing is accepted.
    """
    tested = np.sort(p_values[np.isfinite(p_values)])
    if not len(tested):
        return 0.0
    passed = np.flatnonzero(tested <= rate * np.arange(1, len(tested) + 1) / len(tested))
    return float(tested[passed[-1]]) if len(passed) else 0.0
