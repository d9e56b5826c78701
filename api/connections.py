"""How many connections are open: who keeps us waiting the longest makes room for the next one."""

from typing import Protocol

# Databases, sources and receivers need descriptors as well, and some connections are accepted at a time.
RESERVED_FILES = 384
ACCEPTED_AT_ONCE = 128
FEWEST = 16


class Connection(Protocol):
    def abort(self) -> None: ...


class Connections:
    """The open connections of one server, on its event loop.

    Args:
        most: beyond so many, the one that has kept us waiting for a header or a body the longest is cut;
            where all of them wait for us instead, the new one is.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}

    def opened(self, one: Connection) -> None:
        """A client connected, and says nothing yet."""
        self._open.add(one)
        self.waits(one)
        if len(self._open) > self._most:
            longest = next(iter(self._waiting))
            self.closed(longest)
            longest.abort()

    def waits(self, one: Connection) -> None:
        """From now on we wait for this client."""
        self.works(one)
        if one in self._open:
            self._waiting[one] = None

    def works(self, one: Connection) -> None:
        """We have what we waited for."""
        self._waiting.pop(one, None)

    def closed(self, one: Connection) -> None:
        """It has gone, or will."""
        self._open.discard(one)
        self._waiting.pop(one, None)


def affordable(most: int, files: int | None) -> int:
    """So many connections, or as many as the number of files that the process may open leaves room for."""
    return most if files is None else max(FEWEST, min(most, files - RESERVED_FILES))
