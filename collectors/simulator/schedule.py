"""Which incident strikes when: a few in the past, one under way at the start, then one after another."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from collectors.simulator.incidents import KINDS, Incident, Origin, target_of

HISTORY_DAYS: Final = 14
_UNDER_WAY: Final = timedelta(minutes=25)
_FIRST_KIND: Final = "venue_gateway_latency"
_FIRST_TARGET: Final = "bybit"
# Days before the start at which something went wrong, each shifted by up to half a day.
_PAST_DAYS: Final = (12.4, 10.1, 7.6, 4.9, 2.2)
_QUIET_AROUND: Final = timedelta(minutes=30)
_HORIZON: Final = timedelta(days=2)
_LONGEST: Final = timedelta(hours=6)


class Schedule:
    """All incidents of a run: those that the seed planned and those that were asked for.

    Args:
        seed: decides kinds, targets, times and strengths.
        start: the instant at which the live desk begins.
        every: mean time from one planned incident to the next; None plans none after the first.
        first: kind of the incident that is under way at the start; None for none.
    """

    def __init__(
        self, seed: int, start: datetime, every: timedelta | None, first: str | None = _FIRST_KIND
    ) -> None:
        self._generator = np.random.default_rng([seed, 4])
        self._count = 0
        self._every = every
        self._planned: list[Incident] = []
        self._kinds: list[str] = []
        for days, kind in zip(_PAST_DAYS, self._shuffled(without=first), strict=False):
            when = start - timedelta(days=days + float(self._generator.uniform(-0.4, 0.4)))
            self._planned.append(self._make(kind, when, "history"))
        ends = start
        if first is not None:
            self._planned.append(self._first(first, start))
            ends = self._planned[-1].end
        self._last_kind = first
        self._next = ends + self._pause()

    def incidents(self, until: datetime) -> list[Incident]:
        """Every incident that begins before `until`, in order of start."""
        while self._every is not None and self._next < until:
            self._plan_next()
        return sorted((one for one in self._planned if one.start < until), key=lambda one: one.start)

    def inject(
        self, kind: str, at: datetime, duration: timedelta | None = None, target: str | None = None
    ) -> Incident:
        """Let an incident begin at `at`; planned ones that would disturb it are called off.

        Raises:
            ValueError: unknown kind or target, or a duration outside 5 minutes to 6 hours.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if duration is not None and not timedelta(minutes=5) <= duration <= _LONGEST:
            raise ValueError("duration_minutes must be between 5 and 360")
        where = target_of(kind, target, KINDS[kind].targets[0])
        length = duration or timedelta(minutes=sum(KINDS[kind].minutes) / 2)
        self._count += 1
        incident = Incident(self._count, kind, where, at, at + length, 1.0, "request")
        self._planned = [one for one in self._planned if one.start < at] + [incident]
        self._next = max(self._next, incident.end + self._pause())
        return incident

    def _plan_next(self) -> None:
        if not self._kinds:
            self._kinds = self._shuffled(without=self._last_kind)
        kind = self._kinds.pop(0)
        incident = self._make(kind, self._next, "schedule")
        self._planned.append(incident)
        self._last_kind = kind
        self._next = incident.end + self._pause()

    def _pause(self) -> timedelta:
        mean = self._every or _HORIZON
        return max(_QUIET_AROUND, (mean - timedelta(minutes=45)) * float(self._generator.uniform(0.8, 1.2)))

    def _shuffled(self, *, without: str | None) -> list[str]:
        kinds = [kind for kind in KINDS if kind != without]
        return [kinds[i] for i in self._generator.permutation(len(kinds))]

    def _make(self, kind: str, at: datetime, origin: Origin) -> Incident:
        low, high = KINDS[kind].minutes
        length = timedelta(minutes=float(np.round(self._generator.uniform(low, high))))
        targets = KINDS[kind].targets
        target = targets[int(self._generator.integers(len(targets)))]
        self._count += 1
        start = at.replace(microsecond=0)
        strength = round(float(self._generator.uniform(0.9, 1.15)), 3)
        return Incident(self._count, kind, target, start, start + length, strength, origin)

    def _first(self, kind: str, start: datetime) -> Incident:
        self._count += 1
        target = _FIRST_TARGET if kind == _FIRST_KIND else KINDS[kind].targets[0]
        begin = (start - _UNDER_WAY).replace(microsecond=0)
        return Incident(self._count, kind, target, begin, begin + timedelta(minutes=55), 1.0, "ongoing")
