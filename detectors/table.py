"""Scores a table row by row: every column by itself, and all of them together."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from detectors.budget import AlarmBudget
from detectors.monitor import STATISTICS, STRENGTH_UNIT, WEIGHTS, Monitor
from detectors.neighbours import Neighbours
from detectors.recurrence import Recurrence
from detectors.seasonal import MOST_SLOTS, Calendar
from detectors.settings import DetectionSettings
from detectors.surprise import MAX_SURPRISE
from detectors.tail import Tail
from domain.errors import DetectorError
from domain.series import FloatArray
from domain.timestamps import from_microseconds

STRONGEST = 3
JOINT_WEIGHT = 4.0
CADENCE_ROWS = 32
USUAL_STEP_S = 300.0
HOLD = 48
JOINT = "neighbours"


@dataclass(frozen=True, slots=True)
class RowScore:
    """What is known about a row once it has arrived.

    Args:
        score: strength, comparable between tables; 0 while there is no past.
        p_value: its causal tail probability in the table's own history.
        is_anomaly: whether it raises or continues an alarm within the false-alarm budget.
        method: the statistic that adds most.
        column: position of the column to blame first.
    """

    score: float
    p_value: float
    is_anomaly: bool
    method: str
    column: int


class TableScorer:
    """State of one table; feed rows in the order in which they arrived.

    Args:
        n_columns: number of value columns.
        settings: zone, budget and holidays are used.

    Raises:
        DetectorError: the zone of the settings does not exist.
    """

    def __init__(self, n_columns: int, settings: DetectionSettings) -> None:
        try:
            zone = ZoneInfo(settings.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise DetectorError("seasonal", f"timezone {settings.timezone!r} does not exist") from error
        self._settings = settings
        self._calendar = Calendar(zone, frozenset(settings.holidays), MOST_SLOTS)
        self._monitor = Monitor(MOST_SLOTS)
        self._monitor.grow(n_columns)
        self._neighbours = Neighbours(n_columns)
        self._recurrence = Recurrence(1)
        self._tail = Tail.empty((1,))
        self._budget = AlarmBudget(settings.alarm_budget, USUAL_STEP_S, 1)
        self._gaps: list[float] = []
        self._previous: int | None = None
        self._rows = 0
        self._alarmed_at = -HOLD - 1
        self._alarmed_by = 0.0
        self._joint_weight = JOINT_WEIGHT * np.sqrt(n_columns)

    def step(self, micros: int, x: FloatArray) -> RowScore:
        """Score a row from what came before it, then learn it.

        Args:
            micros: its time in microseconds since 1970; may repeat or go back.
            x: shape (n_columns,); NaN is missing.
        """
        self._clock(micros)
        column = self._monitor.step(x, self._calendar.moment(from_microseconds(micros)))
        distance, shares = self._neighbours.step(x)
        own = np.nan_to_num(column.strength, nan=0.0)
        together = self._joint_weight * distance
        strongest = np.sort(own)[-STRONGEST:]
        plain = float(strongest.mean()) + together
        blame = own + together * shares
        top = int(blame.argmax())
        parts = WEIGHTS * column.parts[:, top]
        method = JOINT if together > float(strongest.mean()) else STATISTICS[int(parts.argmax())]
        score = float(self._recurrence.discounted(np.array([plain]))[0])
        self._recurrence.learn(np.array([plain]))
        seen = bool(np.isfinite(x).any())
        return self._judge(score, method, top) if seen else self._quiet(top)

    def _quiet(self, top: int) -> RowScore:
        self._rows += 1
        return RowScore(0.0, 1.0, False, JOINT, top)

    def _judge(self, score: float, method: str, top: int) -> RowScore:
        strength = np.array([score / STRENGTH_UNIT])
        surprise = self._tail.surprise(strength)
        self._tail.learn(strength, np.array([True]))
        ripe = self._rows >= self._settings.min_points
        hit = ripe and bool(surprise[0] >= self._budget.threshold[0])
        alarm = started = False
        if hit:
            started = self._rows - self._alarmed_at > HOLD
            alarm = started or score > self._alarmed_by
        if alarm:
            self._alarmed_by = score
            self._alarmed_at = self._rows
        self._budget.spend(np.array([started]), surprise)
        self._rows += 1
        p = float(np.power(10.0, -min(float(surprise[0]), MAX_SURPRISE)))
        return RowScore(score, min(p, 1.0), alarm, method, top)

    def _clock(self, micros: int) -> None:
        """Learn the cadence from the first rows; the budget is per day, not per row."""
        if self._previous is not None and len(self._gaps) < CADENCE_ROWS and micros > self._previous:
            self._gaps.append((micros - self._previous) / 1e6)
            raised = self._budget.raised
            self._budget = AlarmBudget(self._settings.alarm_budget, float(np.median(self._gaps)), 1)
            self._budget.raised = raised
        self._previous = micros
