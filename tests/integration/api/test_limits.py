"""Who knocks too often is told when to come back; everybody else is answered as before."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from api_desk import Desk, running_desk, token_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from service_process import eventually

from api.limits import Buckets, Limits
from api.settings import ServerSettings


def check_refusal(answer: httpx2.Response) -> int:
    """A 429 in the one shape; the seconds to wait."""
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    wait = int(answer.headers["retry-after"])
    assert wait >= 1
    assert f"{wait} s" in answer.json()["detail"]
    return wait


@settings(deadline=None)
@given(
    rate=st.floats(min_value=0.1, max_value=1_000),
    burst=st.integers(min_value=1, max_value=50),
    gaps=st.lists(st.floats(min_value=0, max_value=5), max_size=100),
)
def test_no_stretch_of_time_lets_more_in_than_the_burst_and_the_rate(
    rate: float, burst: int, gaps: list[float]
) -> None:
    now = [0.0]
    buckets = Buckets(rate, burst, lambda: now[0])
    taken: list[float] = []
    for gap in gaps:
        now[0] += gap
        wait = buckets.take("a")
        if wait == 0:
            taken.append(now[0])
        else:
            assert 0 < wait <= 1 / rate + 1e-9
    for i, first in enumerate(taken):
        for j, last in enumerate(taken[i:], i):
            assert j - i + 1 <= burst + (last - first) * rate + 1e-6


def test_who_waits_as_told_is_let_in() -> None:
    now = [0.0]
    buckets = Buckets(2.0, 1, lambda: now[0])
    assert buckets.take("a") == 0
    wait = buckets.take("a")
    now[0] += wait
    assert buckets.take("a") == 0
    assert buckets.take("b") == 0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    now = [100.0]
    buckets = Buckets(1.0, 1, lambda: now[0])
    assert buckets.take("a") == 0
    now[0] = 50.0
    assert buckets.take("a") > 0


def test_many_addresses_do_not_fill_the_memory() -> None:
    buckets = Buckets(1.0, 1, lambda: 0.0, kept=100)
    for number in range(10_000):
        buckets.take(str(number))
    assert len(buckets._buckets) == 100


def test_no_limit_is_no_limit() -> None:
    buckets = Buckets(0.0, 0.0)
    assert all(buckets.take("a") == 0 for _ in range(1_000))


@pytest.mark.parametrize(
    ("client", "told", "counted"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2001:db8::1", "", "2001:db8::/64"),
        ("::1", "", "::1"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
    ],
)
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(client: str, told: str, counted: str) -> None:
    limits = Limits(ServerSettings(trusted_proxies=("10.0.0.1",)))
    headers = [(b"x-forwarded-for", told.encode())] if told else []
    assert limits.address_of({"type": "http", "client": (client, 1), "headers": headers}) == counted


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Desk]:
    settings = ServerSettings(
        requests_per_second=1,
        requests_per_second_per_address=2,
        wrong_tokens_per_minute=5,
        logins_per_minute=3,
    )
    with running_desk(tmp_path, settings, token_settings()) as desk:
        yield desk


def test_a_token_that_asks_too_often_is_sent_away_and_another_one_is_not(strict: Desk) -> None:
    viewer, operator = strict.as_role("viewer"), strict.as_role("operator")
    statuses = [strict.client.get("/api/v1/rules", headers=viewer).status_code for _ in range(11)]
    assert statuses[:10] == [200] * 10
    assert statuses[10] == 429
    check_refusal(strict.client.get("/api/v1/rules", headers=viewer))
    assert strict.client.get("/api/v1/rules", headers=operator).status_code == 200
    time.sleep(1.1)
    assert strict.client.get("/api/v1/rules", headers=viewer).status_code == 200


def test_an_address_that_asks_too_often_is_sent_away_but_may_ask_for_the_health(strict: Desk) -> None:
    for _ in range(25):
        last = strict.client.get("/nothing")
    check_refusal(last)
    assert strict.client.get("/health").status_code == 200
    assert strict.client.get("/ready").status_code == 200


def test_after_some_wrong_tokens_even_a_right_one_is_not_looked_at(strict: Desk) -> None:
    known = strict.as_role("viewer")
    assert strict.client.get("/api/v1/rules", headers=known).status_code == 200
    wrong = [
        strict.client.get("/api/v1/rules", headers={"Authorization": f"Bearer guess-{i:016d}"})
        for i in range(7)
    ]
    assert [one.status_code for one in wrong] == [401] * 5 + [429] * 2
    check_refusal(wrong[-1])
    # A guess that happens to be right learns nothing; who was let in before is let in again.
    check_refusal(strict.client.get("/api/v1/rules", headers=strict.as_role("admin")))
    assert strict.client.get("/api/v1/rules", headers=known).status_code == 200


def test_wrong_signatures_count_like_wrong_tokens(strict: Desk) -> None:
    answers = [strict.client.post("/hooks/generic", json={"text": "x"}) for _ in range(7)]
    assert [one.status_code for one in answers] == [401] * 5 + [429] * 2


def test_signing_in_is_tried_a_few_times_a_minute(strict: Desk) -> None:
    tried = [strict.client.post("/login", data={"token": f"guess-{i:016d}"}) for i in range(5)]
    assert [one.status_code for one in tried] == [401] * 3 + [429] * 2
    check_refusal(tried[-1])
    page = strict.client.post("/login", data={"token": "x" * 20}, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (429, "text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert int(page.headers["retry-after"]) >= 1


def test_ordinary_work_meets_no_limit(tmp_path: Path) -> None:
    with running_desk(tmp_path, tokens=token_settings()) as desk:
        viewer = desk.as_role("viewer")
        assert {desk.client.get("/api/v1/rules", headers=viewer).status_code for _ in range(300)} == {200}


def _connect(desk: Desk) -> socket.socket:
    return socket.create_connection((desk.client.base_url.host, desk.client.base_url.port or 80), timeout=30)


def _read_all(client: socket.socket) -> bytes:
    found = b""
    try:
        while chunk := client.recv(65_536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


def test_slow_headers_and_bodies_end_within_their_deadlines_on_the_real_app(tmp_path: Path) -> None:
    with running_desk(tmp_path, ServerSettings(header_seconds=0.5, body_seconds=0.5)) as desk:
        began = time.monotonic()
        with _connect(desk) as client:
            client.sendall(b"POST /api/v1/samples HTTP/1.1\r\nHost: localhost\r\nX-Drip: ")
            assert _read_all(client) == b""
        assert time.monotonic() - began < 5
        began = time.monotonic()
        with _connect(desk) as client:
            head = b"POST /api/v1/samples HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            client.sendall(head + b"Content-Length: 100000\r\n\r\n")
            for _ in range(100):
                try:
                    client.sendall(b"x")
                except OSError:
                    break
                time.sleep(0.05)
                if time.monotonic() - began > 1.5:
                    break
            assert _read_all(client).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("path", ["/hooks/generic", "/mcp", "/api/v1/rules", "/login"])
def test_large_and_squeezed_bodies_are_refused_at_every_door(tmp_path: Path, path: str) -> None:
    with running_desk(tmp_path) as desk:
        for headers, body in (
            ({}, b"x" * 9_000_000),
            ({"Content-Encoding": "gzip"}, gzip.compress(bytes(200_000_000), 1)),
        ):
            kind = {"Content-Type": "application/json", **headers}
            assert desk.client.post(path, content=body, headers=kind).status_code == 413
        answer = desk.client.post(path, content=b"x", headers={"Content-Encoding": "br"})
        assert answer.status_code == 415


def test_a_key_holds_for_the_same_body_of_the_same_caller_only(tmp_path: Path) -> None:
    sample = {"metric": "kept", "timestamp": "2026-03-01T11:00:00Z", "value": 1.0}
    with running_desk(tmp_path, tokens=token_settings()) as desk:
        content = json.dumps({"samples": [sample]}).encode()
        key = {"Idempotency-Key": "one", "Content-Type": "application/json"}

        def push(role: str, body: bytes) -> httpx2.Response:
            headers = {**desk.as_role(role), **key}  # type: ignore[arg-type]
            return desk.client.post("/api/v1/samples", content=body, headers=headers)

        first, again = push("ingest", content), push("ingest", content)
        assert (first.json(), again.json()) == ({"accepted": 1, "replaced": 0, "rejected": []},) * 2
        assert again.headers["idempotency-replayed"] == "true"
        assert push("ingest", content.replace(b"1.0", b"2.0")).status_code == 409
        assert push("admin", content).json()["replaced"] == 1


def test_one_token_takes_no_more_than_its_half_of_the_streams(tmp_path: Path) -> None:
    settings = ServerSettings(max_streams=4)
    with running_desk(tmp_path, settings, token_settings()) as desk:
        viewer, operator = desk.as_role("viewer"), desk.as_role("operator")
        with ExitStack() as stack:
            held = [_opened(stack, desk, viewer) for _ in range(2)]
            check_refusal(desk.client.get("/api/v1/stream", headers=viewer))
            held += [_opened(stack, desk, operator) for _ in range(2)]
            full = desk.client.get("/api/v1/stream", headers=desk.as_role("admin"))
            assert (full.status_code, full.headers["retry-after"], len(held)) == (503, "5", 4)
        eventually(lambda: _room(desk, viewer), 10, "the streams that ended still count")


def _opened(stack: ExitStack, desk: Desk, headers: dict[str, str]) -> Iterator[bytes]:
    """A stream that is read; whoever lets go of its chunks closes it."""
    answer = stack.enter_context(desk.client.stream("GET", "/api/v1/stream", headers=headers))
    assert answer.status_code == 200
    chunks = answer.iter_raw()
    next(chunks)
    return chunks


def _room(desk: Desk, headers: dict[str, str]) -> bool:
    with desk.client.stream("GET", "/api/v1/stream", headers=headers) as answer:
        return answer.status_code == 200
