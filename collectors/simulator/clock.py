"""The simulated clock: wall time since the start, sped up; every process can compute it from two numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from domain.timestamps import EPOCH, parse_rfc3339


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Simulated time = start + speed x (wall - wall_start).

    Args:
        start: the simulated instant at `wall_start`.
        speed: simulated seconds per second of wall time, above zero.
        wall_start: seconds since 1970 of the wall clock.
        wall: returns seconds since 1970 of the wall clock, such as `time.time`.
    """

    start: datetime
    speed: float
    wall_start: float
    wall: Callable[[], float]

    @classmethod
    def from_ready(cls, ready: dict[str, Any], wall: Callable[[], float]) -> Self:
        """The clock that a ready line describes."""
        clock = ready["clock"]
        return cls(parse_rfc3339(clock["start"]), float(clock["speed"]), float(clock["wall_start"]), wall)

    def now(self) -> datetime:
        """The simulated instant."""
        return self.start + timedelta(seconds=self.speed * (self.wall() - self.wall_start))

    def wall_seconds_until(self, instant: datetime) -> float:
        """Seconds of wall time until the simulated clock shows `instant`; negative where it is past."""
        return (instant - self.now()).total_seconds() / self.speed


def at_second(seconds: float) -> datetime:
    """The instant so many seconds after 1970."""
    return EPOCH + timedelta(seconds=seconds)
