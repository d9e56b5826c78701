"""The feed of live pages: threads publish, event streams follow, nobody waits for a slow reader."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LiveEventName = Literal[
    "anomaly.created",
    "anomaly.updated",
    "incident.updated",
    "diagnosis.updated",
    "cycle.finished",
    "source.status",
    "feedback.created",
]

KEPT_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An announcement: readers receive ids and fetch the objects themselves."""

    seq: int
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


class LiveFeed:
    """A bounded log in memory with wake-ups.

    A reader that falls more than `kept` events behind is told so by an event named `gap`, and goes on
    with the oldest event that is left.
    """

    def __init__(self, kept: int = KEPT_EVENTS) -> None:
        self._lock = threading.Lock()
        self._events: deque[LiveEvent] = deque(maxlen=kept)
        self._seq = 0
        self._readers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.closed = False

    def publish(self, name: LiveEventName, data: Mapping[str, Any]) -> None:
        """Announce something; callable from any thread, never blocks."""
        with self._lock:
            self._seq += 1
            self._events.append(LiveEvent(self._seq, name, data))
        self._wake_readers()

    def close(self) -> None:
        """End all streams, so that the server can leave."""
        self.closed = True
        self._wake_readers()

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    def latest(self) -> int:
        """The number of the newest event."""
        return self._seq

    async def follow(self, after: int | None = None) -> AsyncIterator[LiveEvent]:
        """Yield the events after a number (None: from now on) until the feed is closed."""
        position = self._seq if after is None else after
        woken = asyncio.Event()
        self._readers[woken] = asyncio.get_running_loop()
        try:
            while not self.closed:
                for event in self._after(position):
                    position = event.seq
                    yield event
                await woken.wait()
                woken.clear()
        finally:
            self._readers.pop(woken, None)

    def _after(self, position: int) -> list[LiveEvent]:
        with self._lock:
            if position > self._seq:
                # The number is from before a restart; everything kept is news to this reader.
                position = 0
            missed = [event for event in self._events if event.seq > position]
            oldest = self._events[0].seq if self._events else self._seq + 1
        if position and position + 1 < oldest:
            return [LiveEvent(oldest - 1, "gap", {"missed": oldest - 1 - position}), *missed]
        return missed

    def _wake_readers(self) -> None:
        for woken, loop in list(self._readers.items()):
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:
                # The loop of this reader has ended.
                self._readers.pop(woken, None)
