"""Whatever is sent, the service answers 4xx in one shape, stores nothing of it, and lives on."""

import gzip
import json
import math
import re
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from api_desk import NOW, TOKENS, Desk, running_desk, token_settings

from api.hooks.secrets import SENDERS
from api.settings import ServerSettings
from domain.timestamps import format_rfc3339

AT = format_rfc3339(NOW)
WEIRD_TEXTS = [
    "'; DROP TABLE anomaly; --",
    "%' OR '1'='1",
    "1 UNION SELECT * FROM audit",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "{{7*7}}",
    "\u202egnp.exe",
    "-1",
    "9" * 40,
    "nan",
    "A-" + "9" * 30,
    "A-1 ",
    "A-\u0661",
    "\U0001f4a5" * 50,
    "x" * 8_000,
]
NO_VALUES: list[Any] = [math.nan, math.inf, -math.inf, 1e300, "1", True, None, [], {}]
WEIRD_BODIES: list[Any] = [
    None,
    True,
    0,
    "text",
    [],
    {},
    {"": ""},
    [[[[]]]],
    {"samples": None},
    {"name": "\ud800", "metric": "\ud800"},
    {"verdict": float("nan")},
    {"message": "\ud800"},
    {"message": ""},
    {"message": "x", "thread_id": "T-999999"},
    {"rule": {"name": "a", "metric": "b", "threshold": float("inf")}, "start": AT, "end": AT},
    {"anomaly_id": "A-999999999"},
    {"anomaly_id": 7},
    {"anomaly_id": "A-1", "affected_metrics": []},
    {"start_time": AT, "end_time": AT, "affected_metrics": ["pnl"]},
    {"start_time": "2026-03-01 06:10", "end_time": AT, "affected_metrics": ["pnl"]},
    {"start_time": "0001-01-01T00:00:00Z", "end_time": "9999-12-31T23:59:59Z", "affected_metrics": ["pnl"]},
    {"start_time": AT, "end_time": "2026-03-02T00:00:00Z", "affected_metrics": ["no_such_metric"]},
    {"status": "deleted"},
    {"status": None},
    {"snoozed_until": "tomorrow"},
    {"done": "yes"},
    {"kind": "no_such_incident"},
    {"series": {"a": {"timestamps": [AT], "values": []}}},
    {"series": {"a{": {"timestamps": [AT], "values": [1]}}},
    {"series": {"a": {"timestamps": ["2026-02-30T00:00:00Z"], "values": [1]}}},
    {"series": {"a": {"timestamps": [AT], "values": [float("nan")]}}},
    {"series": {"a": {"timestamps": [AT], "values": ["1"]}}},
    {"series": {"a": {"timestamps": [AT], "values": [True]}}},
    {"name": "a/b", "metric": "pnl"},
    {"name": "r", "metric": "pnl", "threshold": float("nan")},
    {"name": "r", "metric": "pnl", "window_size": 10**30},
    {"name": "r", "metric": "pnl", "method": "magic"},
    {"name": "r", "metric": "pnl", "severity_thresholds": {"low": 9, "medium": 1, "high": 2, "critical": 3}},
    {"name": "r", "metric": "pnl", "surprise": 1},
]
RAW_BODIES = [
    b"",
    b"{",
    b"\xef\xbb\xbf{}",
    '{"a": 1}'.encode("utf-16"),
    b"{} trailing",
    b'{"a": 1, "a": 2}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"a": ' + b"9" * 5_000 + b"}",
    b'{"a": 1e400000}',
    b"\xff\xfe\x00",
    b"\x00" * 100,
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The same desk, with tokens."""
    with running_desk(tmp_path_factory.mktemp("locked"), tokens=token_settings()) as running:
        yield running


def check_problem(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    """A 4xx in the one shape, with the security headers, without our insides."""
    assert answer.status_code in statuses if statuses else 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    for secret in ("Traceback", "sqlalchemy", "sqlite3", ".py", "pydantic"):
        assert secret not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return problem


def operations(desk: Desk) -> list[tuple[str, str, dict[str, Any]]]:
    """Every documented method and path."""
    spec = desk.client.get("/openapi.json").json()
    return [
        (method.upper(), path, operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    ]


def filled(path: str, value: str = "A-1") -> str:
    """A path template with every parameter replaced."""
    parts = [value if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


def is_stream(path: str) -> bool:
    return path.endswith(("/stream", "/events")) and "POST" not in path


def _sample(**changes: Any) -> dict[str, Any]:
    return {"metric": "cpu_percent", "labels": {"host": "a"}, "timestamp": AT, "value": 1.0, **changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *[({"value": value}, "value") for value in NO_VALUES],
        ({"value": 2**53 + 1}, "value"),
        ({"value": int("9" * 400)}, "value"),
        *[
            ({"timestamp": text}, "timestamp")
            for text in (
                "2026-03-01T06:10:00",
                "2026-02-30T00:00:00Z",
                "2026-03-01T06:10:60Z",
                "2026-03-01T06:10:00+99:00",
                "2026-03-01T06:10:00Z\u0000",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59Z",
                "2036-03-01T00:00:00Z",
                "2026-03-01T12:10:01Z",
                1772344800,
                None,
            )
        ],
        *[
            ({"metric": name}, "metric")
            for name in ("x" * 10_000, "", "   ", "a\u0000b", "a\nb", "\u001b[31m", "\ud800", None, 7)
        ],
        ({"labels": {"a b": "c"}}, "labels"),
        ({"labels": {"a": 7}}, "labels"),
        ({"labels": [1]}, "labels"),
        ({"labels": {f"l{i}": "x" for i in range(40)}}, "labels"),
        ({"source": "gossip"}, "source"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_bad_sample_alone_is_a_422_that_names_the_field(
    desk: Desk, changes: dict[str, Any], field: str
) -> None:
    body = json.dumps({"samples": [_sample(**changes)]})
    headers = {"Content-Type": "application/json"}
    began = time.monotonic()
    problem = check_problem(desk.client.post("/api/v1/samples", content=body, headers=headers), 422)
    assert time.monotonic() - began < 2
    assert problem["accepted"] == 0
    assert [one["index"] for one in problem["rejected"]] == [0]
    assert field in problem["rejected"][0]["reason"]


@pytest.mark.parametrize("value", [1.79e299, 5e-324, -0.0, 2.0**53, 0.1])
def test_an_extreme_value_is_stored_exactly(desk: Desk, value: float) -> None:
    name = f"extreme_{value!r}".replace(".", "_").replace("-", "m").replace("+", "p")
    answer = desk.client.post("/api/v1/samples", json={"samples": [_sample(metric=name, value=value)]})
    assert answer.status_code == 200
    series = desk.client.get("/api/v1/series", params={"metric": name}).json()["items"][0]
    (stored,) = desk.client.get(f"/api/v1/series/{series['id']}/samples").json()["items"]
    assert math.copysign(1, stored["value"]) == math.copysign(1, value)
    assert stored["value"] == value


def test_one_bad_of_a_hundred_leaves_ninety_nine(desk: Desk) -> None:
    samples = [
        _sample(metric="mixed", timestamp=f"2026-03-01T10:{i % 60:02d}:0{i // 60}Z") for i in range(100)
    ]
    samples[41]["value"] = "NaN"
    found = desk.client.post("/api/v1/samples", json={"samples": samples})
    assert found.status_code == 200
    assert found.json()["accepted"] == 99
    assert [one["index"] for one in found.json()["rejected"]] == [41]


def test_a_future_sample_does_not_keep_later_ones_out(desk: Desk) -> None:
    future = _sample(metric="clock", timestamp="2036-01-01T00:00:00Z")
    check_problem(desk.client.post("/api/v1/samples", json={"samples": [future]}), 422)
    assert desk.client.post("/api/v1/samples", json={"samples": [_sample(metric="clock")]}).status_code == 200


def test_a_repeated_sample_is_stored_once_and_the_later_value_wins(desk: Desk) -> None:
    one, other = _sample(metric="again"), _sample(metric="again", value=2.0)
    first = desk.client.post("/api/v1/samples", json={"samples": [one, one]}).json()
    second = desk.client.post("/api/v1/samples", json={"samples": [other]}).json()
    assert (first["accepted"], first["replaced"]) == (2, 1)
    assert (second["accepted"], second["replaced"]) == (1, 1)
    series = desk.client.get("/api/v1/series?metric=again").json()["items"][0]["id"]
    items = desk.client.get(f"/api/v1/series/{series}/samples").json()["items"]
    assert [item["value"] for item in items] == [2.0]


def test_a_series_beyond_the_cap_is_refused_with_the_caps_name(tmp_path: Path) -> None:
    with running_desk(tmp_path, max_series=3) as capped:
        new = [_sample(metric=name) for name in ("one_more", "too_many", "one_more", "far_too_many")]
        mixed = capped.client.post("/api/v1/samples", json={"samples": new})
        assert (mixed.status_code, mixed.json()["accepted"]) == (200, 2)
        assert [one["index"] for one in mixed.json()["rejected"]] == [1, 3]
        refused = check_problem(capped.client.post("/api/v1/samples", json={"samples": new[1:2]}), 422)
        assert "max_series" in refused["rejected"][0]["reason"]
        names = [one["name"] for one in capped.client.get("/api/v1/series").json()["items"]]
        assert "too_many" not in str(names)


def test_both_hours_of_a_clock_change_are_kept_apart(desk: Desk) -> None:
    times = ["2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"]
    samples = [_sample(metric="dst", timestamp=at, value=i) for i, at in enumerate(times)]
    assert desk.client.post("/api/v1/samples", json={"samples": samples}).json()["accepted"] == 2
    series = desk.client.get("/api/v1/series?metric=dst").json()["items"][0]["id"]
    span = {"start": "2025-10-26T00:00:00Z", "end": "2025-10-27T00:00:00Z"}
    items = desk.client.get(f"/api/v1/series/{series}/samples", params=span).json()["items"]
    assert [item["timestamp"] for item in items] == ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"]


@pytest.mark.parametrize("body", RAW_BODIES, ids=range(len(RAW_BODIES)))
@pytest.mark.parametrize("path", ["/api/v1/samples", "/api/v1/events", "/api/v1/rules", "/api/v1/diagnoses"])
def test_a_body_that_is_not_strict_json_is_refused_whole(desk: Desk, path: str, body: bytes) -> None:
    before = len(desk.stores.series.all())
    answer = desk.client.post(path, content=body, headers={"Content-Type": "application/json"})
    check_problem(answer, 400, 422)
    if body and b"9999" not in body and b"1e4" not in body:
        assert answer.status_code == 400
    assert len(desk.stores.series.all()) == before


@cache
def _bomb() -> bytes:
    """A quarter of a gibibyte of zeros in 260 kilobytes of gzip."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(squeezer.compress(bytes(4_194_304)) for _ in range(64)) + squeezer.flush()


@pytest.mark.parametrize("path", ["/api/v1/samples", "/api/v1/diagnoses", "/api/v1/infer"])
def test_large_and_squeezed_bodies_are_refused_and_memory_stays_flat(desk: Desk, path: str) -> None:
    bomb = _bomb()
    before = psutil.Process().memory_info().rss
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    check_problem(desk.client.post(path, content=bomb, headers=packed), 413)
    big = b'{"a": "' + b"x" * 10_000_000 + b'"}'
    check_problem(desk.client.post(path, content=big, headers={"Content-Type": "application/json"}), 413)
    assert psutil.Process().memory_info().rss - before < 200_000_000


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("br", b"{}", 415),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), 415),
        ("gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), 415),
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(b"{}" * 1_000, mtime=0)[:-10], 400),
    ],
)
def test_a_wrong_coding_is_refused(desk: Desk, coding: str, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    check_problem(desk.client.post("/api/v1/samples", content=body, headers=headers), status)


def test_a_gzip_body_of_good_samples_is_taken(desk: Desk) -> None:
    body = gzip.compress("\n".join(json.dumps(_sample(metric="packed", value=i)) for i in range(3)).encode())
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    found = desk.client.post("/api/v1/samples", content=body, headers=headers)
    assert (found.status_code, found.json()["accepted"]) == (200, 3)


def test_every_operation_survives_weird_bodies(desk: Desk) -> None:
    for method, path, operation in operations(desk):
        if "requestBody" not in operation:
            continue
        for identifier in ("A-1", "1"):
            for body in WEIRD_BODIES:
                answer = desk.client.request(
                    method,
                    filled(path, identifier),
                    content=json.dumps(body),
                    headers={"Content-Type": "application/json"},
                )
                if answer.status_code >= 400:
                    check_problem(answer)
                assert str(answer.status_code) in operation["responses"], (method, path, body, answer.text)
        check_problem(
            desk.client.request(
                method, filled(path, "1"), content=b"<a/>", headers={"Content-Type": "text/xml"}
            ),
            # What is not signed by Slack is not read at all.
            401 if path.startswith("/slack/") else 415,
        )


def test_every_operation_survives_weird_identifiers(desk: Desk) -> None:
    for method, path, operation in operations(desk):
        if "{" not in path:
            continue
        for text in WEIRD_TEXTS:
            address = filled(
                path, httpx2.URL("http://x", params={"q": text}).query.decode()[2:].replace("+", "%20")
            )
            answer = desk.client.request(method, address)
            assert answer.status_code < 500, (method, address, answer.text)
            if answer.status_code >= 400:
                check_problem(answer)
                # An identifier with a slash is another address, which is no operation at all.
                if "%2F" not in address:
                    assert str(answer.status_code) in operation["responses"], (method, address, answer.text)


def test_every_parameter_survives_weird_values(desk: Desk) -> None:
    extra = [
        "",
        "0",
        "10" * 15,
        "1e9",
        "0x10",
        "2026-03-01T00:00:00",
        "9999-12-31T23:59:59Z",
        "\ufffd",
        "a&b=c",
    ]
    for method, path, operation in operations(desk):
        if method != "GET" or is_stream(path):
            continue
        names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        for name in names:
            for text in [*WEIRD_TEXTS, *extra]:
                answer = desk.client.get(filled(path, "1"), params={name: text})
                assert answer.status_code < 500, (path, name, text, answer.text)
                if answer.status_code >= 400:
                    check_problem(answer)


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PATCH", "incidents/I-1", {"assignee": "\ud800"}, "assignee"),
        ("PATCH", "incidents/I-1", {"assignee": "a\x00b"}, "assignee"),
        ("PATCH", "incidents/I-1", {"assignee": "a\nb"}, "assignee"),
        ("POST", "anomalies/A-1/feedback", {"verdict": "true_positive", "comment": "\x1b[31m"}, "comment"),
        ("POST", "chat", {"message": "a\x00"}, "message"),
        ("POST", "rules", {"name": "x", "metric": "a", "labels": {"\ud800": "b"}}, "labels (a key)"),
        ("POST", "rules", {"name": "x", "metric": "a", "labels": {"a": "\x00"}}, "labels.a"),
        ("POST", "demo/incidents", {"kind": "\x00"}, "kind"),
    ],
)
def test_control_characters_in_a_body_are_named(
    desk: Desk, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = desk.client.request(method, f"/api/v1/{path}", content=json.dumps(body), headers=headers)
    assert check_problem(answer, 422)["errors"][0]["field"] == field


def _raw(desk: Desk, request: bytes) -> bytes:
    host, port = desk.client.base_url.host, desk.client.base_url.port or 80
    with socket.create_connection((host, port), timeout=10) as client:
        client.sendall(request)
        answer = b""
        while chunk := client.recv(65_536):
            answer += chunk
    return answer


def test_a_request_with_two_lengths_is_refused(desk: Desk) -> None:
    head = b"POST /api/v1/samples HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    answer = _raw(desk, head + both)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_client_that_drops_in_the_body_stores_nothing_until_it_comes_back(desk: Desk) -> None:
    body = json.dumps({"samples": [_sample(metric="dropped")]}).encode()
    head = (
        b"POST /api/v1/samples HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Idempotency-Key: dropped\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    host, port = desk.client.base_url.host, desk.client.base_url.port or 80
    with socket.create_connection((host, port), timeout=10) as client:
        client.sendall(head + body[:-10])
    assert desk.client.get("/api/v1/series?metric=dropped").json()["items"] == []
    for _ in range(2):
        assert b'{"accepted":1,"replaced":0' in _raw(desk, head + body)


@pytest.mark.parametrize(
    "limit",
    ["-1", "0", "501", "1000000000", "1" + "0" * 30, "text", "1.5", "", "1_0", " 5", "1e1", "+5", "٣"],
)
def test_a_limit_outside_its_range_is_a_422_that_names_it(desk: Desk, limit: str) -> None:
    for path in ("anomalies", "incidents", "diagnoses", "series", "cycles", "sources", "rules"):
        problem = check_problem(desk.client.get(f"/api/v1/{path}", params={"limit": limit}), 422)
        assert problem["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("number", ["1_0", "1e1", "nan", "inf", "٣", "0x10"])
def test_a_number_is_written_in_digits_everywhere(desk: Desk, number: str) -> None:
    for path in (f"series/{number}/samples", f"series/1/samples?step={number}"):
        check_problem(desk.client.get(f"/api/v1/{path}"), 422)
    check_problem(desk.client.post(f"/api/v1/diagnoses?wait={number}", json={"anomaly_id": "A-1"}), 422)


@pytest.mark.parametrize(
    "cursor", ["x", "!!!!", "bm90IGEgY3Vyc29y", "WzEsMl0", "W10", "e30", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"]
)
def test_a_cursor_of_another_making_is_data_or_a_422(desk: Desk, cursor: str) -> None:
    for path in (
        "anomalies",
        "incidents",
        "diagnoses",
        "series",
        "cycles",
        "sources",
        "rules",
        "series/1/samples",
    ):
        answer = desk.client.get(f"/api/v1/{path}", params={"cursor": cursor})
        if answer.status_code != 200:
            check_problem(answer, 422)


@pytest.mark.parametrize(
    "target",
    [
        "/static/../app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static/css/app.css%00.js",
        "/static//etc/passwd",
        "/anomalies/..%2f..%2fetc%2fpasswd",
        "/api/v1/anomalies/%00",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_no_path_leads_out(desk: Desk, target: str) -> None:
    answer = _raw(desk, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]
    assert b"root:" not in answer


def test_a_wrong_method_is_a_405_in_the_same_shape(desk: Desk) -> None:
    for path in ("/api/v1/samples", "/api/v1/anomalies/A-1", "/health", "/"):
        check_problem(desk.client.delete(path), 405)


def test_control_characters_in_the_query_are_named(desk: Desk) -> None:
    problem = check_problem(desk.client.get("/api/v1/anomalies?metric=a%00b"), 422)
    assert problem["errors"][0]["field"] == "metric"
    check_problem(desk.client.get("/api/v1/anomalies?metric=%ff"), 422)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_name_is_refused_where_everything_is_open(desk: Desk, host: str) -> None:
    check_problem(desk.client.get("/api/v1/anomalies", headers={"Host": host}), 400, 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(desk: Desk, headers: dict[str, str]) -> None:
    before = len(desk.service.injected)
    answer = desk.client.post("/api/v1/demo/incidents", json={"kind": "venue_latency"}, headers=headers)
    check_problem(answer, 403)
    assert len(desk.service.injected) == before
    assert "access-control-allow-origin" not in answer.headers


def test_a_form_without_its_token_changes_nothing(desk: Desk) -> None:
    for path in ("/incidents/I-1", "/anomalies/A-1", "/diagnoses/D-1"):
        for form in ({}, {"csrf": "guess", "status": "resolved", "verdict": "correct"}):
            check_problem(desk.client.post(path, data=form), 403, 422)
    assert desk.stores.incidents.get("I-1").status == "open"


def test_every_route_that_needs_a_token_says_so(locked: Desk) -> None:
    admin = locked.as_role("admin")
    spec = locked.client.get("/openapi.json", headers=admin).json()
    wrong = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer " + "x" * 20_000},
        {"Authorization": "Bearer t\u00f6k\u00e9n".encode("latin-1").decode("latin-1")},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
        {"Authorization": f"Basic {TOKENS['admin']}"},
        {"Authorization": TOKENS["admin"]},
        {"Cookie": "analyst_session=x.99999999999.admin"},
    ]
    for path, methods in spec["paths"].items():
        if path in {"/health", "/ready"}:
            continue
        for method in methods:
            for headers in wrong:
                raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
                answer = locked.client.request(method.upper(), filled(path), headers=raw)
                check_problem(answer, 401)
                if path.startswith("/slack/"):
                    continue  # what Slack sends is signed; no token would help there
                assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/metrics", "/docs", "/openapi.json", "/nothing", "/api/v1/nothing", "/mcp"):
        check_problem(locked.client.get(path), 401)
    for path in (
        "/",
        "/incidents/I-1",
        "/anomalies/A-1",
        "/diagnoses/D-1",
        "/diagnoses/D-1.md",
        "/chat",
        "/explore",
    ):
        answer = locked.client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert locked.client.get("/health").json() == {"status": "ok"}
    assert locked.client.get("/ready").json() == {"status": "ready"}
    assert locked.client.get("/login").status_code == 200


def test_no_role_does_more_than_it_may(locked: Desk) -> None:
    allowed = {
        "viewer": {"GET": 1, "POST /api/v1/infer": 1, "POST /api/v1/chat": 1},
        "ingest": {
            "POST /api/v1/samples": 1,
            "POST /api/v1/events": 1,
            **{f"POST /hooks/{sender}": 1 for sender in SENDERS},
        },
    }
    spec = locked.client.get("/openapi.json", headers=locked.as_role("admin")).json()
    for path, methods in spec["paths"].items():
        for method in methods:
            if path in {"/health", "/ready"} or is_stream(path) or path.startswith("/slack/"):
                continue
            call = f"{method.upper()} {path}"
            viewer = call in allowed["viewer"] or method == "get" or path.startswith("/api/v1/chat")
            refused = locked.client.request(method.upper(), filled(path), headers=locked.as_role("viewer"))
            assert (refused.status_code == 403) != viewer, call
            refused = locked.client.request(method.upper(), filled(path), headers=locked.as_role("ingest"))
            assert (refused.status_code == 403) != (call in allowed["ingest"]), call


def test_hostile_names_are_inert_in_every_form(desk: Desk) -> None:
    for path in ("/", "/incidents/I-1", "/anomalies/A-1", "/diagnoses/D-1"):
        page = desk.client.get(path)
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "<script>alert" not in page.text
        assert page.text.count("<script") == len(re.findall(r'<script [^>]*src="/static/', page.text))
    for path in ("/incidents/I-1.md", "/diagnoses/D-1.md"):
        outside_code = re.sub(r"`[^`]*`", "", desk.client.get(path).text)
        assert "<script>" not in outside_code.replace("\\<", "")


def test_thirty_equal_requests_are_one_run(desk: Desk) -> None:
    body = {"start_time": "2026-03-01T10:00:00Z", "end_time": AT, "affected_metrics": ["pnl"]}
    before = len(desk.service.diagnosed)

    def ask(_: int) -> httpx2.Response:
        return httpx2.post(f"{desk.url}/api/v1/diagnoses?wait=5", json=body, timeout=30, trust_env=False)

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(ask, range(30)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(desk.service.diagnosed) == before + 1


def test_a_retry_with_its_key_is_answered_the_same(desk: Desk) -> None:
    for path, body in (
        ("/api/v1/samples", {"samples": [_sample(metric="retried")]}),
        (
            "/api/v1/diagnoses",
            {"start_time": "2026-03-01T09:00:00Z", "end_time": AT, "affected_metrics": ["pnl"]},
        ),
    ):
        headers = {"Idempotency-Key": f"once for {path}"}
        first, second = (desk.client.post(path, json=body, headers=headers) for _ in range(2))
        assert first.status_code == second.status_code
        assert first.content == second.content
        check_problem(desk.client.post(path, json={**body, "reasoner": "llm"}, headers=headers), 409)


def test_event_readers_that_vanish_leave_nothing_behind(desk: Desk) -> None:
    host, port = desk.client.base_url.host, desk.client.base_url.port or 80
    handles = psutil.Process().num_fds()
    for number in range(200):
        with socket.create_connection((host, port), timeout=10) as client:
            path = "/api/v1/stream" if number % 2 else "/api/v1/diagnoses/D-1/events"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            if number % 3:
                client.recv(100)
    deadline = time.monotonic() + 10
    while (
        desk.service.live.readers or psutil.Process().num_fds() > handles + 3
    ) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert desk.service.live.readers == 0
    assert psutil.Process().num_fds() <= handles + 3


def test_a_full_queue_sends_writers_away_and_loses_nothing(tmp_path: Path) -> None:
    with running_desk(tmp_path, ServerSettings(ingest_queue=2)) as desk:
        statuses: list[int] = []
        accepted: list[str] = []
        guard = threading.Lock()

        def push(number: int) -> None:
            name = f"burst_{number}"
            samples = [
                _sample(metric=name, timestamp=f"2026-03-01T10:00:{i % 60:02d}.{i:06d}Z") for i in range(500)
            ]
            answer = httpx2.post(
                f"{desk.url}/api/v1/samples", json={"samples": samples}, timeout=30, trust_env=False
            )
            with guard:
                statuses.append(answer.status_code)
                if answer.status_code == 200:
                    accepted.append(name)
                else:
                    check_problem(answer, 429)
                    assert int(answer.headers["retry-after"]) >= 1

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(push, range(48)))
        assert set(statuses) <= {200, 429}
        assert accepted
        for name in accepted:
            series = desk.stores.series.find(metric=name).items[0]
            times, _ = desk.stores.samples.read(series.id, NOW.replace(hour=0), NOW)
            assert len(times) == 500


def test_the_service_lives_after_all_of_this(desk: Desk) -> None:
    assert desk.client.get("/ready").status_code == 200
    assert desk.client.get("/").status_code == 200
    assert 'status="500"' not in desk.client.get("/metrics").text
