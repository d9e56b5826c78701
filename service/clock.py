"""The clocks of the service: the real one, and the accelerated one of the demo desk."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AcceleratedClock:
    """A clock that shows `start` at the wall time `wall_start` and then runs `speed` times as fast.

    Several processes that know the three numbers show the same time.
    """

    start: datetime
    wall_start: float
    speed: float

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=(time.time() - self.wall_start) * self.speed)
