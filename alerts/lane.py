"""The road to one receiver: its pace, its Retry-After, its back-off and its health."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from alerts.notice import Receiver
from domain.errors import NotifyError

FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 300.0
REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class ReceiverHealth:
    """How a receiver fares; `last_error` stays until the next success."""

    name: str
    status: Literal["untried", "ok", "retrying", "refusing"] = "untried"
    last_success_at: datetime | None = None
    last_error: str | None = None
    delivered: int = 0
    parked: int = 0
    possible_repeats: int = 0


class Lane:
    """Keeps the distance between calls; times are those of a monotonic clock, in seconds."""

    def __init__(self, receiver: Receiver, jitter: Callable[[float, float], float]) -> None:
        self.receiver = receiver
        self.health = ReceiverHealth(receiver.name)
        self._jitter = jitter
        self._free_at = 0.0
        self._failures = 0
        self.asked_to_wait = False
        self._told: dict[str, object] = {}

    def wait_s(self, moment: float) -> float:
        """Seconds until the next call is allowed."""
        return max(self._free_at - moment, 0.0)

    def blocked(self, moment: float) -> bool:
        """Whether the wait is longer than the usual distance between two calls."""
        return self.wait_s(moment) > max(self.receiver.pace_s, 1.0)

    def hold(self, moment: float, seconds: float) -> None:
        """Allow no call for a while."""
        self._free_at = max(self._free_at, moment + seconds)

    def succeeded(self, moment: float, now: datetime, *, repeat: bool) -> None:
        """Note a delivery."""
        self._failures = 0
        self.asked_to_wait = False
        self.hold(moment, self.receiver.pace_s)
        self.health = replace(
            self.health,
            status="ok",
            last_success_at=now,
            last_error=None,
            delivered=self.health.delivered + 1,
            possible_repeats=self.health.possible_repeats + repeat,
        )

    def failed(self, moment: float, error: NotifyError) -> float:
        """Note a failure that may pass, and return the seconds until the next try, jittered.

        A wait that the receiver asked for is never shortened.
        """
        self._failures += 1
        self.asked_to_wait = error.retry_after is not None
        backoff = min(FIRST_BACKOFF_S * 2.0 ** min(self._failures - 1, 30), LONGEST_BACKOFF_S)
        wait = backoff * self._jitter(0.5, 1.5)
        if error.retry_after is not None:
            wait = error.retry_after * self._jitter(1.01, 1.1) + 0.05
        self.hold(moment, wait)
        self.health = replace(self.health, status="retrying", last_error=error.reason)
        return wait

    def refused(self, moment: float, error: NotifyError) -> None:
        """Note a failure that only a person can repair; the next message is tried all the same."""
        self.hold(moment, self.receiver.pace_s)
        self.health = replace(
            self.health, status="refusing", last_error=error.reason, parked=self.health.parked + 1
        )

    def remember(self, subject: str, content: object) -> None:
        """Keep what was told last, to not tell the same again."""
        self._told.pop(subject, None)
        self._told[subject] = content
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    def was_told(self, subject: str, content: object) -> bool:
        """Whether exactly this was delivered last."""
        return self._told.get(subject) == content
