"""A real Prometheus server, and servers that only claim to be one."""

import shutil
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from gateway_exporter import GatewayExporter, write_blocks
from prometheus_server import PrometheusServer, prometheus_binary
from raw_server import RawServer, Respond, reply, reply_json

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings import PrometheusSource
from domain.errors import SourceError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def source(url: str, *queries: dict[str, object], **more: object) -> PrometheusSource:
    values = {
        "kind": "prometheus",
        "name": "prom",
        "url": url,
        "allow_private_addresses": True,
        "deadline_seconds": 5,
        "step_seconds": 60,
        "queries": queries or ({"query": "up"},),
        **more,
    }
    return PrometheusSource.model_validate(values)


def collect(settings: PrometheusSource, since: datetime | None = None, now: datetime = NOW) -> Collected:
    return build_collector(settings, {}).collect(Position(since), now)


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> Respond:
    result = [{"metric": metric, "values": values} for metric, values in series]
    return reply_json({"status": "success", "data": {"resultType": "matrix", "result": result}})


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)


@pytest.mark.prometheus
def test_a_real_server_is_read_with_labels_counters_and_gaps(prometheus: PrometheusServer) -> None:
    settings = source(
        prometheus.url,
        {
            "query": "orders_total",
            "kind": "counter",
            "labels": {"job": "", "instance": "host"},
            "source": "trading_metrics",
        },
        {"query": "avg by (venue) (spread_bps)", "metric": "spread_bps", "unit": "bps"},
        step_seconds=1,
        backfill_hours=0.01,
    )

    def enough() -> bool:
        try:
            return len(collect(settings, now=datetime.now(UTC)).samples) >= 6
        except SourceError:
            return False

    wait_for(enough)
    now = datetime.now(UTC)
    page = collect(settings, now - timedelta(seconds=20), now)
    by_metric = {series.key.metric: series for series in page.samples.series}
    orders = by_metric["orders_total"]
    assert orders.kind == "counter"
    assert dict(orders.key.labels).keys() == {"host", "strategy", "venue"}
    assert (by_metric["spread_bps"].unit, orders.source) == ("bps", "trading_metrics")
    assert page.position.watermark == now
    counts = [value for series, _, value in page.samples if series is orders]
    assert counts == sorted(counts)
    assert "gaps" in page.notes[0]


@pytest.mark.prometheus
def test_a_real_server_explains_a_query_it_refuses(prometheus: PrometheusServer) -> None:
    def explained() -> bool:
        try:
            collect(source(prometheus.url, {"query": "sum("}), now=datetime.now(UTC))
        except SourceError as error:
            return error.permanent and "parse error" in error.reason
        return False

    wait_for(explained)


@pytest.mark.prometheus
def test_a_real_server_evaluates_the_queries_of_the_market_makers_desk(tmp_path: Path) -> None:
    binary, promtool = prometheus_binary(), shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool binary: it comes with the package `prometheus`")
    end = int(time.time())
    slow_from = end - 900
    past = GatewayExporter().past(end - 2_400, end, "gateway:9100", slow_from=slow_from)
    write_blocks(promtool, past, tmp_path)
    desk = tomllib.loads((EXAMPLES / "market-maker.toml").read_text(encoding="utf-8"))
    queries = next(one for one in desk["sources"] if one["kind"] == "prometheus")["queries"]
    server = PrometheusServer(binary, tmp_path, "127.0.0.1:1")
    try:
        settings = source(server.url, *queries, backfill_hours=0.6)
        wait_for(lambda: _reads(settings, end))
        page = collect(settings, now=datetime.fromtimestamp(end, UTC))
    finally:
        server.stop()
    asked = {'order_ack_latency_ms{venue="bybit"}', 'feed_messages{venue="bybit"}'}
    assert {one.name for one in page.samples.series if one.key.metric != "source_clock_offset_ms"} == asked
    found: dict[str, list[float]] = {"before": [], "after": [], "messages": []}
    for series, at, value in page.samples:
        if series.name not in asked:
            continue
        if series.key.metric == "feed_messages":
            found["messages"].append(value)
        # A rate over two minutes knows both sides of the change for two minutes.
        elif abs(at.timestamp() - slow_from - 75) > 75:
            found["before" if at.timestamp() < slow_from else "after"].append(value)
    # The buckets that hold the 99th percentile of 12 ms and a spread of 0.35, and of eight times that.
    assert all(20 < one < 40 for one in found["before"]), found
    assert all(150 < one < 250 for one in found["after"]), found
    assert all(2_700 < one < 3_300 for one in found["messages"]), found
    assert min(len(found["before"]) - 15, len(found["after"]) - 10, len(found["messages"]) - 30) >= 0, found


