"""When a failing source may be tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

LONGEST_RETRY_AFTER_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while a source answers, open while it is left alone, half open for the one try after that.

    Args:
        failures: failed collections in a row.
        open_until: no call is made before this time.
        threshold: failures in a row that open it.
        first_s: how long it stays open at first; doubles with every further failure.
        longest_s: where the doubling ends.
    """

    failures: int = 0
    open_until: datetime | None = None
    threshold: int = 3
    first_s: float = 30.0
    longest_s: float = 600.0

    def state(self, now: datetime) -> Literal["closed", "open", "half_open"]:
        if self.failures == 0:
            return "closed"
        if self.open_until is not None and now < self.open_until and not self._is_absurd(now):
            return "open"
        return "half_open" if self.failures >= self.threshold else "closed"

    def succeeded(self) -> Self:
        return type(self)(0, None, self.threshold, self.first_s, self.longest_s)

    def failed(self, now: datetime, jitter: float, retry_after: float | None = None) -> Self:
        """Count a failure.

        Args:
            now: when it failed.
            jitter: a random number in [0, 1), so that replicas do not knock together.
            retry_after: seconds that the source asked to be left alone; always kept to.
        """
        failures = self.failures + 1
        wait = 0.0
        if failures >= self.threshold:
            doubled = self.first_s * 2.0 ** min(failures - self.threshold, 30)
            wait = min(doubled, self.longest_s) * (0.5 + jitter / 2)
        if retry_after is not None:
            wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER_S))
        until = now + timedelta(seconds=wait) if wait else None
        return type(self)(failures, until, self.threshold, self.first_s, self.longest_s)

    def _is_absurd(self, now: datetime) -> bool:
        """A clock that was set back must not keep a source closed for hours."""
        longest = max(self.longest_s, LONGEST_RETRY_AFTER_S)
        return self.open_until is not None and self.open_until - now > timedelta(seconds=longest)
