"""The combined detector: several weak statistics per series, each calibrated, summed to one strength.

It works on one column of all series at a time and keeps a fixed state per series, so a batch and a stream
give the same numbers, and a row can never depend on a later one.
"""

import copy
from dataclasses import dataclass

import numpy as np

from detectors.forecast import Forecaster, winsorised
from detectors.frozen import frozen_scores
from detectors.recurrence import Recurrence
from detectors.seasonal import Moment, SeasonalTable
from detectors.surprise import student_surprise
from detectors.tail import Tail
from domain.series import BoolArray, FloatArray

STATISTICS = ("innovation", "level", "long_level", "variance", "range", "season", "frozen")
WEIGHTS = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 0.7])
FROZEN = STATISTICS.index("frozen")
SATURATION = 20.0
STRENGTH_UNIT = 3.0
SHORT, LONG, BURST, CALM = 1 / 6, 1 / 36, 1 / 12, 1 / 288
MEMORY = 600
MEAN_TO_SIGMA = 1.2533
REACH = 4.0
WARM = 20
BOUND = 3.0
# What rounding makes of a sum of large numbers is no movement.
RELATIVE_FLOOR = 1e-13
GAIN = 1.7
SUSPECT = 3.0
SLOW_PACE = 0.1
PATIENCE = 144.0
COOLING = 0.25
STATE = (
    "origin count run longest repeats slow short short_scale long long_scale scale burst calm ratio "
    "ratio_scale wide low high gap spent"
)


@dataclass(frozen=True, slots=True)
class Column:
    """What the monitor says about one column, arrays of shape (n_series,) unless noted.

    Args:
        strength: weighted sum of the calibrated statistics, less what recurrence explains; NaN for gaps and
            series without a past.
        surprise: -log10 of the causal tail probability of the strength in the series' own history.
        z: signed deviation from the local forecast in standard deviations.
        direction: +1 or -1, the side on which the leading statistic left.
        leading: index into STATISTICS of the statistic that adds most.
        parts: shape (n_statistics, n_series), calibrated surprise of each statistic.
        low: lower end of the expected band.
        high: upper end.
    """

    strength: FloatArray
    surprise: FloatArray
    z: FloatArray
    direction: FloatArray
    leading: FloatArray
    parts: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class _Look:
    """Intermediate values of one column, shape (n_series,)."""

    y: FloatArray
    seasonal: FloatArray
    forecast: FloatArray
    floor: FloatArray
    short: FloatArray
    long: FloatArray
    burst: FloatArray
    ratio: FloatArray
    z: FloatArray


