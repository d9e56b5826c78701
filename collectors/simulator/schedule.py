"""Which incident strikes when: a few in the past, one under way at the start, then one after another."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from collectors.simulator.incidents import Incident, Origin, target_of
from collectors.simulator.kinds import KINDS

HISTORY_DAYS: Final = 14
FIRST_KIND: Final = "venue_gateway_latency"
_FIRST_TARGET: Final = "bybit"
_UNDER_WAY: Final = timedelta(minutes=25)
_FIRST_LENGTH: Final = timedelta(minutes=55)
# Days before the start at which something went wrong, each shifted by up to half a day.
_PAST_DAYS: Final = (12.4, 10.1, 7.6, 4.9, 2.2)
_SHORTEST_QUIET: Final = timedelta(minutes=20)
_TYPICAL_LENGTH: Final = timedelta(minutes=50)
_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(hours=6)
# Numbers tell incidents apart and seed what is told about them.
_ONGOING, _SCHEDULED, _REQUESTED = 100, 1_000, 1_000_000


class Schedule:
    """All incidents of a run: those that the seed planned and those that were asked for.

    The n-th planned incident is a function of the seed and n; only when it comes depends on requests.

    Args:
        seed: decides kinds, targets, times and strengths.
        start: the instant at which the live desk begins.
        every: mean time from one planned incident to the next; None plans none after the first.
        first: kind of the incident that is under way at the start; None for none.
    """

    def __init__(
        self, seed: int, start: datetime, every: timedelta | None, first: str | None = FIRST_KIND
    ) -> None:
        self._seed = seed
        self._every = every
        self._first = first
        self._fixed = self._past(start, first)
        self._quiet_from = start
        if first is not None:
            self._fixed.append(_under_way(first, start))
            self._quiet_from = self._fixed[-1].end
        self._planned: list[Incident] = []
        self._requests = 0

    def incidents(self, until: datetime) -> list[Incident]:
        """Every incident that begins before `until`, in order of start."""
        while self._every is not None and (not self._planned or self._planned[-1].start < until):
            self._planned.append(self._plan(len(self._planned), self._every))
            self._quiet_from = self._planned[-1].end
        found = [one for one in (*self._fixed, *self._planned) if one.start < until]
        return sorted(found, key=lambda one: (one.start, one.number))

    def inject(
        self, kind: str, at: datetime, duration: timedelta | None = None, target: str | None = None
    ) -> Incident:
        """Let an incident begin at `at`; planned ones that would follow are put off.

        Raises:
            ValueError: unknown kind or target, or a duration outside 5 minutes to 6 hours.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if duration is not None and not _SHORTEST <= duration <= _LONGEST:
            raise ValueError("duration_minutes must be between 5 and 360")
        where = target_of(kind, target, KINDS[kind].targets[0])
        self.incidents(at)
        length = duration or timedelta(minutes=sum(KINDS[kind].minutes) / 2)
        self._requests += 1
        incident = Incident(_REQUESTED + self._requests, kind, where, at, at + length, 1.0, "request")
        self._fixed.append(incident)
        self._planned = [one for one in self._planned if one.start < at]
        self._quiet_from = max(one.end for one in (*self._fixed, *self._planned))
        return incident

    def _past(self, start: datetime, first: str | None) -> list[Incident]:
        generator = np.random.default_rng([self._seed, 4, 0])
        kinds = [kind for kind in KINDS if kind != first]
        order = generator.permutation(len(kinds))
        shifts = generator.uniform(-0.4, 0.4, len(_PAST_DAYS))
        return [
            _drawn(generator, n, kinds[order[n]], start - timedelta(days=days - float(shifts[n])), "history")
            for n, days in enumerate(_PAST_DAYS)
        ]

    def _plan(self, n: int, every: timedelta) -> Incident:
        cycle, place = divmod(n, len(KINDS))
        shuffled = np.random.default_rng([self._seed, 4, 1, cycle]).permutation(len(KINDS))
        # What is under way at the start comes last in the first round.
        kinds = sorted(
            (list(KINDS)[i] for i in shuffled), key=lambda kind: cycle == 0 and kind == self._first
        )
        generator = np.random.default_rng([self._seed, 4, 2, n])
        pause = (every - _TYPICAL_LENGTH) * float(generator.uniform(0.8, 1.2))
        at = self._quiet_from + max(pause, _SHORTEST_QUIET)
        return _drawn(generator, _SCHEDULED + n, kinds[place], at, "schedule")


def _drawn(generator: np.random.Generator, number: int, kind: str, at: datetime, origin: Origin) -> Incident:
    low, high = KINDS[kind].minutes
    length = timedelta(minutes=float(np.round(generator.uniform(low, high))))
    targets = KINDS[kind].targets
    target = targets[int(generator.integers(len(targets)))]
    strength = round(float(generator.uniform(0.9, 1.15)), 3)
    start = at.replace(microsecond=0)
    return Incident(number, kind, target, start, start + length, strength, origin)


def _under_way(kind: str, start: datetime) -> Incident:
    target = _FIRST_TARGET if kind == FIRST_KIND else KINDS[kind].targets[0]
    begin = (start - _UNDER_WAY).replace(microsecond=0)
    return Incident(_ONGOING, kind, target, begin, begin + _FIRST_LENGTH, 1.0, "ongoing")
