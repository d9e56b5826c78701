"""What keeps an answer over HTTP bounded: in time by a watchdog, in size by reading it in small steps."""

import logging
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from domain.errors import SourceError

LONGEST_STALL_S = 10.0
_CHUNK = 65_536
# The library tells every address with its query, and either may be a secret.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class AnswerTooLarge(SourceError):
    """The answer was longer than may be read; a smaller question may have a shorter one."""


class Watchdog:
    """Cuts the connection at the deadline: timeouts between bytes do not end an answer that drips.

    Args:
        seconds: until the cut.
        stream: the connection in use, where one was opened earlier and is kept.

    Attributes:
        connected: whether a connection was opened since; else a kept one was used.
    """

    def __init__(self, seconds: float, stream: Any = None) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self.stream = stream
        self.connected = False
        self._late = False

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
            self.stream, self.connected = info["return_value"], True
            if self._late:
                self._cut()

    def _cut(self) -> None:
        self._late = True
        if self.stream is not None:
            # An error means that it had just ended by itself.
            with suppress(OSError, AttributeError):
                self.stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class Body:
    """Reads the body of an answer, decompressed, up to a size.

    Args:
        source: name of the source, for errors.
        shown: the address as it may be shown.
        max_bytes: longest body.
    """

    def __init__(self, source: str, shown: str, max_bytes: int) -> None:
        self._source = source
        self._shown = shown
        self._max_bytes = max_bytes

    def read(self, response: httpx2.Response) -> bytes:
        """The whole body; raises SourceError where it is too long, or its compression broken."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", ""}:
            raise self._error(f"answered in the encoding {encoding[:20]!r}, which was not asked for")
        raw = response.iter_raw(_CHUNK)
        chunks = []
        size = 0
        for chunk in _inflated(raw, self._error) if encoding == "gzip" else raw:
            size += len(chunk)
            if size > self._max_bytes:
                raise AnswerTooLarge(
                    self._source, f"{self._shown} answered more than {self._max_bytes} bytes", permanent=True
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _error(self, reason: str) -> SourceError:
        return SourceError(self._source, f"{self._shown} {reason}")


def _inflated(chunks: Iterator[bytes], error: Callable[[str], SourceError]) -> Iterator[bytes]:
    # In small steps: a few bytes can stand for gigabytes.
    inflater = zlib.decompressobj(31)
    for chunk in chunks:
        rest = chunk
        while rest and not inflater.eof:
            try:
                yield inflater.decompress(rest, _CHUNK)
            except zlib.error:
                raise error("answered broken gzip") from None
            rest = inflater.unconsumed_tail
    if not inflater.eof:
        raise error("answered gzip that ends in the middle")


def parts_of(body: bytes) -> int:
    """About how many values a body of JSON holds, without parsing it."""
    return sum(body.count(mark) for mark in (b"[", b"{", b","))


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the source asked for; 60 where it did not say or cannot be understood."""
    text = headers.get("retry-after", "").strip()
    with suppress(ValueError):
        return max(0.0, float(text))
    try:
        # Both times are on the source's clock, so that ours does not matter.
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 60.0
