"""Whatever a server does, a read ends in time and in bounds, and tells no secret."""

import gzip
import socket
import time
import tracemalloc

import pytest
from raw_server import (
    RawServer,
    Respond,
    bomb,
    cut,
    drip_body,
    drip_header,
    endless,
    garbage,
    hang,
    reply,
    reset,
)

from collectors.addresses import PublicAddresses
from collectors.http import HttpReader
from collectors.settings import OpenMetricsSource
from domain.errors import ConfigurationError, SourceError

SECRET = "s3cret&value/x"


def settings(url: str = "", **more: object) -> OpenMetricsSource:
    values = {"kind": "openmetrics", "name": "exporter", "url": url, "allow_private_addresses": True, **more}
    return OpenMetricsSource.model_validate(values)


def read(server: RawServer, **more: object) -> bytes:
    reader = HttpReader.of(settings(server.url + "/metrics", **more), {})
    return reader.get(accept="text/plain", deadline=time.monotonic() + 1).body


def failure(server: RawServer, respond: Respond, **more: object) -> SourceError:
    server.respond = respond
    with pytest.raises(SourceError) as caught:
        read(server, **more)
    return caught.value


def test_an_answer_is_read_whole(server: RawServer) -> None:
    server.respond = reply(b"up 1\n")
    assert read(server) == b"up 1\n"
    assert server.requests[0].startswith("GET /metrics HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}" in server.requests[0].lower()


def test_a_compressed_answer_is_inflated(server: RawServer) -> None:
    server.respond = reply(gzip.compress(b"up 1\n" * 50_000), Content_Encoding="gzip")
    assert read(server) == b"up 1\n" * 50_000


@pytest.mark.parametrize("respond", [hang, drip_header, drip_body])
def test_a_server_that_dawdles_is_given_up_at_the_deadline(server: RawServer, respond: Respond) -> None:
    began = time.monotonic()
    assert not failure(server, respond).permanent
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("respond", [reset, cut, garbage])
def test_a_broken_answer_is_an_error_and_not_a_short_answer(server: RawServer, respond: Respond) -> None:
    assert "broke off" in failure(server, respond).reason


@pytest.mark.parametrize("respond", [endless, bomb])
def test_a_huge_answer_is_cut_short_and_costs_no_memory(server: RawServer, respond: Respond) -> None:
    tracemalloc.start()
    error = failure(server, respond, max_bytes=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 1000000 bytes" in error.reason
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("respond", "part"),
    [
        (reply(b"not gzip", Content_Encoding="gzip"), "broken gzip"),
        (reply(gzip.compress(b"x" * 99_999)[:-20], Content_Encoding="gzip"), "ends in the middle"),
        (reply(b"x", Content_Encoding="br"), "encoding 'br'"),
    ],
)
def test_an_encoding_that_cannot_be_read_is_named(server: RawServer, respond: Respond, part: str) -> None:
    assert part in failure(server, respond).reason


@pytest.mark.parametrize(
    ("status", "permanent"),
    [("401 No", True), ("404 No", True), ("500 Oops", False), ("502 Bad", False), ("503 Busy", False)],
)
def test_a_status_says_whether_trying_again_can_help(server: RawServer, status: str, permanent: bool) -> None:
    error = failure(server, reply(b"", status=status))
    assert error.permanent is permanent
    assert f"HTTP {status[:3]}" in error.reason


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0.5"}, 0.5),
        ({"Date": "Sun, 01 Mar 2026 12:00:00 GMT", "Retry_After": "Sun, 01 Mar 2026 12:01:30 GMT"}, 90.0),
        ({"Retry_After": "soon"}, 60.0),
        ({}, 60.0),
    ],
)
def test_a_busy_server_says_how_long_to_wait(
    server: RawServer, headers: dict[str, str], seconds: float
) -> None:
    assert failure(server, reply(b"", status="429 Slow down", **headers)).retry_after == seconds


def test_a_redirect_is_not_followed(server: RawServer) -> None:
    target = RawServer()
    try:
        error = failure(server, reply(b"", status="302 Found", Location=target.url))
        assert "redirects" in error.reason
        assert error.permanent
        assert target.requests == []
    finally:
        target.close()


