"""The combined detector: several weak statistics per series, each calibrated, then one surprise.

It works on one column of all series at a time and keeps a fixed state per series, so a batch and a stream
give the same numbers, and a row can never depend on a later one.
"""

import copy
from dataclasses import dataclass

import numpy as np

from detectors.frozen import frozen_scores
from detectors.seasonal import Moment, SeasonalTable
from detectors.surprise import student_surprise
from detectors.tail import Tail
from domain.series import BoolArray, FloatArray

STATISTICS = ("innovation", "level", "variance", "range", "season", "frozen")
EXPERTS = 3
WINSOR = 4.0
FAST, SHORT, LONG = 0.3, 1 / 6, 1 / 288
BURST, MEMORY = 1 / 12, 1 / 600
REACH = 4.0
WARM = 20


@dataclass(frozen=True, slots=True)
class Column:
    """What the monitor says about one column, all arrays of shape (n_series,).

    Args:
        surprise: calibrated -log10 of the tail probability; NaN for gaps and series without a past.
        z: signed deviation from the local forecast in standard deviations.
        direction: +1 or -1, the side on which the leading statistic left.
        leading: index into STATISTICS of the most surprising statistic.
        parts: shape (n_statistics, n_series), calibrated surprise of each statistic.
        low: lower end of the expected band.
        high: upper end.
    """

    surprise: FloatArray
    z: FloatArray
    direction: FloatArray
    leading: FloatArray
    parts: FloatArray
    low: FloatArray
    high: FloatArray


