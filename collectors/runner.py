"""Runs all sources side by side: a source that is down, slow or broken costs the others nothing."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from collectors.breaker import Breaker
from collectors.collector import NO_SAMPLES, Collector, Position
from collectors.gate import clean_text
from collectors.settings_base import SourceBase
from collectors.worker import Read, Worker
from domain.cycle import SourceHealth, SourceState, SourceStatus
from domain.event import Event
from domain.series import SampleBatch, SeriesKey

FAILED_AFTER = 2
ABANDONED_AFTER = 20
MAX_ABANDONED = 3
MOST_NOTES, LONGEST_NOTE = 5, 300
# A collector that notices its deadline by itself gets to say why.
GRACE_S = 0.3


class StateStore(Protocol):
    """Where the states of the sources survive a restart."""

    def get(self, name: str) -> SourceState | None: ...

    def put(self, state: SourceState) -> None: ...


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What a source brought in a cycle, possibly nothing.

    Args:
        position: how far the source was read; `None` where nothing was read. It counts once
            `SourceRunner.acknowledge` was called, after samples and events were stored.
        more: true where the source has more to give than one read may bring.
    """

    name: str
    health: SourceHealth
    samples: SampleBatch = NO_SAMPLES
    events: tuple[Event, ...] = ()
    position: Position | None = None
    notes: tuple[str, ...] = ()
    more: bool = False


@dataclass(slots=True)
class _Source:
    settings: SourceBase
    collector: Collector
    worker: Worker
    breaker: Breaker
    position: Position
    running: Future[Read] | None = None
    started_at: datetime | None = None
    began: float = 0.0
    abandoned: int = 0
    last_success_at: datetime | None = None
    last_error: str | None = None
    unanswered: bool = False
    behind: bool = False
    samples: int = 0
    events: int = 0
    notes: tuple[str, ...] = ()


