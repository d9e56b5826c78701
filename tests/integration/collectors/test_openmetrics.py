"""Scrapes of exporters over real sockets."""

import time
from datetime import UTC, datetime
from typing import Any

import prometheus_client
import pytest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from raw_server import RawServer, Respond, cut, reply, reset

from collectors.build import build_collector, check_source
from collectors.collector import Collected, Position
from collectors.settings import OpenMetricsSource
from domain.errors import SourceError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def settings(url: str, **more: object) -> OpenMetricsSource:
    values = {
        "kind": "openmetrics",
        "name": "exporter",
        "url": url,
        "allow_private_addresses": True,
        "deadline_seconds": 2,
        **more,
    }
    return OpenMetricsSource.model_validate(values)


def scrape(server: RawServer, text: str = "", **more: object) -> Collected:
    if text:
        server.respond = reply(text.encode())
    return build_collector(settings(server.url, **more), {}).collect(Position(), NOW)


def values(page: Collected) -> dict[str, float]:
    return {series.name: value for series, _, value in page.samples}


def exporter() -> prometheus_client.CollectorRegistry:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("orders", "sent", ["venue"], registry=registry).labels("bybit").inc(7)
    prometheus_client.Gauge("spread_bps", "now", ["venue"], registry=registry).labels("bybit").set(1.5)
    prometheus_client.Histogram("ack_seconds", "latency", registry=registry).observe(0.2)
    prometheus_client.Info("build", "version", registry=registry).info({"version": "1"})
    return registry


@pytest.mark.parametrize("openmetrics", [True, False])
def test_a_real_exporter_is_read_in_both_formats(server: RawServer, openmetrics: bool) -> None:
    generate: Any = generate_openmetrics if openmetrics else prometheus_client.generate_latest
    content_type = OPENMETRICS if openmetrics else "text/plain; version=0.0.4"
    server.respond = reply(generate(exporter()), content_type=content_type)
    page = scrape(server)
    found = values(page)
    assert found['orders_total{venue="bybit"}'] == 7
    assert found['spread_bps{venue="bybit"}'] == 1.5
    assert found["ack_seconds_count"] == 1
    assert not [name for name in found if "_created" in name or "bucket" in name]
    kinds = {series.key.metric: series.kind for series in page.samples.series}
    assert kinds["orders_total"] == kinds["ack_seconds_sum"] == "counter"
    assert kinds["spread_bps"] == "gauge"
    assert "application/openmetrics-text" in server.requests[0]


def test_names_are_allowed_and_denied(server: RawServer) -> None:
    page = scrape(server, "go_a 1\nup 1\nup_b 2\n", allow=["up*", "go_*"], deny=["*_b"])
    assert values(page) == {"go_a": 1, "up": 1}


def test_buckets_are_kept_where_asked_for(server: RawServer) -> None:
    text = '# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n'
    assert len(values(scrape(server, text, buckets=True))) == 4
    assert len(values(scrape(server, text))) == 2


def test_a_value_that_is_no_number_is_a_gap(server: RawServer) -> None:
    page = scrape(server, "a NaN\nb +Inf\nc 3\n")
    assert values(page) == {"c": 3}
    assert page.notes == ("2 values are gaps (empty, NaN, infinite or no number)",)


def test_exported_timestamps_are_honoured_within_reason(server: RawServer) -> None:
    now_ms = int(NOW.timestamp() * 1000)
    text = f"a 1 {now_ms - 60_000}\nb 2 {now_ms - 86_400_000}\nc 3 {now_ms + 86_400_000}\nd 4\n"
    page = scrape(server, text)
    assert {series.name: (NOW - at).total_seconds() for series, at, _ in page.samples} == {"a": 60, "d": 0}
    assert len(page.notes) == 2
    ignored = scrape(server, text, honor_timestamps=False)
    assert {at for _, at, _ in ignored.samples} == {NOW}


def test_one_endpoint_may_carry_several_kinds_of_data(server: RawServer) -> None:
    page = scrape(
        server,
        "# UNIT lag_seconds seconds\n# TYPE lag_seconds gauge\nlag_seconds 1\nspread_bps 2\nother 3\n",
        sources={"spread_*": "market_data"},
        units={"spread_bps": "bps"},
        unit="count",
        labels={"desk": "a"},
    )
    described = {one.key.metric: (one.source, one.unit, one.key.label("desk")) for one in page.samples.series}
    assert described["spread_bps"] == ("market_data", "bps", "a")
    assert described["other"] == ("system_metrics", "count", "a")


def test_a_unit_is_told_by_the_name_where_nothing_else_does(server: RawServer) -> None:
    page = scrape(server, "lag_ms 1\nread_bytes_total 2\nms 3\nplain 4\n")
    assert [one.unit for one in page.samples.series] == ["ms", "bytes", "", ""]


def test_more_series_than_allowed_are_refused_with_the_cap_named(server: RawServer) -> None:
    page = scrape(server, "".join(f'a{{i="{i}"}} 1\n' for i in range(20)), max_series=5)
    assert len(page.samples) == 5
    assert "max_series = 5" in page.notes[0]


@pytest.mark.parametrize(
    "respond",
    [
        reply(b"<!DOCTYPE html><html>login</html>\n", content_type="text/html"),
        reply(b'{"status":"ok"}\n', content_type="application/json"),
        reply(b'up{venue="by'),
        reply(b'up{venue="by\n'),
        reply(b"up 1\nthis is not a metric\n"),
        reply(b"up 1\n", content_type=OPENMETRICS),
        reply(b"\xff\xfe\n"),
        cut,
        reset,
    ],
)
def test_an_answer_that_is_broken_anywhere_is_refused_whole(server: RawServer, respond: Respond) -> None:
    server.respond = respond
    with pytest.raises(SourceError):
        scrape(server)


def test_the_check_is_one_line(server: RawServer) -> None:
    server.respond = reply(b"a 1\nb 2\n")
    good = check_source(settings(server.url), {}, NOW)
    assert (good.ok, good.answer) == (True, "2 samples of 2 series")
    server.respond = reply(b"", status="401 No")
    bad = check_source(settings(server.url), {}, NOW)
    assert (bad.ok, bad.answer) == (False, f"{server.url} answered HTTP 401")


def test_an_exporter_with_far_too_many_lines_is_refused_before_they_are_parsed(server: RawServer) -> None:
    server.respond = reply(b"".join(b'wild{id="%d"} 1\n' % k for k in range(300_000)) + b"tame 1\n")
    began = time.process_time()
    with pytest.raises(SourceError, match="set `allow`"):
        scrape(server)
    assert time.process_time() - began < 3
    # Only what is allowed counts.
    found = scrape(server, allow=["tame"])
    assert [series.key.metric for series in found.samples.series] == ["tame"]