def _reads(settings: PrometheusSource, end: int) -> bool:
    try:
        return len(collect(settings, now=datetime.fromtimestamp(end, UTC)).samples) > 0
    except SourceError:
        return False


def test_pages_follow_each_other_without_gap_or_overlap(server: RawServer) -> None:
    server.respond = matrix()
    collector = build_collector(source(server.url, page_points=30, backfill_hours=2), {})
    position, more = Position(), True
    while more:
        page = collector.collect(position, NOW)
        position, more = page.position, page.more
    asked = [parse_qs(urlsplit(head.split(" ")[1]).query) for head in server.requests]
    stretches = [(int(one["start"][0]), int(one["end"][0])) for one in asked]
    assert len(stretches) == 4
    assert stretches[-1][1] == NOW.timestamp()
    assert [start - 60 for start, _ in stretches[1:]] == [end for _, end in stretches[:-1]]
    assert position.watermark == NOW


def test_an_outage_longer_than_the_backfill_is_noted(server: RawServer) -> None:
    server.respond = matrix()
    page = collect(source(server.url, backfill_hours=1), NOW - timedelta(days=3))
    assert page.notes == ("nothing asked for before 2026-03-01 11:00 UTC: backfill_hours",)


def test_an_answer_that_is_too_long_is_asked_for_in_halves(server: RawServer) -> None:
    def respond_with_every_point(connection: object, head: str) -> None:
        query = parse_qs(urlsplit(head.split(" ")[1]).query)
        times = range(int(query["start"][0]), int(query["end"][0]) + 1, 60)
        matrix(({"__name__": "up"}, [(at, "1") for at in times]))(connection, head)  # type: ignore[arg-type]

    server.respond = respond_with_every_point
    settings = source(server.url, page_points=1000, backfill_hours=10, max_bytes=3_000)
    collector = build_collector(settings, {})
    position, total, more = Position(), 0, True
    while more:
        page = collector.collect(position, NOW)
        position, total, more = page.position, total + len(page.samples), page.more
    assert total == 600


def test_labels_are_renamed_dropped_and_chosen(server: RawServer) -> None:
    server.respond = matrix(
        ({"__name__": "up", "job": "a", "instance": "b", "zone": "c"}, [(NOW.timestamp(), "1")])
    )
    query: dict[str, object] = {"query": "up", "labels": {"instance": "host"}, "keep_labels": ["job"]}
    page = collect(source(server.url, query), NOW - timedelta(minutes=5))
    assert [series.name for series in page.samples.series] == ['up{host="b",job="a"}']


def test_strings_that_are_no_numbers_are_gaps(server: RawServer) -> None:
    at = NOW.timestamp()
    server.respond = matrix(({"__name__": "up"}, [(at - 120, "NaN"), (at - 60, "+Inf"), (at, "2.5")]))
    page = collect(source(server.url))
    assert [value for _, _, value in page.samples] == [2.5]


@pytest.mark.parametrize(
    ("respond", "part"),
    [
        (reply(b"<html>login</html>", content_type="text/html"), "web page"),
        (reply(b'{"status":', content_type="application/json"), "not JSON"),
        (reply_json([]), "JSON list"),
        (reply_json({"status": "success"}), "unexpected shape"),
        (
            reply_json({"status": "success", "data": {"resultType": "vector", "result": []}}),
            "unexpected shape",
        ),
        (
            reply_json({"status": "success", "data": {"resultType": "matrix", "result": [{"x": 1}]}}),
            "unexpected",
        ),
        (reply_json({"status": "error", "error": "bad_data"}, status="400 Bad"), "bad_data"),
        (reply_json({}, status="503 Busy"), "HTTP 503"),
    ],
)
def test_an_answer_of_another_shape_is_refused_whole(server: RawServer, respond: Respond, part: str) -> None:
    server.respond = respond
    with pytest.raises(SourceError, match=part):
        collect(source(server.url))
