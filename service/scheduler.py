"""APScheduler as a clock over slots: it only wakes us up, the slots in the database decide what runs."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from domain.cycle import Cycle
from domain.errors import AnalystError
from domain.series import floor_to_step

log = structlog.get_logger()
MAX_TICK_SECONDS = 5.0
MAX_MISSED = 10_000


class Slots(Protocol):
    """The rows that say which slot was run, by whom, and which one was missed."""

    def claim_slot(
        self, scheduled_for: datetime, owner: str, now: datetime, missed: Sequence[datetime] = ()
    ) -> Cycle | None: ...

    def latest_slot(self) -> datetime | None: ...


class Leader(Protocol):
    """The lock that one replica holds."""

    def acquire(self) -> bool: ...

    def held(self) -> bool: ...


class Scheduler:
    """Runs one cycle per slot while this process leads.

    Args:
        interval_s: seconds of the service's clock between two slots.
        settle_s: seconds after a slot before its cycle begins, so that sources have what ended with it.
        speed: how much faster the service's clock runs than the wall.
        run: runs the cycle of a claimed slot; must store its own failure.
        led: called once each time this process becomes the leader, before its first slot.
    """

    def __init__(  # noqa: PLR0913 -- the seam between five parts, joined in one place
        self,
        *,
        interval_s: int,
        settle_s: float = 0.0,
        speed: float,
        clock: Callable[[], datetime],
        slots: Slots,
        leader: Leader,
        owner: str,
        run: Callable[[Cycle, datetime], Cycle],
        led: Callable[[], None],
    ) -> None:
        self._interval = timedelta(seconds=interval_s)
        self._interval_s = interval_s
        self._settle = timedelta(seconds=min(settle_s, interval_s / 10))
        self._tick_s = max(0.05, min(MAX_TICK_SECONDS, interval_s / speed / 10))
        self._wall_interval_s = interval_s / speed
        self._clock = clock
        self._slots = slots
        self._leader = leader
        self._owner = owner
        self._run = run
        self._led = led
        self._leading = False
        self._last_run = float("-inf")
        self._stopping = threading.Event()
        self._idle = threading.Lock()
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self.last_tick: float | None = None

    def start(self) -> None:
        """Begin to tick; the first tick comes at once."""
        self._scheduler.add_listener(self._log_error, EVENT_JOB_ERROR)
        self._scheduler.add_job(
            self.tick,
            IntervalTrigger(seconds=self._tick_s, timezone=UTC),
            id="tick",
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )
        self._scheduler.start()

    def stop(self, timeout: float = 25.0) -> bool:
        """Stop ticking and wait for a running cycle; false where it did not end in time."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        drained = self._idle.acquire(timeout=timeout)
        if drained:
            self._idle.release()
        return drained

    def healthy(self) -> bool:
        """Whether the clock ticked lately, or is inside a cycle."""
        if self._idle.locked():
            return True
        return self.last_tick is not None and time.monotonic() - self.last_tick < 10 * MAX_TICK_SECONDS

    @property
    def leading(self) -> bool:
        return self._leading

    def tick(self) -> None:
        """Run the current slot, if this process leads and nobody has run it."""
        self.last_tick = time.monotonic()
        if self._stopping.is_set() or not self._idle.acquire(blocking=False):
            return
        try:
            if self._lead():
                self._run_due_slot(self._clock())
        except AnalystError as error:
            log.warning("tick failed", error=str(error))
        finally:
            self._idle.release()
            self.last_tick = time.monotonic()

    def _lead(self) -> bool:
        leading = self._leader.held() or self._leader.acquire()
        if leading and not self._leading:
            log.info("this process leads", owner=self._owner)
            self._led()
        self._leading = leading
        return leading

    def _run_due_slot(self, now: datetime) -> None:
        slot = floor_to_step(now - self._settle, self._interval_s)
        latest = self._slots.latest_slot()
        if latest is not None and slot <= latest:
            # Done already; or the clock was set back, and then data must not wait until it has caught up.
            if slot == latest or time.monotonic() - self._last_run < self._wall_interval_s:
                return
            slot = now
        missed = [] if latest is None else self._missed(latest, slot)
        claimed = self._slots.claim_slot(slot, self._owner, now, missed)
        if claimed is None:
            return
        if missed:
            log.warning("slots were missed", count=len(missed), covered_by=claimed.id)
        self._last_run = time.monotonic()
        self._run(claimed, now)

    def _missed(self, latest: datetime, slot: datetime) -> list[datetime]:
        """The slots between the latest that has a row and the one that is due, the oldest first."""
        count = min(math.ceil((slot - latest) / self._interval) - 1, MAX_MISSED)
        return [slot - i * self._interval for i in range(count, 0, -1)]

    @staticmethod
    def _log_error(event: JobExecutionEvent) -> None:
        log.error("tick failed", error=repr(event.exception))
