"""How many event streams are open, over all routes."""

from collections.abc import Iterator
from contextlib import contextmanager


class OpenStreams:
    """A counter for one event loop."""

    def __init__(self) -> None:
        self.open = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a stream while it lasts."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
