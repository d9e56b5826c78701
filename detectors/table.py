"""Scores tables row by row: every column by itself, and all columns of a table together.

Several tables may advance side by side: the arithmetic of a row is the same, only the cost of calling it is
shared, so a folder of files takes little longer than its longest file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectors.alarms import Alarms
from detectors.monitor import STATISTICS, WEIGHTS, Monitor
from detectors.neighbours import Neighbours, distances
from detectors.recurrence import Recurrence
from detectors.seasonal import MOST_SLOTS, Calendar, Moment, calendar_for
from detectors.settings import DetectionSettings
from domain.series import BoolArray, FloatArray, IntArray
from domain.timestamps import from_microseconds

STRONGEST = 3
LEAST_JOINT_WEIGHT = 6.0
CADENCE_ROWS = 32
USUAL_STEP_S = 300.0
JOINT = "neighbours"
METHODS = (*STATISTICS, JOINT)


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


@dataclass(frozen=True, slots=True)
class TableScores:
    """The same for many rows of one table, or one row of many tables; arrays of one shape.

    Args:
        score: strengths.
        p_value: tail probabilities.
        is_anomaly: alarms.
        method: positions in `METHODS`.
        column: positions of columns.
    """

    score: FloatArray
    p_value: FloatArray
    is_anomaly: BoolArray
    method: IntArray
    column: IntArray

    def row(self, i: int) -> RowScore:
        """One of them as plain values."""
        return RowScore(
            float(self.score[i]),
            float(self.p_value[i]),
            bool(self.is_anomaly[i]),
            METHODS[int(self.method[i])],
            int(self.column[i]),
        )


class Tables:
    """State of tables that advance together, one row of each at a time.

    Args:
        widths: number of columns of each table.
        settings: budget and points before the first alarm are used.
    """

    def __init__(self, widths: Sequence[int], settings: DetectionSettings) -> None:
        n = len(widths)
        self._monitor = Monitor(MOST_SLOTS)
        self._monitor.grow(sum(widths))
        self._place = np.arange(max([*widths, STRONGEST])) < np.array(widths)[:, None]
        self._first = np.cumsum([0, *widths[:-1]])
        self._strongest = np.minimum(np.array(widths), STRONGEST)
        self._joint_weight = np.maximum(1.0 + np.array(widths, dtype=np.float64), LEAST_JOINT_WEIGHT)
        self._table = np.repeat(np.arange(n), widths)
        if max(widths, default=1) > 1:
            self._monitor.company(np.repeat(np.array(widths, dtype=np.float64), widths))
        self._recurrence = Recurrence(n)
        self._alarms = Alarms(
            n, settings.alarm_budget, USUAL_STEP_S, settings.min_points, np.array(widths, dtype=np.float64)
        )

    def set_step(self, step_s: float | FloatArray) -> None:
        """Correct the cadence of the tables, in seconds."""
        self._alarms.set_step(step_s)

    def step(self, x: FloatArray, moment: Moment, distance: FloatArray, shares: FloatArray) -> TableScores:
        """Score one row of every table from what came before it, then learn it.

        Args:
            x: the rows side by side, shape (n_columns of all tables,); NaN is missing.
            moment: their place in the day, one for all or one per column.
            distance: shape (n_tables,), distance of each row to its neighbours in the past.
            shares: shape (n_columns of all tables,), each column's share of it.
        """
        column = self._monitor.step(x, moment)
        together = self._joint_weight * distance
        own = np.where(np.isfinite(column.strength), column.strength, 0.0)
        ordered = np.sort(self._spread(own, 0.0), axis=1)
        strongest = (ordered[:, -3] + ordered[:, -2] + ordered[:, -1]) / self._strongest
        plain = strongest + together
        top = self._spread(own + together[self._table] * shares, -1.0).argmax(axis=1)
        leading = (WEIGHTS[:, None] * column.parts[:, self._first + top]).argmax(axis=0)
        score = self._recurrence.discounted(plain)
        self._recurrence.learn(plain)
        seen = self._spread(np.isfinite(x), 0.0).any(axis=1)
        alarm, surprise = self._alarms.judge(np.where(seen, score, np.nan))
        return TableScores(
            score=np.where(seen, score, 0.0),
            p_value=np.where(seen, np.minimum(np.power(10.0, -surprise), 1.0), 1.0),
            is_anomaly=alarm & seen,
            method=np.where(together > strongest, len(STATISTICS), leading),
            column=top,
        )

    def _spread(self, values: FloatArray | BoolArray, fill: float) -> FloatArray:
        """One row per table, filled up on the right."""
        wide: FloatArray = np.full(self._place.shape, fill, dtype=np.float64)
        wide[self._place] = values
        return wide


class TableScorer:
    """State of one table; feed rows in the order in which they arrived.

    Args:
        n_columns: number of value columns.
        settings: zone, budget and holidays are used.

    Raises:
        DetectorError: the zone of the settings does not exist.
    """

    def __init__(self, n_columns: int, settings: DetectionSettings) -> None:
        self._calendar = calendar_for(settings, MOST_SLOTS)
        self._tables = Tables([n_columns], settings)
        self._neighbours = Neighbours(n_columns)
        self._cadence = Cadence()

    def step(self, micros: int, x: FloatArray) -> RowScore:
        """Score a row from what came before it, then learn it.

        Args:
            micros: its time in microseconds since 1970; may repeat or go back.
            x: shape (n_columns,); NaN is missing.
        """
        self._tables.set_step(self._cadence.seconds(micros))
        distance, shares = self._neighbours.step(x)
        moment = replace(self._calendar.moment(from_microseconds(micros)), weekday=None)
        return self._tables.step(x, moment, np.array([distance]), shares).row(0)


class Cadence:
    """Seconds between rows, learned from the first ones: the budget is per day, not per row."""

    def __init__(self) -> None:
        self._gaps: list[float] = []
        self._previous: int | None = None
        self._seconds = USUAL_STEP_S

    def seconds(self, micros: int) -> float:
        """Take in the time of a row; what is known of the cadence after it."""
        if self._previous is not None and len(self._gaps) < CADENCE_ROWS and micros > self._previous:
            self._gaps.append((micros - self._previous) / 1e6)
            self._seconds = float(np.median(self._gaps))
        self._previous = micros
        return self._seconds


def score_tables(
    tables: Sequence[tuple[IntArray, FloatArray]], settings: DetectionSettings
) -> Iterator[tuple[int, TableScores]]:
    """Score whole tables side by side; the same numbers as `TableScorer` row by row.

    Args:
        tables: times of shape (n_rows,) in microseconds and values of shape (n_rows, n_columns) of each.
        settings: zone, budget and holidays are used.

    Yields:
        The position of a table and its scores, the shortest table first.
    """
    sides = _Sides.of(tables, calendar_for(settings, MOST_SLOTS))
    machine = Tables([values.shape[1] for _, values in tables], settings)
    lengths = [len(times) for times, _ in tables]
    order = sorted(range(len(tables)), key=lambda i: lengths[i])
    found = _blank(max(lengths, default=0), len(tables))
    with np.errstate(all="ignore"):
        for t in range(max(lengths, default=0) + 1):
            while order and lengths[order[0]] == t:
                i = order.pop(0)
                yield i, TableScores(*(getattr(found, name)[:t, i] for name in TableScores.__slots__))
            if order:
                machine.set_step(sides.steps[t])
                one = machine.step(sides.values[t], sides.moment(t), sides.joint[t], sides.shares[t])
                for name in TableScores.__slots__:
                    getattr(found, name)[t] = getattr(one, name)


def _blank(rows: int, tables: int) -> TableScores:
    """Room for the scores of many rows of many tables."""
    shape = (rows, tables)
    return TableScores(
        np.zeros(shape),
        np.ones(shape),
        np.zeros(shape, dtype=np.bool_),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Sides:
    """Tables side by side; the first axis of every array is the row, tables that have ended are blank."""

    values: FloatArray
    slots: IntArray
    place: FloatArray
    off: IntArray
    steps: FloatArray
    joint: FloatArray
    shares: FloatArray
    table: IntArray

    @classmethod
    def of(cls, tables: Sequence[tuple[IntArray, FloatArray]], calendar: Calendar) -> "_Sides":
        widths = [values.shape[1] for _, values in tables]
        longest = max((len(times) for times, _ in tables), default=0)
        n, wide = len(tables), sum(widths)
        one = cls(
            np.full((longest, wide), np.nan),
            np.zeros((longest, n), dtype=np.int64),
            np.zeros((longest, n)),
            np.zeros((longest, n), dtype=np.int64),
            np.full((longest, n), USUAL_STEP_S),
            np.zeros((longest, n)),
            np.zeros((longest, wide)),
            np.repeat(np.arange(n), widths),
        )
        for i, (times, values) in enumerate(tables):
            one._fill(i, times, values, calendar)
        return one

    def _fill(self, i: int, times: IntArray, values: FloatArray, calendar: Calendar) -> None:
        rows, columns = len(times), np.flatnonzero(self.table == i)
        cadence = Cadence()
        self.values[:rows, columns] = values
        self.steps[:rows, i] = [cadence.seconds(int(micros)) for micros in times]
        self.steps[rows:, i] = self.steps[max(rows - 1, 0), i] if rows else USUAL_STEP_S
        for t, micros in enumerate(times):
            moment = calendar.moment(from_microseconds(int(micros)))
            self.slots[t, i], self.place[t, i], self.off[t, i] = moment.slot, moment.share, moment.off
        self.joint[:rows, i], self.shares[:rows, columns] = distances(values)

    def moment(self, t: int) -> Moment:
        """The moment of every column at row t."""
        which = self.table
        return Moment(self.slots[t][which], self.place[t][which], self.off[t][which])
