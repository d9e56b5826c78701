"""The false-alarm budget: a threshold per series that rises with every alarm and falls with quiet time."""

import copy
from typing import Self

import numpy as np

from detectors.surprise import budget_surprise
from domain.series import BoolArray, FloatArray

STEP = 0.3
EARLY_STEP, EARLY_DAYS = 2.0, 6.0
START = -0.1
HIGHEST = 4.0
LEAST_WEIGHT = 0.1
COST = 1.5


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
        self._alarm_budget = alarm_budget
        self._lowest = lowest
        # Only thresholds that may fall take large steps at first, so only they need their age.
        self.days: FloatArray = np.zeros(n if lowest < 0.0 else ())
        self.raised = np.full(n, max(START, lowest))
        self.set_step(step_s)

    def set_step(self, step_s: float | FloatArray) -> None:
        """Seconds between samples, one for all series or shape (n,)."""
        self.base = budget_surprise(self._alarm_budget, step_s)
        self._share = np.power(10.0, -self.base)
        self._step_days = np.asarray(step_s, dtype=np.float64) / 86_400.0

    def grow(self, n: int) -> None:
        """Append series up to n."""
        more = n - len(self.raised)
        self.raised = np.concatenate([self.raised, np.full(more, max(START, self._lowest))])
        if self.days.ndim:
            self.days = np.concatenate([self.days, np.zeros(more)])

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    @property
    def threshold(self) -> FloatArray:
        """Surprise that alarms now, shape (n,)."""
        return np.asarray(self.base + self.raised)

    def spend(self, alarmed: BoolArray, surprise: FloatArray) -> FloatArray:
        """Account for one column.

        Args:
            alarmed: shape (n,), series that started an alarm in it.
            surprise: shape (n,), how surprising they were.

        Returns:
            What the alarms cost: by how much the thresholds rose, shape (n,).
        """
        beyond = np.where(np.isfinite(surprise), surprise, 0.0) - self.threshold
        weight = COST * np.maximum(LEAST_WEIGHT, np.power(10.0, -np.maximum(beyond, 0.0)))
        early = EARLY_STEP if self._lowest < 0.0 else 0.0
        step = STEP + early * np.exp(-self.days / EARLY_DAYS)
        self.days = self.days + self._step_days
        charged: FloatArray = step * alarmed * weight
        self.raised = np.clip(self.raised + charged - step * self._share, self._lowest, HIGHEST)
        return charged

    def refund(self, amount: FloatArray) -> None:
        """Give back what alarms cost that turned out not to be false, shape (n,)."""
        self.raised = np.maximum(self.raised - amount, self._lowest)


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
