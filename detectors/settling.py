"""When an anomaly is over: the series is back, or it has settled at a new level.

Means over hours stay unusual long after the values are normal again, and a seasonal baseline needs days to
follow a new level. An episode therefore remembers what was usual when it began.
"""

from dataclasses import dataclass

REACH = 3.0
SMOOTHING = 1 / 6
STEADY = 0.5
SLIVER = 1e-3


@dataclass(slots=True)
class Level:
    """Where a series was usually found when an episode began, and where it is now.

    Args:
        usual: baseline at the onset.
        season: seasonal baseline then, None where there is none; later values are compared at their own time
            of the day.
        reach: distance from the baseline that is ordinary.
        mean: short mean of the values, less what the time of the day explains.
        anchor: the short mean when it last moved.
        steady: cells since then.
        left: whether the series has been out of reach.
        settled: the new level, once there is one.
    """

    usual: float
    season: float | None
    reach: float
    mean: float
    anchor: float
    steady: int = 0
    left: bool = False
    settled: float | None = None

    @classmethod
    def at(cls, value: float, usual: float, season: float | None, spread: float) -> "Level":
        """The level at an onset.

        Args:
            value: the value that raised the alarm.
            usual: the baseline it is compared with.
            season: the seasonal baseline, None where unknown.
            spread: usual standard deviation around the baseline.
        """
        reach = max(REACH * spread, SLIVER * abs(value - usual))
        return cls(usual, season, reach, value, value, left=abs(value - usual) > reach)

    def take(self, value: float, season: float | None) -> None:
        """Follow one more value while the episode is open."""
        plain = self._plain(value, season)
        self.left = self.left or abs(plain - self.usual) > self.reach
        self.mean += SMOOTHING * (plain - self.mean)
        if abs(self.mean - self.anchor) > STEADY * self.reach:
            self.anchor, self.steady = self.mean, 0
        else:
            self.steady += 1

    def is_back(self, value: float, season: float | None) -> bool:
        """Whether a value is where the series was before it left, or where it has settled."""
        plain = self._plain(value, season)
        if self.settled is not None and abs(plain - self.settled) <= self.reach:
            return True
        return self.left and abs(plain - self.usual) <= self.reach

    def settle(self, cells: int) -> bool:
        """Whether the level has not moved for so many cells; from then on it is the usual one."""
        if self.settled is None and self.steady >= cells:
            self.settled = self.mean
        return self.settled is not None

    def reopen(self) -> None:
        """The episode goes on after all."""
        self.settled, self.steady, self.anchor = None, 0, self.mean

    def _plain(self, value: float, season: float | None) -> float:
        if self.season is None or season is None:
            return value
        return value - (season - self.season)
