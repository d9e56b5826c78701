"""A circuit breaker per endpoint: a failing model is left alone, then tried once, then trusted again."""

import threading
from collections.abc import Callable

from agent.model.outcomes import OURS, PERMANENT, ModelFailure

THRESHOLD = 3
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 600.0
LONGEST_RETRY_AFTER_S = 3_600.0


class Breaker:
    """Counts failures in a row; thread-safe.

    Args:
        clock: monotonic seconds.
        dice: a random number in [0, 1), so that replicas do not knock together.
    """

    def __init__(self, clock: Callable[[], float], dice: Callable[[], float]) -> None:
        self._clock = clock
        self._dice = dice
        self._guard = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0
        self._trying = False
        self.last_reason = ""

    def admit(self) -> None:
        """Let a call through, or raise ModelFailure `paused` with the seconds left."""
        with self._guard:
            wait = self._closed_until - self._clock()
            if wait > 0:
                raise ModelFailure("paused", self.last_reason, retry_after=wait)
            if self._failures >= THRESHOLD:
                if self._trying:
                    raise ModelFailure("paused", self.last_reason, retry_after=1.0)
                self._trying = True

    def waits(self) -> float:
        """Seconds for which no call is let through."""
        with self._guard:
            return max(0.0, self._closed_until - self._clock())

    def succeeded(self) -> None:
        """A call was answered."""
        with self._guard:
            self._failures, self._trying, self.last_reason = 0, False, ""

    def abandoned(self) -> None:
        """A call was cancelled: nothing is known."""
        with self._guard:
            self._trying = False

    def failed(self, failure: ModelFailure) -> None:
        """A call failed; what the endpoint asked for is kept to in any case."""
        with self._guard:
            self._trying = False
            if failure.outcome in OURS:
                return
            self._failures = max(self._failures + 1, THRESHOLD if failure.outcome in PERMANENT else 0)
            self.last_reason = str(failure)
            pause = 0.0
            if self._failures >= THRESHOLD:
                doubled = FIRST_PAUSE_S * 2.0 ** min(self._failures - THRESHOLD, 10)
                pause = min(doubled, LONGEST_PAUSE_S) * (0.75 + self._dice() / 4)
            if failure.retry_after is not None:
                pause = max(pause, min(failure.retry_after, LONGEST_RETRY_AFTER_S))
            self._closed_until = max(self._closed_until, self._clock() + pause)
