"""Ends a call at its deadline: timeouts between bytes do not end an answer that drips."""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self


class Watchdog:
    """Cuts the connection that a call opens, so many seconds after the block was entered.

    Attributes:
        late: whether it was cut.
    """

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._stream: Any = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the transport at every step; keeps hold of the newest layer of the connection."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._stream = info["return_value"]
            if self.late:
                self._cut()

    def _cut(self) -> None:
        self.late = True
        if self._stream is not None:
            # An error means that it had just ended by itself.
            with suppress(OSError, AttributeError):
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
