"""How many ingest requests are in work at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import Overloaded

_WORKERS = 4


class IngestGate:
    """Bounds how many ingest requests are in work; the next one is told to come back later."""

    def __init__(self, queue: int) -> None:
        self._places = threading.BoundedSemaphore(queue)
        self._workers = threading.BoundedSemaphore(_WORKERS)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from the arrival of a request to its answer."""
        if not self._places.acquire(blocking=False):
            raise Overloaded("The writer is behind; come back later.", 1.0)
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Wait for one of few workers: many large bodies parsed at once would need their memory at once."""
        with self._workers:
            yield
