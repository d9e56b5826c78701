"""Scores a table row by row: every column by itself, and all of them together."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from detectors.alarms import Alarms
from detectors.monitor import STATISTICS, WEIGHTS, Monitor
from detectors.neighbours import Neighbours
from detectors.recurrence import Recurrence
from detectors.seasonal import MOST_SLOTS, Calendar
from detectors.settings import DetectionSettings
from domain.errors import DetectorError
from domain.series import FloatArray
from domain.timestamps import from_microseconds

STRONGEST = 3
JOINT_WEIGHT = 4.0
CADENCE_ROWS = 32
USUAL_STEP_S = 300.0
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
        self._alarms = Alarms(1, settings.alarm_budget, USUAL_STEP_S, settings.min_points)
        self._gaps: list[float] = []
        self._previous: int | None = None
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
        own = np.where(np.isfinite(column.strength), column.strength, 0.0)
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
        alarm, surprise = self._alarms.judge(np.array([score if seen else np.nan]))
        if not seen:
            return RowScore(0.0, 1.0, is_anomaly=False, method=method, column=top)
        p = min(10.0 ** -float(surprise[0]), 1.0)
        return RowScore(score, p, is_anomaly=bool(alarm[0]), method=method, column=top)

    def _clock(self, micros: int) -> None:
        """Learn the cadence from the first rows; the budget is per day, not per row."""
        if self._previous is not None and len(self._gaps) < CADENCE_ROWS and micros > self._previous:
            self._gaps.append((micros - self._previous) / 1e6)
            self._alarms.set_step(float(np.median(self._gaps)))
        self._previous = micros