class SourceRunner:
    """Reads every source that is due, each in its own thread, and keeps their health.

    Args:
        sources: settings with their collectors; disabled ones are left out by the caller.
        store: where states survive a restart; None keeps them in memory.
        rng: jitter of waits.
        monotonic: seconds on a clock that is never set.
    """

    def __init__(
        self,
        sources: Sequence[tuple[SourceBase, Collector]],
        store: StateStore | None = None,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._owners: dict[SeriesKey, str] = {}
        self._sources: Mapping[str, _Source] = {
            settings.name: self._restore(settings, collector) for settings, collector in sources
        }

    def _restore(self, settings: SourceBase, collector: Collector) -> _Source:
        state = self._store.get(settings.name) if self._store else None
        state = state or SourceState(name=settings.name)
        return _Source(
            settings=settings,
            collector=collector,
            worker=Worker(collector, settings, self._stop, self._rng, self._monotonic),
            breaker=Breaker(
                state.failures,
                state.open_until,
                threshold=settings.breaker_failures,
                first_s=min(30.0, settings.breaker_max_seconds),
                longest_s=settings.breaker_max_seconds,
            ),
            position=Position(state.watermark, state.cursor),
            last_success_at=state.last_success_at,
        )

    def run(self, now: datetime, deadline_s: float = 3_600.0) -> list[SourceResult]:
        """Read all sources that are due and return one result per source, in the order of configuration.

        Args:
            now: the time of the cycle.
            deadline_s: seconds after which this returns whatever is there; what comes later is in a
                later run's results. A source's own deadline may be earlier.
        """
        began = self._monotonic()
        for source in self._sources.values():
            self._start(source, now)
        waiting = sorted(self._sources.values(), key=lambda one: one.settings.deadline_seconds)
        reads = {}
        for source in waiting:
            limit = began + min(deadline_s, source.settings.deadline_seconds + GRACE_S)
            reads[source.settings.name] = self._finish(source, max(0.0, limit - self._monotonic()), now)
        return [self._result(source, reads[name], now) for name, source in self._sources.items()]

    def _start(self, source: _Source, now: datetime) -> None:
        if source.running is not None or not self._is_due(source, now):
            return
        probing = source.breaker.state(now) == "half_open"
        tries = 1 if probing else source.settings.retries + 1
        source.started_at, source.began = now, self._monotonic()
        source.running = source.worker.start(source.position, now, tries=tries)

    def _is_due(self, source: _Source, now: datetime) -> bool:
        if source.breaker.state(now) == "open":
            return False
        interval, last = source.settings.interval_seconds, source.started_at
        if interval is None or last is None or source.behind:
            return True
        # A tenth of tolerance, as cycles do not start on the dot; and a clock that was set back
        # must not silence a source.
        return now < last or now - last >= timedelta(seconds=0.9 * interval)

    def _finish(self, source: _Source, wait_s: float, now: datetime) -> Read | None:
        if source.running is None:
            return None
        try:
            # Whoever was late before has had its time: no cycle waits for it again.
            read = source.running.result(timeout=0.0 if source.unanswered else wait_s)
        except FutureTimeoutError:
            source.unanswered = True
            source.last_error = f"no answer within {source.settings.deadline_seconds:g} s; still waiting"
            source.breaker = source.breaker.failed(now, self._rng.random())
            self._abandon(source)
            return None
        source.running = None
        self._account(source, read, now)
        return read

    def _abandon(self, source: _Source) -> None:
        """Give a read up for lost after many deadlines; a few threads may be lost that way, no more."""
        lost = self._monotonic() - source.began > ABANDONED_AFTER * source.settings.deadline_seconds
        if lost and source.abandoned < MAX_ABANDONED:
            source.abandoned += 1
            source.running, source.unanswered = None, False

    def _account(self, source: _Source, read: Read, now: datetime) -> None:
        late, source.unanswered = source.unanswered, False
        if read.error is None:
            source.breaker = source.breaker.succeeded()
            source.last_success_at, source.last_error = now, None
        else:
            source.last_error = read.error.reason
            if not late:
                source.breaker = source.breaker.failed(now, self._rng.random(), read.error.retry_after)
            self._save(source)
        source.behind = read.more
        notes = (*self._shared(source, read.samples), *read.notes)
        source.notes = tuple(clean_text(note, LONGEST_NOTE) for note in notes[:MOST_NOTES])
        source.samples += len(read.samples)
        source.events += len(read.events)

    def _shared(self, source: _Source, samples: SampleBatch) -> tuple[str, ...]:
        """A note where another source brings a series of the same name: one value of the two is lost."""
        name = source.settings.name
        owners = [self._owners.setdefault(one.key, name) for one in samples.series]
        others = sorted({one for one in owners if one != name})
        if not others:
            return ()
        count = sum(one != name for one in owners)
        return (f"{count} series are brought by {', '.join(others[:3])} as well: give one of them `labels`",)

    def _result(self, source: _Source, read: Read | None, now: datetime) -> SourceResult:
        health = self._health(source, now, None if read is None else read.position)
        if read is None or not read.pages:
            return SourceResult(source.settings.name, health)
        return SourceResult(
            source.settings.name, health, read.samples, read.events, read.position, read.notes, read.more
        )

    def acknowledge(self, result: SourceResult) -> None:
        """Samples and events of the result are stored: the next read starts after them."""
        if result.position is None:
            return
        source = self._sources[result.name]
        source.position = result.position
        self._save(source)

    def _save(self, source: _Source) -> None:
        if self._store is None:
            return
        self._store.put(
            SourceState(
                name=source.settings.name,
                watermark=source.position.watermark,
                cursor=source.position.cursor,
                failures=source.breaker.failures,
                open_until=source.breaker.open_until,
                last_success_at=source.last_success_at,
            )
        )

    def health(self, now: datetime) -> list[SourceHealth]:
        """The health of every source, in the order of configuration."""
        return [self._health(source, now, None) for source in self._sources.values()]

    def _health(self, source: _Source, now: datetime, position: Position | None) -> SourceHealth:
        watermark = (position or source.position).watermark or source.last_success_at
        lag = None if watermark is None else max(0.0, (now - watermark).total_seconds())
        status = _status(source, lag)
        return SourceHealth(
            name=source.settings.name,
            kind=source.collector.kind,
            status=status,
            last_success_at=source.last_success_at,
            lag_seconds=lag,
            last_error=source.last_error or _reason(source, status, watermark),
            next_try_at=self._next_try(source, now),
            samples=source.samples,
            events=source.events,
            feeds=tuple(sorted({source.settings.source, *source.settings.sources.values()})),
            notes=source.notes,
        )

    def _next_try(self, source: _Source, now: datetime) -> datetime | None:
        if source.breaker.state(now) == "open":
            return source.breaker.open_until
        if source.settings.interval_seconds is None or source.started_at is None:
            return None
        return source.started_at + timedelta(seconds=source.settings.interval_seconds)

    def close(self) -> None:
        """End all waits; threads that still read are left to the end of the process."""
        self._stop.set()


def _reason(source: _Source, status: SourceStatus, watermark: datetime | None) -> str | None:
    """Why a source without an error of its own is in trouble."""
    failures = source.breaker.failures
    if failures:
        return f"{failures} failed reads in a row before this start; not tried again yet"
    # It answers and brings nothing.
    return f"no data newer than {watermark:%Y-%m-%d %H:%M} UTC" if status == "stale" else None


def _status(source: _Source, lag: float | None) -> SourceStatus:
    """A single failure after a success is `stale`; more, or nothing ever read, is `failed`."""
    failures = source.breaker.failures
    if failures >= FAILED_AFTER or (failures and source.last_success_at is None):
        return "failed"
    if source.last_success_at is None:
        return "warming_up"
    limit = source.settings.stale_after
    if failures or (limit is not None and lag is not None and lag > limit):
        return "stale"
    return "ok"
