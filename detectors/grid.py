"""All series of one step width: the monitor, the rules at work, and snapshots to go back to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import numpy as np

from detectors.budget import discoveries
from detectors.group_watch import GroupWatch
from detectors.lateness import REACH, Lateness
from detectors.monitor import Monitor
from detectors.quiet import Signals
from detectors.scene import RowArray, Scene
from detectors.seasonal import Calendar, Moment
from detectors.settings import DetectionSettings
from detectors.surprise import p_value
from detectors.watch import STATELESS, Watch
from domain.cycle import DetectorState
from domain.rule import Rule
from domain.series import BoolArray, FloatArray, IntArray, Series, Window
from domain.timestamps import to_microseconds

SNAPSHOT_CELLS = 6
# Behind the newest cells, as bars and tables bring theirs late in every cycle.
LATE_CELLS = 4
OLD_CELLS = 144
RECENT_SNAPSHOTS = 1
# From when to when nobody collected.
Absence = tuple[datetime, datetime]


@dataclass(slots=True)
class State:
    """Everything that moves with the columns."""

    monitor: Monitor
    watches: list[Watch | GroupWatch]
    until: datetime | None = None

    def copy(self) -> "State":
        """An independent copy."""
        return State(self.monitor.copy(), [one.copy() for one in self.watches], self.until)


def watch_for(rule: Rule, settings: DetectionSettings, step_s: int) -> Watch | GroupWatch:
    """A rule at work on a grid."""
    if rule.method == "pca":
        return GroupWatch(rule, settings, step_s)
    return Watch(rule, settings, step_s)


@dataclass(slots=True)
class Grid:
    """Detection on one grid; see `detectors.engine`.

    Args:
        step_s: width of a cell in seconds.
        calendar: how instants are read.
        settings: the settings.
        state: the newest state.
        series: known series in the order of the state's rows.
        absences: stretches of time in which nobody collected.
        lateness: how far behind each series usually is.
        signals: what strategies trade on.
        expected: rows whose silence would be that of a strategy.
        counted: the newest column of which it was noted who is missing.
        judged: up to when columns were judged before the last return to a snapshot.
        taught: shape (n_series,), ordinal of the newest cell that the seasonal table learned of each, as it
            learns a cell once, however often it is judged.
        taught_then: the same when the newest snapshot was taken.
    """

    step_s: int
    calendar: Calendar
    settings: DetectionSettings
    state: State
    series: list[Series] = field(default_factory=list)
    absences: Sequence[Absence] = ()
    lateness: Lateness = field(default_factory=Lateness)
    signals: Signals = field(default_factory=Signals)
    expected: set[int] = field(default_factory=set)
    counted: datetime | None = None
    judged: datetime | None = None
    taught: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    taught_then: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rows: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    snapshots: list[State] = field(default_factory=list)
    names: tuple[str, ...] = ()
    where: RowArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def admit(self, window: Window) -> RowArray:
        """Give new series a row; returns the window's row for every row of the state, -1 where absent."""
        names = tuple(window.positions)
        if names == self.names and len(names) == len(window.series):
            return self.where
        new = [one for name, one in zip(names, window.series, strict=True) if name not in self.rows]
        for one in new:
            self.rows[one.name] = len(self.series)
            self.signals.add(len(self.series), one.key)
            self.series.append(one)
        if new:
            for state in (self.state, *self.snapshots):
                self._extend(state, new)
        where = np.full(len(self.series), -1, dtype=np.intp)
        places = np.array([self.rows[name] for name in names], dtype=np.intp)
        where[places] = np.arange(len(places))
        self.names, self.where = names, where
        return where

    def _extend(self, state: State, new: list[Series]) -> None:
        state.monitor.grow(len(self.series))
        more = (0, len(self.series) - len(self.taught))
        self.taught = np.pad(self.taught, more, constant_values=-1)
        self.taught_then = np.pad(self.taught_then, more, constant_values=-1)
        catch_all = [watch.rule for watch in state.watches if watch.rule.metric == "*"]
        for watch in state.watches:
            wanted = [one for one in new if self._wants(watch.rule, one, state, catch_all)]
            rows = [self.rows[one.name] for one in wanted]
            if watch.rule.anomaly_type == "silent_strategy":
                self.expected |= set(rows)
            if isinstance(watch, GroupWatch):
                watch.add(rows, [one.key for one in wanted])
            else:
                watch.add(rows)

    def _wants(self, rule: Rule, one: Series, state: State, catch_all: list[Rule]) -> bool:
        if not rule.matches(one.key):
            return False
        if rule not in catch_all or rule.labels:
            return True
        others = (
            other.rule
            for other in state.watches
            if other.rule.method == rule.method and other.rule.metric != "*"
        )
        return not any(other.matches(one.key) for other in others)

    def run(self, window: Window, where: RowArray, start: int, first_new: int) -> None:
        """Judge the columns from `start` on; only those from `first_new` on may raise level shifts."""
        self.lateness.grow(len(self.series))
        for t in range(start, window.n_steps):
            self._column(window, where, t, live=t >= first_new)
            self.state.until = window.time_at(t + 1)
            self._remember(window, t)
        if window.n_steps:
            newest = window.values[np.maximum(where, 0), -REACH:]
            self.lateness.look(np.where(where[:, None] >= 0, newest, np.nan), self._ordinal(window.end) - 1)

    def _column(self, window: Window, where: RowArray, t: int, *, live: bool) -> None:
        scene = self._scene(window, where, t, live=live)
        for watch in self.state.watches:
            if watch.rule.name in self.failures:
                continue
            try:
                watch.observe(scene)
            except Exception as error:  # noqa: BLE001  # one broken detector must not silence the others
                self.failures[watch.rule.name] = f"{type(error).__name__}: {error}"

    def _scene(self, window: Window, where: RowArray, t: int, *, live: bool) -> Scene:
        """Have the monitor take in a column; what the rules then judge."""
        values = np.where(where >= 0, window.values[np.maximum(where, 0), t], np.nan)
        at, until = window.time_at(t), window.time_at(t + 1)
        moment = self.calendar.moment(at)
        monitor = self.state.monitor
        ordinal = self._ordinal(at)
        column = monitor.step(values, moment, self.taught < ordinal)
        self.taught[np.isfinite(values)] = ordinal
        due = monitor.table.due(moment)
        self._note_missing(values, moment, at, where >= 0)
        surprise = column.surprise[np.isfinite(column.surprise)]
        away = any(start <= at and until <= end for start, end in self.absences)
        return Scene(
            window=window,
            t=t,
            where=where,
            values=values,
            column=column,
            monitor=monitor,
            moment=moment,
            ordinal=ordinal,
            season=monitor.expected(moment),
            bound=discoveries(p_value(surprise), self.settings.false_discovery_rate),
            late=self.lateness.usual,
            live=live,
            due=due & (not away),
            judged=not live and self.judged is not None and until <= self.judged,
            rests=partial(self._rests, window, where, t),
        )

    def _note_missing(self, values: FloatArray, moment: Moment, at: datetime, among: BoolArray) -> None:
        """Note who is missing in a column; what is looked at again is noted once."""
        if self.counted is None or at > self.counted:
            self.counted = at
            self.state.monitor.note_missing(values, moment, among)

    def _rests(self, window: Window, where: RowArray, t: int, row: int) -> bool:
        """Whether the strategy of a row has no reason to trade."""
        key = self.series[row].key
        return row in self.expected and self.signals.are_quiet((row, key), window, where, t)

    def _remember(self, window: Window, t: int) -> None:
        until = window.time_at(t + 1)
        ordinal = self._ordinal(until)
        if ordinal % SNAPSHOT_CELLS:
            return
        newest = self.snapshots[-1].until if self.snapshots else None
        is_new = t + 1 > window.n_steps - LATE_CELLS
        if is_new and newest is not None and ordinal - self._ordinal(newest) < 2 * SNAPSHOT_CELLS:
            # A copy that has seen the newest cells is of no use to what comes late: the last one stays.
            return
        old = window.time_at(t + 1 - OLD_CELLS)
        self.snapshots.append(self.state.copy())
        self._mark()
        recent = self.snapshots[-RECENT_SNAPSHOTS:]
        aged = [
            one for one in self.snapshots[:-RECENT_SNAPSHOTS] if one.until is not None and one.until <= old
        ]
        waiting = [
            one for one in self.snapshots[:-RECENT_SNAPSHOTS] if one.until is not None and one.until > old
        ]
        self.snapshots = [*aged[-1:], *waiting[:1], *recent]

    def _mark(self) -> None:
        """What the seasonal table learns from here on can be undone."""
        self.state.monitor.table.mark()
        self.taught_then = self.taught.copy()

    def _ordinal(self, at: datetime) -> int:
        return to_microseconds(at) // (self.step_s * 1_000_000)

    def rewind(self, instant: datetime) -> None:
        """Go back to the newest snapshot that has not seen anything at or after an instant."""
        usable = [one for one in self.snapshots if one.until is not None and one.until <= instant]
        if usable:
            if usable[-1] is self.snapshots[-1]:
                self.state.monitor.table.undo()
                self.taught = self.taught_then
            self._mark()
            left, self.state = self.state, usable[-1].copy()
            self.judged = left.until
            self.snapshots = usable
            for later, watch in zip(left.watches, self.state.watches, strict=True):
                watch.episodes.take_over(later.episodes, keep=watch.rule.method in STATELESS)

    def states(self) -> list[DetectorState]:
        """One state per rule."""
        found = []
        for watch in self.state.watches:
            error = self.failures.get(watch.rule.name)
            found.append(DetectorState(name=watch.rule.name, status="failed" if error else "ok", error=error))
        return found
