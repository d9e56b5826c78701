"""A source whose clock runs away is told by the time that it says it answers at."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
from raw_server import RawServer, reply, reply_json

from collectors.build import build_collector
from collectors.collector import Position
from collectors.server_clock import METRIC, ServerClock
from collectors.settings import OpenMetricsSource, PrometheusSource
from collectors.settings_logs import LokiSource
from detectors.default_rules import default_rules
from domain.series import SeriesKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[RawServer]:
    one = RawServer()
    yield one
    one.close()


def offset(kind: str, server: RawServer) -> list[float]:
    """What a read stores of the server's clock."""
    common = {"name": "s", "url": server.url, "allow_private_addresses": True, "retries": 0}
    if kind == "openmetrics":
        settings: Any = OpenMetricsSource.model_validate({"kind": kind, **common})
    elif kind == "prometheus":
        settings = PrometheusSource.model_validate({"kind": kind, "queries": [{"query": "up"}], **common})
    else:
        settings = LokiSource.model_validate({"kind": kind, "query": '{a="b"}', **common})
    found = build_collector(settings, {}).collect(Position(), NOW)
    return [value for series, _, value in found.samples if series.key.metric == METRIC]


def answer(kind: str, **headers: str) -> Any:
    if kind == "openmetrics":
        return reply(b"cpu_percent 1\n", **headers)
    streams: dict[str, object] = {"resultType": "streams" if kind == "loki" else "matrix", "result": []}
    return reply_json({"status": "success", "data": streams}, **headers)


KINDS = ["openmetrics", "prometheus", "loki"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ahead", [-90.0, 90.0, 86_400.0])
def test_a_clock_that_is_off_is_measured(kind: str, ahead: float, server: RawServer) -> None:
    server.respond = answer(kind, Date=formatdate(time.time() + ahead, usegmt=True))
    (found,) = offset(kind, server)
    assert found == pytest.approx(ahead * 1_000, abs=3_000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_right_is_exactly_right(kind: str, server: RawServer) -> None:
    def respond(connection: socket.socket, head: str) -> None:
        answer(kind, Date=formatdate(time.time(), usegmt=True))(connection, head)

    server.respond = respond
    assert offset(kind, server) == [0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_tells_no_time_is_not_compared(kind: str, server: RawServer) -> None:
    server.respond = answer(kind)
    assert offset(kind, server) == []


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday GMT",
        "Sun, 99 Mar 2026 12:00:00 GMT",
        "0 GMT",
        "x" * 60 + "GMT",
        "Sun, 01 Mar 99999999999 12:00:00 GMT",
    ],
)
def test_a_date_that_is_none_is_nothing(date: str) -> None:
    clock = ServerClock()
    clock.heard({"date": date}, 0.0, 0.1)
    assert clock.offset_ms is None


def test_what_a_cache_kept_is_no_wrong_clock() -> None:
    clock = ServerClock()
    clock.heard({"date": formatdate(10_000, usegmt=True), "age": "600"}, 10_600.2, 10_600.4)
    assert clock.offset_ms == 0.0


def test_a_slow_answer_is_no_wrong_clock() -> None:
    clock = ServerClock()
    clock.heard({"date": formatdate(10_000, usegmt=True)}, 10_000.0, 10_008.0)
    assert clock.offset_ms == 0.0
    clock.heard({"date": formatdate(10_000, usegmt=True)}, 10_007.9, 10_008.0)
    assert clock.offset_ms == pytest.approx(-7_000, abs=100)


def test_there_is_a_rule_for_it() -> None:
    key = SeriesKey.of(METRIC, {"component": "source:s", "source": "s"})
    assert any(rule.name == "clock" and rule.matches(key) for rule in default_rules())
