"""A rule at work on its series: scores, alarms, episodes."""

import copy
from datetime import timedelta
from typing import Any

import numpy as np

from detectors.budget import AlarmBudget, discoveries
from detectors.episodes import Episode, Episodes, Finding, Patience
from detectors.judged import Judged, alarmed, calibrated
from detectors.methods import METHODS, View
from detectors.monitor import FROZEN, MEAN_TO_SIGMA, STATISTICS
from detectors.scene import RowArray, Scene
from detectors.scored import Scored
from detectors.settings import DetectionSettings
from detectors.settling import REACH, Level
from detectors.surprise import p_value
from detectors.tail import Tail
from domain.rule import Rule
from domain.series import BoolArray, FloatArray

MAX_ONSET_CELLS = 12
MERGE_CELLS = 12
UNCALIBRATED = frozenset({"combined", "stale", "frozen", "threshold"})
WINDOWLESS = frozenset({"combined", "stale", "threshold", "seasonal"})
STATELESS = frozenset({"changepoint", "stale", "frozen", "threshold"})
LEVELLED = frozenset(
    {"combined", "zscore", "robust_zscore", "iqr", "range", "residual", "seasonal", "isolation_forest"}
)
FRESH_INNOVATION = 2.0
# Reports from which the rhythm of a series can be told: before, nobody knows when the next one is due.
LEAST_REPORTS = 12
REMEMBERED = timedelta(days=2)
DEFAULT_THRESHOLDS = {"stale": 3.0, "changepoint": 5.0}


def own_threshold(rule: Rule) -> Rule:
    """The rule with the threshold its method needs where the budget cannot give one."""
    if rule.threshold is None and rule.method in DEFAULT_THRESHOLDS:
        return rule.model_copy(update={"threshold": DEFAULT_THRESHOLDS[rule.method]})
    return rule


def patience(settings: DetectionSettings, step_s: int) -> Patience:
    """How long episodes last on a grid of `step_s` seconds."""
    return Patience(
        settings.quiet_steps,
        timedelta(seconds=settings.refractory_seconds),
        timedelta(seconds=MERGE_CELLS * step_s),
        max(round(settings.settled_seconds / step_s), MERGE_CELLS),
    )


