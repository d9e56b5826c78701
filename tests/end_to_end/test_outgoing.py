"""Where the service connects to: a name that answers differently the second time, redirects, odd numbers."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from raw_server import RawServer, reply

from alerts.http import HttpDoor, Unanswered
from collectors.http import HttpReader
from collectors.settings import OpenMetricsSource
from domain.errors import ConfigurationError, NotifyError, SourceError
from service.model_address import checked_base_url

INSIDE = (
    *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "[::1]", "[::ffff:127.0.0.1]"),
    *("169.254.169.254", "[::ffff:169.254.169.254]", "0xa9fea9fe", "[fd00:ec2::254]", "0.0.0.0", "10.0.0.1"),
)
FOREIGN = (
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/",
    "ftp://127.0.0.1/",
    "dict://127.0.0.1:11211/",
    "//x",
)


class Resolver:
    """A name server that gives one address the first time and another one ever after."""

    def __init__(self, first: str, later: str) -> None:
        self.first = first
        self.later = later
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host != "rebind.example":
            return self._real(host, port, *args, **more)
        self.asked.append(host)
        return self._real(self.first if len(self.asked) == 1 else self.later, port, *args, **more)


@pytest.fixture
def sink() -> Iterator[RawServer]:
    server = RawServer()
    server.respond = reply(b"up 1\n")
    yield server
    server.close()


def read(url: str, *, private: bool = False) -> None:
    settings = OpenMetricsSource(
        name="x", kind="openmetrics", url=url, allow_private_addresses=private, retries=0
    )
    HttpReader.of(settings, {}).get(accept="*/*", deadline=time.monotonic() + 30)


def post(url: str, allowed: tuple[str, ...] = ()) -> None:
    door = HttpDoor("x", 30.0, allowed)
    try:
        door.post(url, b"{}", {})
    finally:
        door.close()


def test_a_name_that_changes_its_mind_is_asked_once_and_called_where_it_was_checked(
    sink: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://rebind.example:{sink.port}/"
    resolver = Resolver("127.0.0.1", "127.0.0.2")
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    read(url, private=True)
    assert resolver.asked == ["rebind.example"]
    resolver.asked.clear()
    post(url, ("rebind.example",))
    assert resolver.asked == ["rebind.example"]
    assert len(sink.requests) == 2
    assert all(f"Host: rebind.example:{sink.port}".lower() in one.lower() for one in sink.requests)


def test_a_name_of_an_inside_address_is_not_called(sink: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver("127.0.0.1", "127.0.0.1"))
    with pytest.raises(SourceError, match="loopback"):
        read(f"http://rebind.example:{sink.port}/")
    with pytest.raises(NotifyError, match="not public"):
        post(f"http://rebind.example:{sink.port}/")
    assert sink.requests == []


@pytest.mark.parametrize("host", INSIDE)
def test_no_spelling_of_an_inside_address_is_called(sink: RawServer, host: str) -> None:
    with pytest.raises(SourceError):
        read(f"http://{host}:{sink.port}/")
    with pytest.raises(NotifyError):
        post(f"http://{host}:{sink.port}/")
    assert sink.requests == []


@pytest.mark.parametrize("url", FOREIGN)
def test_nothing_but_http_is_spoken(url: str) -> None:
    with pytest.raises((SourceError, ConfigurationError, ValueError)):
        read(url)
    with pytest.raises(NotifyError):
        post(url)
    with pytest.raises(ConfigurationError):
        checked_base_url(url)


def test_a_redirect_leads_nowhere(sink: RawServer) -> None:
    target = RawServer()
    try:
        for status in ("301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"):
            sink.respond = reply(b"", status=status, Location=f"{target.url}/latest/meta-data/")
            with pytest.raises(SourceError, match="redirect"):
                read(f"{sink.url}/", private=True)
            post(f"{sink.url}/", ("127.0.0.1",))
        assert len(sink.requests) == 10
        assert target.requests == []
    finally:
        target.close()


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_an_answer_that_drips_ends_with_the_call_it_belongs_to(sink: RawServer, begun: bytes) -> None:
    def drip(connection: socket.socket, _head: str) -> None:
        connection.sendall(begun)
        while not sink.closing.wait(0.1):
            connection.sendall(b"H")

    sink.respond = drip
    door, started = HttpDoor("x", 0.5, ("127.0.0.1",)), time.monotonic()
    with pytest.raises(Unanswered, match="took too long"):
        door.post(sink.url, b"{}", {})
    door.close()
    assert time.monotonic() - started < 5
