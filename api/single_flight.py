"""Equal requests at the same time share one piece of work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Flight:
    lock: threading.Lock = field(default_factory=threading.Lock)
    result: str | None = None
    started: float = 0.0


class SingleFlight:
    """Remembers for some seconds which work a request started, so that its twins are given the same.

    Args:
        seconds: how long twins of a request join it after it was accepted.
    """

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}

    def join(self, digest: str, start: Callable[[], str]) -> str:
        """The result of `start`, called once for all callers with this digest within the time.

        What it raises reaches its own caller alone; the next one tries again.
        """
        with self._lock:
            self._forget()
            flight = self._flights.setdefault(digest, _Flight(started=self._clock()))
        with flight.lock:
            if flight.result is None:
                flight.result = start()
                flight.started = self._clock()
            return flight.result

    def _forget(self) -> None:
        horizon = self._clock() - self._seconds
        old = [
            digest for digest, flight in self._flights.items() if flight.result and flight.started < horizon
        ]
        for digest in old:
            del self._flights[digest]


class KeyLocks:
    """A lock per key, kept only while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold the lock of a key."""
        with self._lock:
            lock, waiting = self._held.get(key, (threading.Lock(), 0))
            self._held[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._held.pop(key)
                if waiting > 1:
                    self._held[key] = (lock, waiting - 1)