class Watch:
    """State of one rule; subjects are series, by row of the grid's state."""

    def __init__(self, rule: Rule, settings: DetectionSettings, step_s: int) -> None:
        self.rule = own_threshold(rule)
        self._settings = settings
        self.rows: RowArray = np.zeros(0, dtype=np.intp)
        self._tail = Tail.empty((0,))
        self._budget = AlarmBudget(settings.alarm_budget, step_s)
        self._streak = np.zeros(0, dtype=np.int32)
        self._gap = np.zeros(0)
        self._usual_gap = np.zeros(0)
        self._kept: dict[str, Any] = {}
        self.episodes = Episodes(patience(settings, step_s))

    def add(self, rows: list[int]) -> None:
        """Watch further rows of the state."""
        if not rows:
            return
        self.rows = np.concatenate([self.rows, np.array(rows, dtype=np.intp)])
        n = len(self.rows)
        more = n - len(self._streak)
        if self.rule.method not in UNCALIBRATED:
            self._tail.grow(n)
        self._budget.grow(n)
        self._streak = np.concatenate([self._streak, np.zeros(more, dtype=np.int32)])
        self._gap = np.concatenate([self._gap, np.zeros(more)])
        self._usual_gap = np.concatenate([self._usual_gap, np.zeros(more)])

    def copy(self) -> "Watch":
        """An independent copy of the state."""
        twin = copy.copy(self)
        twin._tail = copy.deepcopy(self._tail)  # noqa: SLF001
        twin._budget = self._budget.copy()  # noqa: SLF001
        twin._streak = self._streak.copy()  # noqa: SLF001
        twin._gap, twin._usual_gap = self._gap.copy(), self._usual_gap.copy()  # noqa: SLF001
        twin._kept = dict(self._kept)  # noqa: SLF001
        twin.episodes = self.episodes.copy()
        return twin

    def observe(self, scene: Scene) -> None:
        """Judge one column and move the episodes on."""
        if not len(self.rows):
            return
        x = scene.values[self.rows]
        self._count_gaps(x, scene.due[self.rows])
        if self.rule.method in STATELESS and not scene.live:
            # Looked at again after late data: nothing new is raised, but what is over stays over.
            for i in self.episodes.open_rows():
                if self._lingers(i, scene, x):
                    self.episodes.calm(i)
            return
        judged = self._judge(scene, x)
        ripe = scene.monitor.points[self.rows] >= self._settings.min_points
        known = scene.monitor.points[self.rows] >= LEAST_REPORTS if self.rule.method == "stale" else ripe
        alarm = judged.alarm & (ripe | known | (self.rule.method == "threshold"))
        self._streak = np.where(judged.stay, self._streak + 1, 0)
        started = np.zeros(len(self.rows), dtype=bool)
        for i in np.flatnonzero(alarm).tolist():
            if self._lingers(i, scene, x) or scene.rests(int(self.rows[i])):
                alarm[i] = False
            else:
                started[i] = self._raise(i, judged, scene, x)
        self._follow(judged, alarm, scene, x)
        self._settle(scene, x)
        self._budget.spend(started, judged.surprise)

    def _view(self, scene: Scene, x: FloatArray) -> View:
        windowless = self.rule.method in WINDOWLESS
        return View(
            rule=self.rule,
            baseline=x[:, None] if windowless else scene.baseline(self.rows, self.rule.window_size),
            x=x,
            column=scene.of(self.rows),
            season=scene.season[self.rows],
            wide=scene.monitor.state["wide"][self.rows],
            gap=np.where(scene.monitor.points[self.rows] > 0, self._gap, np.nan),
            usual_gap=self._usual_gap,
            late=scene.late[self.rows],
            ordinal=scene.ordinal,
            longest=self._settings.max_changepoint_points,
            kept=self._kept,
        )

    def _judge(self, scene: Scene, x: FloatArray) -> Judged:
        view = self._view(scene, x)
        scored = METHODS[self.rule.method](view)
        combined = self.rule.method == "combined"
        surprise = view.column.surprise
        if not combined:
            surprise = calibrated(self.rule, scored.score, scored.z, self._tail)
        side = self._side(scored, view)
        alarm, stay, needed = alarmed(self.rule, scored.score, surprise, side, self._budget)
        if self.rule.threshold is None:
            p = p_value(surprise)
            rate = self._settings.false_discovery_rate
            alarm &= p <= (scene.bound if combined else discoveries(p, rate))
        return Judged(
            score=scored.score,
            surprise=surprise,
            z=scored.z,
            side=side,
            low=scored.low,
            high=scored.high,
            alarm=alarm,
            stay=stay,
            threshold=needed,
            since=self._kept.get("since", np.full(len(x), -1, dtype=np.int64)),
            unit=scored.unit,
        )

    def _side(self, scored: Scored, view: View) -> FloatArray:
        if self.rule.method == "combined":
            return view.column.direction
        if self.rule.method in {"stale", "frozen"}:
            return np.zeros(len(view.x))
        return np.sign(np.nan_to_num(scored.z, nan=0.0))

    def _count_gaps(self, x: FloatArray, due: BoolArray) -> None:
        """The longest ordinary gap fades slowly; one long outage teaches little, gaps that recur much.

        While nobody collected, or where nothing is due, no gap grows.
        """
        seen = np.isfinite(x)
        ended = seen & (self._gap > 0)
        learned = np.minimum(self._gap, 4.0 * self._usual_gap + 3.0)
        fading = np.where(seen, self._usual_gap * 0.999, self._usual_gap)
        self._usual_gap = np.where(ended, np.maximum(fading, learned), fading)
        self._gap = np.where(seen, 0.0, self._gap + due)

    def _raise(self, i: int, judged: Judged, scene: Scene, x: FloatArray) -> bool:
        back = min(int(self._streak[i]), MAX_ONSET_CELLS) - 1
        if judged.since[i] >= 0:
            back = int(judged.since[i])
        onset = scene.window.time_at(scene.t - max(back, 0))
        started = self.episodes.alarm(i, self._finding(i, judged, scene, x), onset, begins=not scene.judged)
        if started and np.isfinite(x[i]):
            self.episodes.latest[i].level = self._level(i, judged, scene, float(x[i]))
        return started

    def _level(self, i: int, judged: Judged, scene: Scene, value: float) -> Level | None:
        """Where the series usually is, which tells when an episode is over; None where nothing tells."""
        if self.rule.method == "changepoint" and np.isfinite(judged.high[i] - judged.low[i]):
            # A shift is over within the band of before it: by now the slow mean has moved with it. It has
            # left that band, even where it is back by the time that it is noticed.
            low, high = float(judged.low[i]), float(judged.high[i])
            level = Level.at(value, (low + high) / 2, None, (high - low) / 2 / REACH)
            level.left = True
            return level
        if self.rule.method not in LEVELLED:
            return None
        row = int(self.rows[i])
        state, season = scene.monitor.state, scene.season_of(row)
        usual = float(state["slow"][row] + state["origin"][row]) if season is None else season
        return Level.at(value, usual, season, MEAN_TO_SIGMA * float(state["wide"][row]))

    def _lingers(self, i: int, scene: Scene, x: FloatArray) -> bool:
        """Whether a score is unusual only because of what has been: the value itself is ordinary again."""
        episode = self.episodes.latest.get(i)
        if episode is None or episode.level is None or not np.isfinite(x[i]):
            return False
        if scene.window.time_at(scene.t) - episode.last > REMEMBERED:
            return False
        row = int(self.rows[i])
        if self.rule.method == "combined":
            column = scene.column
            if column.leading[row] == FROZEN or column.parts[0, row] >= FRESH_INNOVATION:
                return False
        return episode.level.is_back(float(x[i]), scene.season_of(row))

    def _settle(self, scene: Scene, x: FloatArray) -> None:
        """Follow the level of open episodes and end those that have settled."""
        for i in self.episodes.open_rows():
            level = self.episodes.latest[i].level
            if level is None or not np.isfinite(x[i]):
                continue
            level.take(float(x[i]), scene.season_of(int(self.rows[i])))
            if level.settle(self.episodes.patience.settled):
                self.episodes.settle(i)

    def _follow(self, judged: Judged, alarm: BoolArray, scene: Scene, x: FloatArray) -> None:
        for i in self.episodes.open_rows():
            if alarm[i]:
                continue
            back = self._lingers(i, scene, x)
            if judged.stay[i] and not back:
                self.episodes.stay(i, self._finding(i, judged, scene, x))
            elif back or np.isfinite(judged.score[i]):
                self.episodes.calm(i)

    def _finding(self, i: int, judged: Judged, scene: Scene, x: FloatArray) -> Finding:
        side = {1.0: "up", -1.0: "down"}.get(float(judged.side[i]), "both")
        detail: dict[str, Any] = {
            "baseline": judged.unit,
            "history_points": int(scene.monitor.points[self.rows[i]]),
        }
        if self.rule.method == "combined":
            parts = scene.column.parts[:, self.rows[i]]
            detail["method_scores"] = {
                name: round(float(part), 4) for name, part in zip(STATISTICS, parts, strict=True)
            }
            detail["leading"] = STATISTICS[int(scene.column.leading[self.rows[i]])]
        return Finding(
            at=scene.window.time_at(scene.t),
            until=scene.window.time_at(scene.t + 1),
            score=_number(judged.score[i]) or 0.0,
            surprise=_number(judged.surprise[i]) or 0.0,
            z=_number(judged.z[i]),
            side=side,
            value=_number(x[i]),
            low=_number(judged.low[i]),
            high=_number(judged.high[i]),
            threshold=_number(judged.threshold[i]),
            detail=detail,
        )

    def affected(self, row: int, _episode: Episode) -> tuple[int, ...]:
        """Rows of the series an episode is about, the leading one first."""
        return (int(self.rows[row]),)


def _number(value: float) -> float | None:
    """A plain finite float, or None; infinite scores become a large number."""
    if np.isnan(value):
        return None
    return float(np.clip(value, -1e12, 1e12)) if np.isinf(value) else float(value)
