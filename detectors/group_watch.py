"""A multivariate rule at work on groups of series that belong together."""

import copy
from typing import Any

import numpy as np

from detectors.budget import AlarmBudget
from detectors.episodes import Episode, Episodes, Finding
from detectors.pca import Axes, fit_axes, pca_scores
from detectors.scene import Scene
from detectors.settings import DetectionSettings
from detectors.tail import Tail
from detectors.watch import REMEMBERED, patience
from domain.rule import Rule
from domain.series import FloatArray, SeriesKey

GROUP_LABELS = ("component", "strategy", "venue", "host", "database", "service", "instance", "job")
MOST_COLUMNS = 64
FEWEST_COLUMNS = 3
REFIT = 12
CALIBRATED_COLUMNS = 48
NAMED = 5
FEWEST_COLUMNS_IN_TIME = 48
LIMIT_SURPRISE = 2.0

# Judged columns before a group may raise an alarm: its own past is what calibrates it.
RIPE = 240
STILL_SHARE = 0.5


def lively(rows: FloatArray) -> FloatArray:
    """Blank series of shape (n, n_columns) that mostly repeat themselves: rare counts have no pattern."""
    still = (np.diff(rows, axis=1) == 0).sum(axis=1) > STILL_SHARE * max(rows.shape[1] - 1, 1)
    return np.where(still[:, None], np.nan, rows)


def group_of(key: SeriesKey) -> str:
    """What a series belongs to: its first grouping label, else the unlabelled rest."""
    for label in GROUP_LABELS:
        value = key.label(label)
        if value is not None:
            return f"{label}={value}"
    return "unlabelled" if not key.labels else key.metric


class GroupWatch:
    """State of one `pca` rule; subjects are groups."""

    def __init__(self, rule: Rule, settings: DetectionSettings, step_s: int) -> None:
        self.rule = rule
        self._settings = settings
        self._members: dict[str, list[list[int]]] = {}
        self._models: dict[int, Axes | None] = {}
        self._groups: list[list[int]] = []
        self._tail = Tail.empty((0,))
        self._budget = AlarmBudget(settings.alarm_budget, step_s)
        self.episodes = Episodes(patience(settings, step_s))

    def add(self, rows: list[int], keys: list[SeriesKey]) -> None:
        """Put further rows of the state into groups of at most 64."""
        for row, key in zip(rows, keys, strict=True):
            parts = self._members.setdefault(group_of(key), [])
            if not parts or len(parts[-1]) >= MOST_COLUMNS:
                parts.append([])
                self._groups.append(parts[-1])
            parts[-1].append(row)
        self._tail.grow(len(self._groups))
        self._budget.grow(len(self._groups))

    def copy(self) -> "GroupWatch":
        """An independent copy of the state."""
        twin = copy.copy(self)
        twin._members, twin._groups = copy.deepcopy((self._members, self._groups))  # noqa: SLF001
        twin._models = dict(self._models)  # noqa: SLF001
        twin._tail = copy.deepcopy(self._tail)  # noqa: SLF001
        twin._budget = self._budget.copy()  # noqa: SLF001
        twin.episodes = self.episodes.copy()
        return twin

    def observe(self, scene: Scene) -> None:
        """Judge one column of every group and move the episodes on."""
        if not scene.live and scene.t < scene.window.n_steps - CALIBRATED_COLUMNS:
            return
        n = len(self._groups)
        ratio, contributions = np.full(n, np.nan), {}
        for g, rows in enumerate(self._groups):
            if len(rows) >= FEWEST_COLUMNS and scene.t >= FEWEST_COLUMNS_IN_TIME:
                ratio[g], contributions[g] = self._score(g, rows, scene)
        nominal = LIMIT_SURPRISE * np.sqrt(ratio)
        surprise = self._tail.surprise(nominal)
        self._tail.learn(np.nan_to_num(nominal, nan=0.0), np.isfinite(nominal))
        self._move(scene, ratio, surprise, contributions)

    def _score(self, g: int, rows: list[int], scene: Scene) -> tuple[float, FloatArray]:
        places = np.array(rows, dtype=np.intp)
        model = self._models.get(g)
        if model is None or len(model.used) != len(rows) or scene.ordinal % REFIT == g % REFIT:
            model = fit_axes(lively(scene.baseline(places, self.rule.window_size)).T)
            self._models[g] = model
        x = scene.values[places]
        if model is None or not np.isfinite(x).any():
            return np.nan, np.zeros(len(rows))
        return pca_scores(model, x)

    def _move(
        self, scene: Scene, ratio: FloatArray, surprise: FloatArray, contributions: dict[int, FloatArray]
    ) -> None:
        own = self.rule.threshold
        judged = np.isfinite(ratio)
        needed = np.full(len(ratio), own) if own is not None else self._budget.threshold
        measure = ratio if own is not None else surprise
        ripe = self._tail.count >= RIPE
        alarm, stay = judged & ripe & (measure >= needed), judged & (measure >= 0.75 * needed)
        started = np.zeros(len(ratio), dtype=bool)
        for g in sorted({*np.flatnonzero(alarm).tolist(), *self.episodes.open_rows()}):
            if not judged[g]:
                continue
            finding = self._finding(g, scene, (ratio[g], surprise[g], needed[g]), contributions[g])
            if alarm[g] and not self._known(g, finding):
                started[g] = self.episodes.alarm(g, finding, finding.at, begins=not scene.judged)
                self._settle(g)
            elif stay[g]:
                self.episodes.stay(g, finding)
                self._settle(g)
            else:
                self.episodes.calm(g)
        self._budget.spend(started, surprise)

    def _known(self, g: int, finding: Finding) -> bool:
        """Whether a pattern no stranger than one that has become usual comes up again."""
        episode = self.episodes.latest.get(g)
        if episode is None or episode.reason != "new_normal" or finding.at - episode.last > REMEMBERED:
            return False
        return finding.surprise <= episode.peak.surprise

    def _settle(self, g: int) -> None:
        """A pattern that stays without growing becomes usual."""
        episode = self.episodes.latest.get(g)
        if episode is not None and episode.since_peak >= self.episodes.patience.settled:
            self.episodes.settle(g)

    def _finding(
        self, g: int, scene: Scene, judged: tuple[float, float, float], contribution: FloatArray
    ) -> Finding:
        ratio, surprise, needed = (float(one) for one in judged)
        total = max(float(contribution.sum()), 1e-300)
        order = np.argsort(-contribution, kind="stable")[:NAMED]
        rows = [self._groups[g][int(i)] for i in order]
        shares = [round(float(contribution[int(i)]) / total, 4) for i in order]
        detail: dict[str, Any] = {
            "baseline": "usual pattern of the group (principal components)",
            "rows": rows,
            "contributions": shares,
            "group_size": len(self._groups[g]),
        }
        return Finding(
            at=scene.window.time_at(scene.t),
            until=scene.window.time_at(scene.t + 1),
            score=ratio,
            surprise=surprise,
            z=None,
            side="both",
            value=ratio,
            low=None,
            high=1.0,
            threshold=needed,
            detail=detail,
        )

    def affected(self, _row: int, episode: Episode) -> tuple[int, ...]:
        """Rows of the series that led at the onset, then of those that contributed most at the peak."""
        return tuple(dict.fromkeys((episode.first.detail["rows"][0], *episode.peak.detail["rows"])))
