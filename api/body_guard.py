"""Bodies: counted while they arrive and while they are inflated, within a deadline, before any parsing."""

import asyncio
import zlib
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problem import HttpProblem
from api.settings import ServerSettings

# A client that is still sending reads our refusal only when it is done; up to here we let it finish.
_DRAIN_BYTES = 128 * 1_048_576
_DRAIN_SECONDS = 10.0
_BUFFERED_BYTES = 64 * 1_048_576
# Deflate cannot do better: so much may come of each byte.
_MOST_INFLATED = 1_032
_GZIP_MAGIC = b"\x1f\x8b"


class _Gone(Exception):
    """The client hung up before its body was complete."""


class BodyGuard:
    """Read each body whole, bounded in bytes (also inflated), in seconds and in memory over all requests."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, limits: Mapping[str, int]) -> None:
        """`limits` maps path prefixes to their own limit in bytes; others have `max_body_bytes`."""
        self._app = app
        self._settings = settings
        self._limits = limits
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or not _has_body(headers):
            await self._app(scope, receive, send)
            return
        _check_framing(headers)
        inflate = _is_gzip(headers)
        if inflate:
            _check_known(scope)
        try:
            raw = await self._read(receive, headers, self._limit(scope["path"]))
        except _Gone:
            return
        held, body = len(raw), raw
        try:
            if inflate:
                body = await self._inflated(raw, self._limit(scope["path"]))
                held += len(body)
            # In place: the meters outside read the matched route from this very scope.
            scope["headers"] = _without_encoding(scope, len(body))
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._buffered -= held

    async def _inflated(self, raw: bytes, limit: int) -> bytes:
        """Inflate beside the event loop; what may come of it has its place in memory before it begins."""
        most = min(limit, _MOST_INFLATED * len(raw), _BUFFERED_BYTES - len(raw))
        if self._buffered + most > _BUFFERED_BYTES:
            raise _too_many()
        self._buffered += most
        try:
            body = await asyncio.to_thread(inflated, raw, most)
        except BaseException:
            self._buffered -= most
            raise
        self._buffered += len(body) - most
        return body

    def _limit(self, path: str) -> int:
        own = (limit for prefix, limit in self._limits.items() if path.startswith(prefix))
        return next(own, self._settings.max_body_bytes)

    async def _read(self, receive: Receive, headers: Headers, limit: int) -> bytes:
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            if "expect" not in headers:
                await _drain(receive)
            raise _too_large(limit)
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                return await self._collect(receive, limit)
        except TimeoutError:
            raise HttpProblem(
                408, "The body did not arrive in time.", headers={"Connection": "close"}
            ) from None

    async def _collect(self, receive: Receive, limit: int) -> bytes:
        body = bytearray()
        try:
            await self._fill(body, receive, limit)
        except BaseException:
            self._buffered -= len(body)
            raise
        return bytes(body)

    async def _fill(self, body: bytearray, receive: Receive, limit: int) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            chunk = message.get("body", b"")
            body += chunk
            self._buffered += len(chunk)
            more = message.get("more_body", False)
            if len(body) > limit or self._buffered > _BUFFERED_BYTES:
                await _drain(receive, more=more)
                raise _too_large(limit) if len(body) > limit else _too_many()


def inflated(raw: bytes, limit: int) -> bytes:
    """Inflate one gzip body; raises HttpProblem 413 beyond the limit, 400 for anything that is not gzip."""
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = stream.decompress(raw, limit + 1)
    except zlib.error:
        raise HttpProblem(400, "The body is not gzip, as its Content-Encoding says.") from None
    if len(body) > limit:
        raise _too_large(limit)
    if not stream.eof or stream.unused_data:
        raise HttpProblem(400, "The gzip body is cut off or has something behind its end.")
    if body.startswith(_GZIP_MAGIC):
        raise HttpProblem(415, "The body is compressed twice.", headers={"Accept-Encoding": "gzip"})
    return body


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _check_framing(headers: Headers) -> None:
    if "transfer-encoding" in headers and "content-length" in headers:
        raise HttpProblem(
            400, "Content-Length and Transfer-Encoding exclude each other.", headers={"Connection": "close"}
        )


def _check_known(scope: Scope) -> None:
    """Nobody may have us inflate a body before we know who it is from; a signature is known after it only."""
    if scope.get("state", {}).get("caller") is None:
        raise HttpProblem(
            415,
            "Without a token the body must be sent as it is, not compressed.",
            headers={"Accept-Encoding": "identity"},
        )


def _is_gzip(headers: Headers) -> bool:
    codings = [
        coding.strip().lower()
        for value in headers.getlist("content-encoding")
        for coding in value.split(",")
        if coding.strip()
    ]
    codings = [coding for coding in codings if coding != "identity"]
    if codings in (["gzip"], ["x-gzip"]):
        return True
    if codings:
        raise HttpProblem(
            415,
            "The body must be sent as it is or with Content-Encoding: gzip.",
            headers={"Accept-Encoding": "gzip"},
        )
    return False


def _too_many() -> HttpProblem:
    return HttpProblem(429, "Too many large bodies at once.", headers={"Retry-After": "1"})


def _too_large(limit: int) -> HttpProblem:
    return HttpProblem(413, f"The body is larger than {limit:,} bytes.", headers={"Connection": "close"})


async def _drain(receive: Receive, *, more: bool = True) -> None:
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while more and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)
    except TimeoutError:
        return


def _without_encoding(scope: Scope, size: int) -> list[tuple[bytes, bytes]]:
    dropped = {b"content-encoding", b"content-length", b"transfer-encoding"}
    headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
    return [*headers, (b"content-length", str(size).encode())]


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