def test_a_closed_port_is_named(server: RawServer) -> None:
    server.close()
    with pytest.raises(SourceError, match=r"cannot connect to http://127\.0\.0\.1"):
        read(server)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"])
def test_an_address_of_this_machine_is_refused_unless_allowed(server: RawServer, host: str) -> None:
    reader = HttpReader.of(settings(f"http://{host}:{server.port}/", allow_private_addresses=False), {})
    with pytest.raises(SourceError) as caught:
        reader.get(accept="*/*", deadline=time.monotonic() + 1)
    assert "allow_private_addresses" in caught.value.reason
    assert server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_a_metadata_or_link_local_address_is_refused_always(address: str) -> None:
    assert PublicAddresses(allow_private=True).refusal(address) is not None


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "::1", "fd00::1", "100.64.0.1"])
def test_a_private_address_needs_a_word_of_the_operator(address: str) -> None:
    assert PublicAddresses().refusal(address) is not None
    assert PublicAddresses(allow_private=True).refusal(address) is None


def test_a_public_address_is_read() -> None:
    assert PublicAddresses().refusal("93.184.216.34") is None


def test_the_guard_sees_what_a_name_resolves_to(server: RawServer) -> None:
    class NoLoopback:
        def refusal(self, address: str) -> str | None:
            return f"leads to {address}"

    reader = HttpReader.of(settings(f"http://localhost:{server.port}/"), {}, NoLoopback())
    with pytest.raises(SourceError, match=r"leads to (127\.0\.0\.1|::1)"):
        reader.get(accept="*/*", deadline=time.monotonic() + 1)
    assert server.requests == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://x/", "ftp://x/", "http://user:word@host/", "http://", "x"]
)
def test_only_plain_http_addresses_are_configured(url: str) -> None:
    with pytest.raises(ValueError, match="url must"):
        settings(url)


def test_secrets_are_sent_and_never_told(server: RawServer) -> None:
    environ = {
        "TOKEN": SECRET,
        "KEY": "another-secret",
        "ADDRESS": f"{server.url}/hook/{SECRET}?key={SECRET}",
    }
    configured = settings(
        "", url_env="ADDRESS", bearer_token_env="TOKEN", headers_env={"X-Key": "KEY"}, deadline_seconds=1
    )
    server.respond = reply(b"", status="500 Oops")
    with pytest.raises(SourceError) as caught:
        HttpReader.of(configured, environ).get(accept="*/*", deadline=time.monotonic() + 1)
    assert f"authorization: bearer {SECRET}".lower() in server.requests[0].lower()
    assert "another-secret" in server.requests[0]
    assert caught.value.reason == f"http://127.0.0.1:{server.port} answered HTTP 500"


def test_a_secret_header_does_not_belong_into_the_file() -> None:
    with pytest.raises(ValueError, match="use bearer_token_env or headers_env"):
        settings("http://exporter/", headers={"Authorization": "Bearer x"})


def test_a_missing_secret_is_named_and_a_file_may_hold_it(tmp_path: object, server: RawServer) -> None:
    configured = settings(server.url, bearer_token_env="TOKEN")
    with pytest.raises(ConfigurationError, match="TOKEN is not set"):
        HttpReader.of(configured, {})
    path = f"{tmp_path}/token"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path as the environment names it
        file.write(SECRET + "\n")
    server.respond = reply(b"x")
    HttpReader.of(configured, {"TOKEN_FILE": path}).get(accept="*/*", deadline=time.monotonic() + 1)
    assert SECRET in server.requests[0]


def test_basic_authentication_is_sent(server: RawServer) -> None:
    configured = settings(server.url, username="reader", password_env="PASSWORD")
    server.respond = reply(b"x")
    HttpReader.of(configured, {"PASSWORD": "word"}).get(accept="*/*", deadline=time.monotonic() + 1)
    assert "Basic cmVhZGVyOndvcmQ=" in server.requests[0]


def test_the_next_address_of_a_name_is_tried(server: RawServer) -> None:
    # The server listens on 127.0.0.1 only; localhost may be ::1 first.
    server.respond = reply(b"up 1\n")
    reader = HttpReader.of(settings(f"http://localhost:{server.port}/"), {})
    assert reader.get(accept="*/*", deadline=time.monotonic() + 2).body == b"up 1\n"
    assert socket.gethostbyname("localhost") == "127.0.0.1"