class Monitor:
    """Scores columns of a growing set of series; see `step`."""

    def __init__(self, n_slots: int, cells_per_day: float = 288.0) -> None:
        self._n = 0
        self._norm: FloatArray | None = None
        self._gain, self._most = np.zeros(0), np.zeros(0)
        self.table = SeasonalTable(n_slots, cells_per_day)
        self._tails = Tail.empty((len(STATISTICS), 0))
        self._final = Tail.empty((0,))
        self._recurrence = Recurrence()
        self._forecaster = Forecaster.empty(0)
        self.state: dict[str, FloatArray] = {name: np.zeros(0) for name in STATE.split()}

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
            self.state[name] = np.pad(values, (0, more))
        for part in (self.table, self._tails, self._final, self._recurrence, self._forecaster):
            part.grow(n)
        self._n = n

    def company(self, columns: FloatArray) -> None:
        """Say how many columns each series is judged together with, shape (n_series,).

        A series by itself needs statistics that agree: their weighted sum. Among many columns one clear
        statistic is enough, since other columns can agree with it: towards the Euclidean norm.
        """
        lone = 1.0 / columns
        self._norm = 2.0 - lone
        self._gain, self._most = np.power(GAIN, 1.0 - lone), SATURATION * (1.5 - 0.5 * lone)

    def copy(self) -> "Monitor":
        """A copy to go back to; the slowly moving seasonal table is shared."""
        twin = copy.copy(self)
        twin.state = {name: values.copy() for name, values in self.state.items()}
        twin._tails, twin._final = copy.deepcopy(self._tails), copy.deepcopy(self._final)  # noqa: SLF001
        twin._recurrence = self._recurrence.copy()  # noqa: SLF001
        twin._forecaster = copy.deepcopy(self._forecaster)  # noqa: SLF001
        return twin

    def note_missing(self, x: FloatArray, at: Moment, among: BoolArray) -> None:
        """Note which of these series have begun and are missing in a column; once for each column."""
        begun = (self.state["count"] > 0) | (self.state["origin"] != 0)
        self.table.miss(at, among & begun & ~np.isfinite(x))

    def expected(self, at: Moment) -> FloatArray:
        """Seasonal baseline of shape (n_series,) in the unit of the values; NaN where no day has passed."""
        return self.table.expected(at) + self.state["origin"]

    def learn_season(self, x: FloatArray, at: Moment) -> None:
        """Teach the seasonal table alone (older history), shape (n_series,)."""
        seen = np.isfinite(x)
        self._begin(x, seen)
        self.table.learn(at, np.where(seen, x - self.state["origin"], 0.0), self.state["wide"], seen)

    def step(self, x: FloatArray, at: Moment, among: BoolArray | None = None) -> Column:
        """Score one column against the state, then learn from it.

        Args:
            x: shape (n_series,); NaN is a gap: not scored, and nothing is learned but its length (the
                forecast after a gap is less certain, as for a random walk).
            at: its place in the day.
            among: shape (n_series,), of whom the seasonal table learns this column too; None: of all.
        """
        seen = np.isfinite(x)
        self._begin(x, seen)
        look = self._look(np.where(seen, x - self.state["origin"], self._forecaster.last), at)
        nominal = student_surprise(look.z)
        nominal[FROZEN] = np.maximum(look.z[FROZEN], 0.0)
        ready = seen & (self.state["count"] >= WARM)
        parts = self._tails.surprise(nominal)
        weighted = WEIGHTS[:, None] * parts
        plain = self._together(weighted, parts)
        strength = self._recurrence.discounted(plain)
        surprise = self._final.surprise(strength / STRENGTH_UNIT)
        pace = self._pace(surprise, ready)
        self._tails.learn(nominal, np.broadcast_to(ready, nominal.shape), pace)
        self._final.learn(strength / STRENGTH_UNIT, ready, pace)
        self._recurrence.learn(np.where(ready, plain, 0.0))
        leading = weighted.argmax(axis=0)
        side = np.where(look.z[leading, np.arange(self._n)] >= 0, 1.0, -1.0)
        side = np.where(
            (leading == FROZEN) | (STATISTICS.index("variance") == leading), np.sign(look.z[0]), side
        )
        low, high = self._band(look)
        column = Column(
            strength=np.where(ready, strength, np.nan),
            surprise=np.where(ready, surprise, np.nan),
            z=np.where(seen, look.z[0], np.nan),
            direction=side,
            leading=leading.astype(np.float64),
            parts=parts,
            low=low,
            high=high,
        )
        self.table.learn(at, look.y, self.state["wide"], seen if among is None else seen & among)
        self._learn(look, seen, pace)
        return column

    def _together(self, weighted: FloatArray, parts: FloatArray) -> FloatArray:
        """One strength of all statistics; see `company`."""
        if self._norm is None:
            return np.asarray(SATURATION * (1.0 - np.exp(-weighted.sum(axis=0) / SATURATION)))
        powers = (WEIGHTS[:, None] * np.power(np.maximum(parts, 0.0), self._norm)).sum(axis=0)
        total = self._gain * np.power(powers, 1.0 / self._norm)
        return np.asarray(self._most * (1.0 - np.exp(-total / self._most)))

    def _pace(self, surprise: FloatArray, ready: BoolArray) -> FloatArray:
        """How fast each series learns: an anomaly teaches little, a new regime everything in the end."""
        hot = ready & (surprise >= SUSPECT)
        spent = self.state["spent"]
        self.state["spent"] = np.where(
            hot, np.minimum(spent + 1.0, 2.0 * PATIENCE), np.maximum(spent - COOLING, 0.0)
        )
        return np.where(hot & (spent < PATIENCE), SLOW_PACE, 1.0)

    def _begin(self, x: FloatArray, seen: BoolArray) -> None:
        first = seen & (self.state["count"] == 0) & (self.state["origin"] == 0)
        if first.any():
            self.state["origin"] = np.where(first, x, self.state["origin"])

    def _band(self, look: _Look) -> tuple[FloatArray, FloatArray]:
        centre = look.forecast + self.state["origin"]
        reach = REACH * MEAN_TO_SIGMA * self.state["scale"]
        return centre - reach, centre + reach

    def _look(self, y: FloatArray, at: Moment) -> _Look:
        """Statistics before learning; `z` has shape (n_statistics, n_series)."""
        s = self.state
        season = self.table.expected(at)
        seasonal = np.where(np.isfinite(season), season, s["slow"])
        forecast = self._forecaster.forecast(seasonal)
        floor = RELATIVE_FLOOR * np.maximum(np.abs(y), np.abs(s["origin"])) + 1e-300
        away = y - seasonal
        bound = np.where((s["count"] > WARM) & (s["wide"] > 0), BOUND * s["wide"], np.inf)
        bounded = np.clip(away, -bound, bound)
        short = s["short"] + SHORT * (bounded - s["short"])
        long = s["long"] + LONG * (bounded - s["long"])
        miss = np.minimum(np.abs(y - forecast), 20 * s["scale"])
        burst = s["burst"] + BURST * (miss - s["burst"])
        ratio = np.log((burst + floor) / (s["calm"] + floor))
        z = np.stack(
            [
                (y - forecast) / np.maximum(s["scale"] * MEAN_TO_SIGMA * np.sqrt(1.0 + s["gap"]), floor),
                short / np.maximum(s["short_scale"] * MEAN_TO_SIGMA, floor),
                long / np.maximum(s["long_scale"] * MEAN_TO_SIGMA, floor),
                (ratio - s["ratio"]) / np.maximum(s["ratio_scale"] * MEAN_TO_SIGMA, 0.05),
                self._beyond(y, floor),
                away / np.maximum(s["wide"] * MEAN_TO_SIGMA, floor),
                self._frozen(y),
            ]
        )
        return _Look(y, seasonal, forecast, floor, short, long, burst, ratio, np.clip(z, -1e12, 1e12))

    def _beyond(self, y: FloatArray, floor: FloatArray) -> FloatArray:
        """How far beyond everything seen, as a nominal deviation (2 at the extremes, 10 per width)."""
        low, high = self.state["low"], self.state["high"]
        width = np.maximum(high - low, floor)
        out = np.maximum(y - high, 0.0) + np.minimum(y - low, 0.0)
        return np.where(np.abs(out) > 0.01 * width, np.sign(out) * (2.0 + 10.0 * np.abs(out) / width), 0.0)

    def _frozen(self, y: FloatArray) -> FloatArray:
        repeats = np.where(y == self._forecaster.last, self.state["run"] + 1.0, 0.0)
        return frozen_scores(repeats, self.state["longest"], self.state["repeats"])

    def _learn(self, look: _Look, seen: BoolArray, pace: FloatArray) -> None:
        s, y = self.state, look.y
        count = s["count"]
        rate = pace * np.maximum(1.0 / (count + 1.0), 1.0 / MEMORY)
        warm = count > WARM
        miss, first = np.abs(y - look.forecast), count == 0
        away = np.abs(y - look.seasonal)
        targets = {
            "scale": winsorised(miss, s["scale"], warm),
            "short_scale": winsorised(np.abs(look.short), s["short_scale"], warm),
            "long_scale": winsorised(np.abs(look.long), s["long_scale"], warm),
            "ratio_scale": np.minimum(np.abs(look.ratio - s["ratio"]), 5.0),
            "ratio": np.clip(look.ratio, -5.0, 5.0),
            "wide": winsorised(away, s["wide"], warm),
        }
        update = {name: s[name] + rate * (target - s[name]) for name, target in targets.items()}
        calm = winsorised(miss, s["calm"], warm)
        update["calm"] = s["calm"] + np.maximum(rate, CALM) * (calm - s["calm"])
        update["slow"] = s["slow"] + np.maximum(rate, CALM) * (y - s["slow"])
        update |= {"short": look.short, "long": look.long, "burst": look.burst, "count": count + 1.0}
        same = (y == self._forecaster.last) & ~first
        update["repeats"] = s["repeats"] + rate * (same - s["repeats"])
        update["run"] = np.where(same, s["run"] + 1.0, 0.0)
        fading = s["longest"] * (1.0 - 1.0 / (4 * MEMORY))
        update["longest"] = np.maximum(fading, np.where(same, 0.0, s["run"]))
        update["low"] = np.where(first, y, np.minimum(s["low"], y))
        update["high"] = np.where(first, y, np.maximum(s["high"], y))
        self._forecaster.learn(y, look.seasonal, count, seen)
        for name, value in update.items():
            s[name] = np.where(seen, value, s[name])
        s["gap"] = np.where(seen, 0.0, s["gap"] + 1.0)
