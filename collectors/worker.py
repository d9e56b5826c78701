"""One read of one source: pages, tries and waits, inside a thread that nobody has to wait for."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

import structlog

from collectors.collector import NO_SAMPLES, Collected, Collector, Position, concatenate
from collectors.gate import quarantine
from collectors.settings_base import SourceBase
from domain.errors import SourceError
from domain.event import Event
from domain.series import SampleBatch

FIRST_WAIT_S = 0.2
MAX_PAGES = 200
MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Read:
    """What one read brought: pages up to the first failure, if any.

    Args:
        error: why it ended early; pages read before it are kept.
        more: true where the source had more than one read may bring.
    """

    samples: SampleBatch
    events: tuple[Event, ...]
    position: Position
    notes: tuple[str, ...]
    pages: int
    more: bool = False
    error: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """Reads one source.

    Args:
        collector: what reads a page.
        settings: deadline, retries and bounds.
        stop: set when the service ends; waits end at once.
        rng: jitter of the waits.
        monotonic: seconds on a clock that is never set.
    """

    collector: Collector
    settings: SourceBase
    stop: threading.Event
    rng: random.Random
    monotonic: Callable[[], float] = time.monotonic

    def start(self, since: Position, now: datetime, *, tries: int) -> Future[Read]:
        """Read in a thread of its own; the future always gets a `Read`."""
        future: Future[Read] = Future()

        def deliver() -> None:
            future.set_result(self._read_or_error(since, now, tries))

        # A daemon: a source that hangs for ever must not keep the process from ending.
        threading.Thread(target=deliver, name=f"source-{self.settings.name}", daemon=True).start()
        return future

    def _read_or_error(self, since: Position, now: datetime, tries: int) -> Read:
        try:
            return self.read(since, now, tries=tries)
        except Exception as error:  # noqa: BLE001 - a future without an answer would be waited for for ever
            return Read(NO_SAMPLES, (), since, (), pages=0, error=self._broken(error))

    def read(self, since: Position, now: datetime, *, tries: int) -> Read:
        """Read pages until there are no more, a bound is reached or a page fails for good."""
        deadline = self.monotonic() + self.settings.deadline_seconds
        pages: list[Collected] = []
        position, error = since, None
        while self._may_go_on(pages, deadline):
            page = self._page(position, now, deadline, tries)
            if isinstance(page, SourceError):
                error = page
                break
            pages.append(page)
            position = page.position
        samples, notes = quarantine(concatenate([page.samples for page in pages]), now)
        return Read(
            samples=samples,
            events=tuple(event for page in pages for event in page.events),
            position=position,
            notes=tuple(dict.fromkeys([*(note for page in pages for note in page.notes), *notes])),
            pages=len(pages),
            more=bool(pages) and pages[-1].more,
            error=error,
        )

    def _may_go_on(self, pages: list[Collected], deadline: float) -> bool:
        if not pages:
            return True
        return (
            pages[-1].more
            and len(pages) < MAX_PAGES
            and sum(len(page.samples) for page in pages) < self.settings.max_samples
            and sum(len(page.events) for page in pages) < MAX_EVENTS
            and self.monotonic() < deadline
            and not self.stop.is_set()
        )

    def _page(self, since: Position, now: datetime, deadline: float, tries: int) -> Collected | SourceError:
        for attempt in range(tries):
            page = self._try(since, now)
            if not isinstance(page, SourceError):
                return page
            wait = FIRST_WAIT_S * 2.0**attempt * (0.5 + self.rng.random())
            hopeless = page.permanent or page.retry_after is not None or attempt == tries - 1
            if hopeless or self.monotonic() + wait >= deadline or self.stop.wait(wait):
                return page
        return page

    def _try(self, since: Position, now: datetime) -> Collected | SourceError:
        try:
            return self.collector.collect(since, now)
        except SourceError as error:
            # Its trace holds all that was read, which may be a lot, until somebody tidies up.
            error.__context__ = None
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - the worker's edge: a broken collector is a failed source
            return self._broken(error)

    def _broken(self, error: Exception) -> SourceError:
        # Not the message: what a library puts into it may hold a secret.
        kind = type(error).__name__
        structlog.get_logger().error(
            "collector broke", source=self.settings.name, error=kind, at=_place(error)
        )
        return SourceError(self.settings.name, f"unexpected {kind} while reading", permanent=True)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
