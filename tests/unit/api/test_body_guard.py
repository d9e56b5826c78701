"""Bodies are bounded before anything parses them."""

import gzip
import threading
import zlib
from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive, Scope, Send

from api import body_guard
from api.auth import Caller
from api.body_guard import BodyGuard, inflated
from api.problem import HttpProblem
from api.settings import ServerSettings

LIMIT = 1_024
GZIP = {"transfer-encoding": "chunked", "content-encoding": "gzip"}


async def _send(
    guard_headers: dict[str, str], chunks: Sequence[bytes], *, known: bool = True, buffered: int = 0
) -> bytes:
    """What the app behind the guard reads, while so many bytes of other requests are buffered."""
    read, held = bytearray(), 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal held
        held = guard._buffered
        more = True
        while more:
            message = await receive()
            read.extend(message.get("body", b""))
            more = message.get("more_body", False)

    queue = [
        {"type": "http.request", "body": chunk, "more_body": i + 1 < len(chunks)}
        for i, chunk in enumerate(chunks)
    ]

    async def receive() -> Message:
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    guard = BodyGuard(app, ServerSettings(max_body_bytes=LIMIT), {})
    headers = [(name.encode(), value.encode()) for name, value in guard_headers.items()]
    scope: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers}
    scope["state"] = {"caller": Caller("pusher", "ingest") if known else None}
    guard._buffered = buffered
    try:
        await guard(scope, receive, send)
    finally:
        assert guard._buffered == buffered
    packed = sum(map(len, chunks)) if "content-encoding" in guard_headers else 0
    assert not read or held == buffered + packed + len(read)
    return bytes(read)


async def test_a_chunked_body_arrives_whole() -> None:
    assert await _send({"transfer-encoding": "chunked"}, [b"ab", b"", b"cd"]) == b"abcd"


async def test_a_gzip_body_arrives_inflated() -> None:
    packed = gzip.compress(b"x" * LIMIT, mtime=0)
    headers = {"content-length": str(len(packed)), "content-encoding": "gzip"}
    assert await _send(headers, [packed]) == b"x" * LIMIT


async def test_a_body_is_inflated_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def watched(raw: bytes, limit: int) -> bytes:
        threads.append(threading.current_thread())
        return inflated(raw, limit)

    monkeypatch.setattr(body_guard, "inflated", watched)
    assert await _send(GZIP, [gzip.compress(b"x", mtime=0)]) == b"x"
    assert threads[0] is not threading.current_thread()


async def test_what_a_body_may_inflate_to_has_its_place_in_memory_first() -> None:
    packed = gzip.compress(b"x" * LIMIT, mtime=0)
    free = body_guard._BUFFERED_BYTES - len(packed) - LIMIT
    assert len(await _send(GZIP, [packed], buffered=free)) == LIMIT
    with pytest.raises(HttpProblem) as caught:
        await _send(GZIP, [packed], buffered=free + 1)
    assert caught.value.status_code == 429


async def test_nothing_is_inflated_for_somebody_unknown() -> None:
    assert await _send({"transfer-encoding": "chunked"}, [b"ab"], known=False) == b"ab"
    with pytest.raises(HttpProblem) as caught:
        await _send(GZIP, [gzip.compress(b"x", mtime=0)], known=False)
    assert caught.value.status_code == 415


@pytest.mark.parametrize(
    ("headers", "chunks", "status"),
    [
        ({"content-length": str(LIMIT + 1)}, [b"x" * (LIMIT + 1)], 413),
        ({"transfer-encoding": "chunked"}, [b"x" * LIMIT, b"x"], 413),
        ({"content-length": "9", "content-encoding": "br"}, [b"123456789"], 415),
        ({"content-length": "9", "content-encoding": "gzip, gzip"}, [b"123456789"], 415),
        ({"content-length": "9", "content-encoding": "gzip"}, [b"123456789"], 400),
        ({"content-length": "4", "transfer-encoding": "chunked"}, [b"abcd"], 400),
    ],
)
async def test_a_body_that_may_not_pass_is_refused_with_a_status(
    headers: dict[str, str], chunks: list[bytes], status: int
) -> None:
    with pytest.raises(HttpProblem) as caught:
        await _send(headers, chunks)
    assert caught.value.status_code == status


def test_a_bomb_is_stopped_while_it_inflates() -> None:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    bomb = b"".join(squeezer.compress(b"\0" * 1_048_576) for _ in range(64)) + squeezer.flush()
    with pytest.raises(HttpProblem) as caught:
        inflated(bomb, LIMIT)
    assert caught.value.status_code == 413


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), 415),
        (gzip.compress(b"{}", mtime=0)[:-4], 400),
        (gzip.compress(b"{}", mtime=0) + b"tail", 400),
        (b"", 400),
    ],
)
def test_what_is_not_one_gzip_member_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(HttpProblem) as caught:
        inflated(raw, LIMIT)
    assert caught.value.status_code == status


async def test_a_client_that_hangs_up_leaves_nothing_behind() -> None:
    assert await _send({"content-length": "10"}, []) == b""
