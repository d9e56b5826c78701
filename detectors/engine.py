"""The door of detection: a window in, anomalies and detector states out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from detectors.describe import anomaly_of
from detectors.grid import Absence, Grid, State, watch_for
from detectors.monitor import Monitor
from detectors.quiet import Signals
from detectors.seasonal import calendar_for, slots_for
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly
from domain.cycle import DetectorState
from domain.rule import Rule
from domain.series import Window

# A start on older data practises on this many newest columns, and on this many values at most.
PRACTICE_CELLS = 1_152
PRACTICE_VALUES = 3_000_000


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """What one call found.

    Args:
        anomalies: every anomaly that is new or changed (grew, ended), oldest onset first.
        states: how each rule fared.
        warming_up: names of series that have too few points to be judged.
    """

    anomalies: tuple[Anomaly, ...]
    states: tuple[DetectorState, ...]
    warming_up: tuple[str, ...]


class DetectionEngine:
    """Judges windows column by column and keeps a fixed state per series between calls.

    Args:
        rules: what to detect; disabled ones are left out.
        settings: how.

    Raises:
        DetectorError: the zone of the settings does not exist.
    """

    def __init__(self, rules: Sequence[Rule], settings: DetectionSettings) -> None:
        self._rules = tuple(rule for rule in rules if rule.enabled)
        self._settings = settings
        self._grids: dict[int, Grid] = {}
        calendar_for(settings, 1)

    def _grid(self, step_s: int) -> Grid:
        if step_s not in self._grids:
            slots = slots_for(step_s)
            calendar = calendar_for(self._settings, slots)
            watches = [watch_for(rule, self._settings, step_s) for rule in self._rules]
            self._grids[step_s] = Grid(
                step_s,
                calendar,
                self._settings,
                State(Monitor(slots, 86_400 / step_s), watches),
                signals=Signals(self._settings.signals),
            )
        return self._grids[step_s]

    def learn(self, history: Window) -> None:
        """Learn seasonal baselines from data older than the window to be judged.

        The newest part of it is scored too, without raising anything: what a series does every day is then
        known when its first column is judged.

        Args:
            history: any block of series over up to `history_days`; call once per block, before `detect`.
        """
        grid = self._grid(history.step_s)
        where = grid.admit(history)
        rows = np.flatnonzero(where >= 0)
        practised = min(PRACTICE_CELLS, PRACTICE_VALUES // max(len(rows), 1))
        for t in range(history.n_steps):
            values = np.full(len(where), np.nan)
            values[rows] = history.values[where[rows], t]
            moment = grid.calendar.moment(history.time_at(t))
            grid.state.monitor.note_missing(values, moment, where >= 0)
            if t < history.n_steps - practised:
                grid.state.monitor.learn_season(values, moment)
            else:
                with np.errstate(all="ignore"):
                    grid.state.monitor.step(values, moment)

    def detect(
        self, window: Window, first_new: int, now: datetime, absences: Sequence[Absence] = ()
    ) -> DetectionResult:
        """Judge columns from `first_new` on, each from what came before it.

        Columns between what was judged before and `first_new` are judged too (a start from nothing learns
        from the whole window). An earlier `first_new` than last time means late data: the engine goes back to
        a state that had not seen that column and judges again from there.

        Args:
            window: the recent past, all series of one step width.
            first_new: first column with new or corrected data.
            now: when the service looks.
            absences: stretches of time in which nobody collected; what is missing there is no silence.
        """
        grid = self._grid(window.step_s)
        grid.absences = absences
        grid.failures = {}
        where = grid.admit(window)
        first_new = max(first_new, 0)
        if grid.state.until is not None and first_new < window.column_of(grid.state.until):
            grid.rewind(window.time_at(first_new))
        start = 0 if grid.state.until is None else max(window.column_of(grid.state.until), 0)
        with np.errstate(all="ignore"):
            grid.run(window, where, start, first_new)
        return DetectionResult(
            self._anomalies(grid, now), tuple(self._states(grid)), self._warming_up(grid, where)
        )

    def _anomalies(self, grid: Grid, now: datetime) -> tuple[Anomaly, ...]:
        found = [
            anomaly_of(watch, row, episode, grid.series, now)
            for watch in grid.state.watches
            for row, episode in watch.episodes.changed()
        ]
        # What an earlier state had to tell was told just now, in its latest form.
        for state in grid.snapshots:
            for watch in state.watches:
                watch.episodes.mark_told()
        return tuple(sorted(found, key=lambda one: (one.timestamp, one.key)))

    def _states(self, grid: Grid) -> list[DetectorState]:
        ready = bool((grid.state.monitor.points >= self._settings.min_points).any())
        if ready:
            return grid.states()
        return [
            one if one.status == "failed" else one.model_copy(update={"status": "insufficient_data"})
            for one in grid.states()
        ]

    def _warming_up(self, grid: Grid, where: np.ndarray) -> tuple[str, ...]:
        short = (grid.state.monitor.points < self._settings.min_points) & (where >= 0)
        return tuple(grid.series[int(row)].name for row in np.flatnonzero(short))

    def size_bytes(self) -> int:
        """Bytes of the arrays kept between calls, snapshots included; shared arrays count once."""
        seen: dict[int, int] = {}
        for grid in self._grids.values():
            for state in (grid.state, *grid.snapshots):
                _count_arrays(state, seen, 0)
        return sum(seen.values())


def _count_arrays(value: object, seen: dict[int, int], depth: int) -> None:
    """Collect array sizes by identity, through the attributes and containers of our own objects."""
    if isinstance(value, np.ndarray):
        seen[id(value)] = value.nbytes
    elif isinstance(value, dict):
        for one in value.values():
            _count_arrays(one, seen, depth + 1)
    elif isinstance(value, list | tuple):
        for one in value[:2_000]:
            _count_arrays(one, seen, depth + 1)
    elif depth < 6 and type(value).__module__.startswith("detectors."):
        names = [*getattr(value, "__slots__", ()), *getattr(value, "__dict__", {})]
        for name in names:
            _count_arrays(getattr(value, name, None), seen, depth + 1)
