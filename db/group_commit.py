"""Many small concurrent requests share one commit to disk, and each gets its own answer."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from domain.errors import AnalystError, Overloaded, StoreUnavailable

I = TypeVar("I")  # noqa: E741 - the item
R = TypeVar("R")


class _Ticket(Generic[I, R]):
    __slots__ = ("done", "error", "item", "result")

    def __init__(self, item: I) -> None:
        self.item = item
        self.done = False
        self.error: AnalystError | None = None
        self.result: R | None = None


class GroupCommit(Generic[I, R]):
    """Whoever comes first commits for all who wait.

    Args:
        flush: stores several items in one transaction and returns a result for each.
        largest: items per transaction.
        waiting: items that may wait; beyond that a caller is sent away with Overloaded.
    """

    def __init__(
        self, flush: Callable[[Sequence[I]], Sequence[R]], largest: int = 64, waiting: int = 1_000
    ) -> None:
        self._flush = flush
        self._largest = largest
        self._waiting = waiting
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._queue: deque[_Ticket[I, R]] = deque()

    def submit(self, item: I) -> R:
        """Return once the item is on disk; raises what `flush` raised, or Overloaded."""
        ticket: _Ticket[I, R] = _Ticket(item)
        with self._guard:
            if len(self._queue) >= self._waiting:
                raise Overloaded("too many writes are waiting", 1.0)
            self._queue.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._serve()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]

    def _serve(self) -> None:
        with self._guard:
            tickets = [self._queue.popleft() for _ in range(min(self._largest, len(self._queue)))]
        reason, retry_after = "the commit failed", 1.0
        try:
            results = self._flush([ticket.item for ticket in tickets])
            for ticket, result in zip(tickets, results, strict=True):
                ticket.result, ticket.done = result, True
        except StoreUnavailable as error:
            reason, retry_after = str(error), error.retry_after
        finally:
            for ticket in tickets:
                if not ticket.done:
                    ticket.error, ticket.done = StoreUnavailable(reason, retry_after), True
