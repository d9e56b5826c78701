"""Our clock and the venue's: how far they are apart, and up to when something may count as over."""

import math
import time
from collections.abc import Callable
from datetime import datetime

from collectors.exchange.settings import VenueSource
from collectors.exchange.venue import CallFailed, Venue
from collectors.gate import read_number
from collectors.intake import Intake
from domain.timestamps import to_microseconds

# A clock may be days off; by years it counts something else.
_LONGEST_OFF_MS = 366 * 86_400_000
# A cycle's time this near to the host's clock was taken from it.
_OF_THE_HOST_MS = 60_000


class Clocks:
    """The time during one read: the host's, or one that began at the cycle's time where that is another.

    Args:
        settings: of the source.
        venue: asked for its time.
        monotonic: seconds on a clock that is never set.
        host: seconds since 1970 on the host's clock.
    """

    def __init__(
        self,
        settings: VenueSource,
        venue: Venue,
        monotonic: Callable[[], float] = time.monotonic,
        host: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._venue = venue
        self._monotonic = monotonic
        self._host = host
        self._now_ms = 0
        self._began = 0.0
        self._ahead_ms: float | None = None

    def begin(self, now: datetime, *, anew: bool) -> float:
        """Start or go on with the read of this time; returns its deadline on `time.monotonic`."""
        now_ms = to_microseconds(now) // 1_000
        if anew or now_ms != self._now_ms:
            self._now_ms, self._began = now_ms, self._monotonic()
        return self._began + self._settings.deadline_seconds

    def ours_ms(self) -> int:
        """Our clock now, in milliseconds since 1970.

        A read may begin, or be tried again, long after its cycle began: that is no difference of clocks.
        """
        ours, host = self._now_ms + int((self._monotonic() - self._began) * 1_000), int(self._host() * 1_000)
        return host if abs(host - ours) < _OF_THE_HOST_MS else ours

    def venue_ms(self) -> int:
        """The venue's clock now; ours where it does not tell its own."""
        return self.ours_ms() + int(self._ahead_ms or 0)

    def compare(self, intake: Intake, deadline: float) -> None:
        """Ask the venue for its time, and note how far it is from ours.

        Raises:
            SourceError: the venue could not be reached at all.
        """
        self._ahead_ms = None
        if not self._venue.has("fetchTime"):
            return
        before = self.ours_ms()
        try:
            told = read_number(self._venue.call("the venue's time", "fetch_time", deadline=deadline))
        except CallFailed as error:
            intake.skip(f"calls failed: {error.reason}")
            return
        after = self.ours_ms()
        if told is None or told <= 0:
            intake.skip("calls failed: the venue's time is no time")
            return
        # It was read somewhere on the way there and back.
        ahead = told - (before + after) / 2
        if abs(ahead) > _LONGEST_OFF_MS:
            intake.skip(
                "calls failed: the venue's time is no time of these days; are its units milliseconds?"
            )
            return
        self._ahead_ms = ahead
        # What the length of that way may explain is no difference: a busy host is not one with a wrong clock.
        certain = math.copysign(max(abs(self._ahead_ms) - (after - before) / 2 - 1.0, 0.0), self._ahead_ms)
        row = intake.row("venue_clock_offset_ms", {"venue": self._settings.label}, unit="ms")
        intake.add(row, self._now_ms * 1_000, certain)

    def over_ms(self, settle_seconds: float) -> int:
        """What ended before this time is over on both clocks."""
        return min(self.ours_ms(), self.venue_ms()) - int(settle_seconds * 1_000)

    @property
    def stamp(self) -> int:
        """The time of what is measured now, in microseconds since 1970: the read's."""
        return self._now_ms * 1_000
