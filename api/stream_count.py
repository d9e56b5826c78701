"""How many event streams are open, over all routes, and how many of them are whose."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class OpenStreams:
    """A counter for one event loop."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """All of them."""
        return self._of.total()

    def of(self, name: str) -> int:
        """Those of one caller."""
        return self._of[name]

    @contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Count a caller's stream while it lasts."""
        self._of[name] += 1
        try:
            yield
        finally:
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]