class Monitor:
    """Scores columns of a growing set of series; see `step`."""

    def __init__(self, n_slots: int) -> None:
        self._n = 0
        self.table = SeasonalTable(n_slots)
        self.tails = Tail.empty((len(STATISTICS), 0))
        self.final = Tail.empty((0,))
        names = (
            "origin last count run longest repeats fast slow offset short scale spread burst calm ratio "
            "ratio_scale wide low high"
        )
        self.state: dict[str, FloatArray] = {name: np.zeros(0) for name in names.split()}
        self.state["origin"] = np.zeros(0)
        self.errors = np.zeros((EXPERTS, 0))

    @property
    def points(self) -> FloatArray:
        """Finite points seen per series, shape (n_series,)."""
        return self.state["count"]

    def grow(self, n: int) -> None:
        """Append series without a past up to n."""
        more = n - self._n
        if more <= 0:
            return
        for name, values in self.state.items():
            self.state[name] = np.concatenate([values, np.zeros(more)])
        self.errors = np.concatenate([self.errors, np.zeros((EXPERTS, more))], axis=1)
        self.table.grow(n)
        self.tails.grow(n)
        self.final.grow(n)
        self._n = n

    def copy(self) -> "Monitor":
        """An independent copy of the whole state."""
        return copy.deepcopy(self)

    def expected(self, at: Moment) -> FloatArray:
        """Seasonal baseline of shape (n_series,) in the unit of the values; NaN where no day has passed."""
        return self.table.expected(at) + self.state["origin"]

    def learn_season(self, x: FloatArray, at: Moment) -> None:
        """Teach the seasonal table alone (older history), shape (n_series,)."""
        seen = np.isfinite(x)
        self._begin(x, seen)
        self.table.learn(at, np.where(seen, x - self.state["origin"], 0.0), self.state["wide"], seen)

    def step(self, x: FloatArray, at: Moment) -> Column:
        """Score one column against the state, then learn from it.

        Args:
            x: shape (n_series,); NaN is a gap: not scored, and only the passing of time is learned.
            at: its place in the day.
        """
        seen = np.isfinite(x)
        self._begin(x, seen)
        y = np.where(seen, x - self.state["origin"], self.state["last"])
        season = self.table.expected(at)
        z, forecast = self._statistics(y, season)
        nominal = student_surprise(z)
        nominal[STATISTICS.index("frozen")] = z[STATISTICS.index("frozen")]
        ready = seen & (self.state["count"] >= WARM)
        parts = self.tails.surprise(nominal)
        leading = parts.argmax(axis=0)
        rows = np.arange(self._n)
        pooled = np.maximum(parts[leading, rows] - 0.3, 0.0)
        surprise = np.where(ready, self.final.surprise(pooled), np.nan)
        self.tails.learn(nominal, ready[None, :] & np.ones((len(STATISTICS), 1), dtype=bool))
        self.final.learn(pooled, ready)
        sd = np.maximum(self.state["scale"], 0.0) * 1.2533
        low, high = forecast - REACH * sd + self.state["origin"], forecast + REACH * sd + self.state["origin"]
        side = np.where(z[leading, rows] >= 0, 1.0, -1.0)
        self._learn(y, season, forecast, at, seen)
        return Column(surprise, np.where(seen, z[0], np.nan), side, leading.astype(float), parts, low, high)

    def _begin(self, x: FloatArray, seen: BoolArray) -> None:
        first = seen & (self.state["count"] == 0) & (self.state["origin"] == 0)
        if first.any():
            self.state["origin"] = np.where(first, x, self.state["origin"])

    def _statistics(self, y: FloatArray, season: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Signed statistics of shape (n_statistics, n) and the local forecast of shape (n,)."""
        s = self.state
        seasonal = np.where(np.isfinite(season), season, s["slow"])
        experts = np.stack([s["last"], s["fast"], seasonal + s["offset"]])
        relative = (self.errors + 1e-300) / (self.errors.min(axis=0) + 1e-300)
        weight = 1.0 / np.square(np.square(relative))
        weight /= weight.sum(axis=0)
        forecast = (weight * experts).sum(axis=0)
        floor = 1e-9 * np.maximum(np.abs(y), np.abs(s["origin"])) + 1e-300
        innovation = (y - forecast) / (np.maximum(s["scale"] * 1.2533, floor))
        short = s["short"] + SHORT * (y - seasonal - s["short"])
        level = (short - s["slow"] * ~np.isfinite(season)) / np.maximum(s["spread"] * 1.2533, floor)
        e = np.minimum(np.abs(y - forecast), 20 * s["scale"])
        burst = s["burst"] + BURST * (e - s["burst"])
        ratio = np.log((burst + floor) / (s["calm"] + floor))
        variance = (ratio - s["ratio"]) / np.maximum(s["ratio_scale"] * 1.2533, 0.05)
        width = np.maximum(s["high"] - s["low"], floor)
        beyond = np.maximum(y - s["high"], 0.0) + np.minimum(y - s["low"], 0.0)
        reach = np.where(np.abs(beyond) > 0.01 * width, 2.0 + 10 * np.abs(beyond) / width, 0.0)
        deviation = (y - seasonal) / np.maximum(s["wide"] * 1.2533, floor)
        repeats = np.where(y == s["last"], s["run"] + 1.0, 0.0)
        frozen = frozen_scores(repeats, s["longest"], s["repeats"])
        stacked = np.stack([innovation, level, variance, np.sign(beyond) * reach, deviation, frozen])
        return np.clip(stacked, -1e12, 1e12), forecast

    def _learn(
        self, y: FloatArray, season: FloatArray, forecast: FloatArray, at: Moment, seen: BoolArray
    ) -> None:
        s = self.state
        seasonal = np.where(np.isfinite(season), season, s["slow"])
        first = seen & (s["count"] == 0)
        rate = np.maximum(1.0 / (s["count"] + 1.0), 1 / 100)
        slow_rate = np.maximum(1.0 / (s["count"] + 1.0), MEMORY)
        experts = np.stack([s["last"], s["fast"], seasonal + s["offset"]])
        bound = np.where(s["count"] > WARM, WINSOR * np.maximum(self.errors, 1e-300), np.inf)
        misses = np.minimum(np.abs(y - experts), bound)
        self.errors = np.where(seen, self.errors + rate * (misses - self.errors), self.errors)
        miss = np.abs(y - forecast)
        update = {
            "scale": _toward(s["scale"], _winsorised(miss, s["scale"], s["count"]), slow_rate),
            "fast": s["fast"] + np.maximum(FAST, rate) * (y - s["fast"]),
            "offset": s["offset"] + 0.1 * (y - seasonal - s["offset"]),
            "short": s["short"] + SHORT * (y - seasonal - s["short"]),
            "wide": _toward(s["wide"], _winsorised(np.abs(y - seasonal), s["wide"], s["count"]), slow_rate),
            "burst": s["burst"] + BURST * (np.minimum(miss, 20 * s["scale"]) - s["burst"]),
            "calm": _toward(s["calm"], _winsorised(miss, s["calm"], s["count"]), np.maximum(rate, LONG)),
            "slow": s["slow"] + np.maximum(slow_rate, LONG) * (y - s["slow"]),
        }
        level = np.abs(update["short"] - s["slow"] * ~np.isfinite(season))
        update["spread"] = _toward(s["spread"], _winsorised(level, s["spread"], s["count"]), slow_rate)
        ratio = np.log((update["burst"] + 1e-300) / (update["calm"] + 1e-300))
        update["ratio"] = s["ratio"] + slow_rate * (np.clip(ratio, -5, 5) - s["ratio"])
        away = np.minimum(np.abs(ratio - s["ratio"]), 5.0)
        update["ratio_scale"] = s["ratio_scale"] + slow_rate * (away - s["ratio_scale"])
        same = (y == s["last"]) & ~first
        update["repeats"] = s["repeats"] + slow_rate * (same - s["repeats"])
        update["run"] = np.where(same, s["run"] + 1.0, 0.0)
        update["longest"] = np.maximum(s["longest"] * (1 - MEMORY / 4), np.where(same, 0.0, s["run"]))
        update["low"] = np.where(first, y, np.minimum(s["low"], y))
        update["high"] = np.where(first, y, np.maximum(s["high"], y))
        update["last"] = y
        update["count"] = s["count"] + 1.0
        self.table.learn(at, y, s["wide"], seen)
        for name, value in update.items():
            s[name] = np.where(seen, value, s[name])


def _winsorised(miss: FloatArray, scale: FloatArray, count: FloatArray) -> FloatArray:
    """Absolute errors bounded at 4 times what is usual, once the usual is known."""
    return np.where((count > WARM) & (scale > 0), np.minimum(miss, WINSOR * scale), miss)


def _toward(state: FloatArray, target: FloatArray, rate: FloatArray) -> FloatArray:
    return state + rate * (target - state)
