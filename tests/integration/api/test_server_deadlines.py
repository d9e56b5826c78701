"""Slow and broken clients are let go; the server lives on and leaves when told."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import StreamingResponse

from api.connections import affordable
from api.live import LiveFeed
from api.server import AnalystServer, bind, build_server
from api.settings import ServerSettings
from domain.errors import ConfigurationError

MOST = 20
SETTINGS = ServerSettings(port=0, header_seconds=0.4, body_seconds=0.4, max_connections=MOST)
PATIENT = ServerSettings(port=0, header_seconds=10, body_seconds=10, max_connections=MOST)
OK = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class _Running:
    def __init__(self, server: AnalystServer, address: tuple[str, int], thread: threading.Thread) -> None:
        self.server, self.address, self.thread = server, address, thread

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def answer(self, request: bytes) -> bytes:
        with self.connect() as client:
            client.sendall(request)
            return _read(client)


def _read(client: socket.socket) -> bytes:
    found = b""
    try:
        while chunk := client.recv(65_536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Running]:
    monkeypatch.setattr("api.server._BODY_GRACE_SECONDS", 0.1)
    with _served(SETTINGS) as one:
        yield one


@contextmanager
def _served(settings: ServerSettings) -> Iterator[_Running]:
    app = FastAPI()
    live = LiveFeed()

    @app.get("/")
    def hello() -> str:
        return "hello"

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def beats() -> object:
            while True:
                yield b"beat\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(beats())  # type: ignore[arg-type]

    server = build_server(app, live, settings)
    listening = bind(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield _Running(server, listening.getsockname(), thread)
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


def test_a_header_that_drips_is_cut_off(running: _Running) -> None:
    began = time.monotonic()
    with running.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for _ in range(100):
                client.sendall(b"X-A: b\r\n")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - began < 3
    assert b"hello" in running.answer(OK)


def test_a_silent_connection_is_cut_off(running: _Running) -> None:
    with running.connect() as client:
        assert client.recv(1) == b""


def test_a_body_that_never_ends_is_cut_off(running: _Running) -> None:
    began = time.monotonic()
    with running.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        _read(client)
    assert time.monotonic() - began < 3


def test_a_slow_second_request_on_one_connection_is_cut_off(running: _Running) -> None:
    with running.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"hello" in client.recv(65_536)
        client.sendall(b"GET / HT")
        began = time.monotonic()
        _read(client)
        assert time.monotonic() - began < 3


def test_requests_in_time_are_answered_on_one_connection(running: _Running) -> None:
    with running.connect() as client:
        for _ in range(5):
            client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
            assert client.recv(65_536).endswith(b"3")
            time.sleep(0.15)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"\r\n\r\n\r\n",
    ],
)
def test_nonsense_is_refused_or_closed_and_the_server_lives(running: _Running, nonsense: bytes) -> None:
    answer = running.answer(nonsense)
    # A long header that arrives in one piece is read in one piece.
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200"))
    assert b"hello" in running.answer(OK)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo st: localhost\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_the_one_shape(running: _Running, nonsense: bytes) -> None:
    head, _, body = running.answer(nonsense).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"content-type: application/problem+json" in head
    assert b"default-src 'none'" in head
    assert json.loads(body)["status"] == 400


def test_five_hundred_dropped_connections_do_no_harm(running: _Running) -> None:
    for number in range(500):
        with running.connect() as client:
            client.sendall(OK[: number % len(OK)])
    assert b"hello" in running.answer(OK)


def test_the_server_leaves_although_a_stream_is_open(running: _Running) -> None:
    with running.connect() as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(100)
        running.server.should_exit = True
        began = time.monotonic()
        running.thread.join(10)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"],
)
def test_those_who_keep_us_waiting_keep_nobody_out(begun: bytes) -> None:
    with _served(PATIENT) as running, ExitStack() as stack:
        reader = stack.enter_context(running.connect())
        reader.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"beat" in reader.recv(65_536)
        idle = [stack.enter_context(running.connect()) for _ in range(MOST * 3)]
        for one in idle:
            with suppress(OSError):
                one.sendall(begun)
        began = time.monotonic()
        assert b"hello" in running.answer(OK)
        assert _read(idle[0]) == b"", "the first to come is the first to go"
        assert time.monotonic() - began < 3, "it waited for a deadline of the others"
        assert b"beat" in reader.recv(65_536), "who is served is served on"


@pytest.mark.parametrize(("files", "most"), [(None, 2_000), (1_000_000, 2_000), (1_024, 640), (300, 16)])
def test_connections_leave_files_for_all_else(files: int | None, most: int) -> None:
    assert affordable(2_000, files) == most


def test_a_port_in_use_is_one_line() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationError, match="cannot be bound"),
    ):
        bind(ServerSettings(port=taken.getsockname()[1]))
