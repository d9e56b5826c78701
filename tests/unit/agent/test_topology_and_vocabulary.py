"""Names and labels give a series its kind, component and unit; strategies give the default cause graph."""

import pytest

from agent.places import listed, place, places, short_name
from agent.topology import component_of, default_edges, discovered_edges, family_of, joined, kind_of
from agent.vocabulary import class_of, is_about_dependencies, is_outcome, unit_of, words
from domain.series import Series, SeriesKey
from domain.topology import Strategy, Topology

MAKER = Strategy(name="maker", venues=("okx",), symbols=("BTC",), host="h1")


@pytest.mark.parametrize(
    ("name", "component", "kind", "family"),
    [
        ('pnl{strategy="maker",venue="okx",symbol="BTC"}', "strategy:maker", "pnl", "pnl"),
        ("pnl", "desk", "pnl", "pnl"),
        ('orders{strategy="maker",venue="okx"}', "strategy:maker", "orders", "execution"),
        ('fill_ratio{strategy="maker"}', "strategy:maker", "fill_ratio", "execution"),
        ('hedge_lag_ms{strategy="maker"}', "strategy:maker", "hedge_lag", "execution"),
        ('order_ack_latency_ms{venue="okx"}', "gateway:okx", "ack_latency", "venue"),
        ('order_reject_ratio{venue="okx"}', "gateway:okx", "reject_ratio", "venue"),
        ('order_queue_depth{venue="okx"}', "gateway:okx", "order_queue", "venue"),
        ('price{venue="okx",symbol="BTC"}', "market:okx:BTC", "price", "market"),
        ('realized_volatility_bps{venue="okx",symbol="BTC"}', "market:okx:BTC", "volatility", "market"),
        ('depth_usd{venue="okx",symbol="BTC"}', "market:okx:BTC", "depth", "market"),
        ('funding_rate_bps{venue="okx",symbol="BTC"}', "market:okx:BTC", "funding_rate", "market"),
        ('feed_latency_ms{venue="okx"}', "feed:okx", "feed_latency", "market"),
        ('feed_messages{venue="okx"}', "feed:okx", "feed_messages", "market"),
        ('feed_age_seconds{venue="okx"}', "feed:okx", "feed_age", "market"),
        ('pair_correlation{pair="BTC-ETH"}', "pair:BTC-ETH", "correlation", "market"),
        ('cpu_percent{host="h1"}', "host:h1", "cpu", "system"),
        ('gc_pause_ms{host="h1"}', "host:h1", "gc_pause", "system"),
        ('network_errors{host="h1"}', "host:h1", "network_errors", "system"),
        ('disk_percent{host="h1"}', "host:h1", "disk", "system"),
        ('db_write_latency_ms{database="main"}', "database:main", "db_latency", "system"),
        ('db_connections{database="main"}', "database:main", "db_connections", "system"),
        ('db_pool_wait_ms{database="main"}', "database:main", "pool_wait", "system"),
        ('risk_check_latency_ms{service="risk"}', "service:risk", "risk_latency", "system"),
        ('log_lines{component="gateway:okx",level="ERROR"}', "gateway:okx", "log_lines", "log"),
        ('node_memory_MemAvailable_bytes{instance="a"}', "host:a", "memory", "system"),
        ('http_request_duration_seconds{job="api"}', "service:api", "risk_latency", "system"),
        ('latency_ms{component="gw:okx"}', "gw:okx", "ack_latency", "venue"),
        ('latency_ms{component="feed:okx"}', "feed:okx", "feed_latency", "market"),
        ('frobnication{flavour="x"}', "metric:frobnication", "other", "other"),
    ],
)
def test_a_series_is_placed_by_its_name_and_labels(name: str, component: str, kind: str, family: str) -> None:
    key = SeriesKey.parse(name)
    assert component_of(key) == component
    if kind != "memory":
        assert (kind_of(key).name, family_of(key)) == (kind, family)


def test_a_component_label_wins() -> None:
    key = SeriesKey.of("cpu_percent", {"host": "h1", "component": "gateway:okx"})
    assert component_of(key) == "gateway:okx"


def test_money_is_an_outcome_and_never_a_cause() -> None:
    assert is_outcome(Series(0, SeriesKey.of("pnl")))
    assert is_outcome(Series(0, SeriesKey.of("anything"), "pnl_data"))
    assert not is_outcome(Series(0, SeriesKey.of("slippage_bps")))


def test_units_come_from_the_series_or_its_name() -> None:
    assert unit_of(Series(0, SeriesKey.of("x"), unit="EUR")) == "EUR"
    assert unit_of(Series(0, SeriesKey.of("feed_latency_ms"))) == "ms"
    assert unit_of(Series(0, SeriesKey.of("depth_usd"))) == "USD"
    assert unit_of(Series(0, SeriesKey.of("pnl"), "pnl_data")) == "USD"
    assert unit_of(Series(0, SeriesKey.of("orders"))) == ""


def test_what_a_component_sees_of_others_is_recognised() -> None:
    assert is_about_dependencies("PodClientLatencyP90(s)")
    assert is_about_dependencies("upstream_call_error_ratio")
    assert not is_about_dependencies("PodServerLatencyP90(s)")
    assert words("PodServerLatencyP90(s)") == "pod_server_latency_p90_s"


@pytest.mark.parametrize(
    ("component", "name"),
    [("strat:x", "strategy"), ("gw:okx", "gateway"), ("host1", "host"), ("db", "database"), ("cart", "")],
)
def test_prefixes_give_the_class(component: str, name: str) -> None:
    assert class_of(component) == name


def test_the_default_graph_leads_from_machines_and_markets_to_the_desk() -> None:
    graph = default_edges([MAKER])
    hops = graph.hops_to("desk")
    assert hops["strategy:maker"] == 1
    for cause in ("gateway:okx", "feed:okx", "venue:okx", "market:okx:BTC", "host:h1", "service:risk"):
        assert hops[cause] == 2, cause
    pairs = {(edge.cause, edge.effect) for edge in graph.edges}
    assert {("host:h1", "gateway:okx"), ("market:okx:BTC", "feed:okx"), ("venue:okx", "feed:okx")} <= pairs
    assert all(edge.effect != "host:h1" for edge in graph.edges)


def test_labels_give_away_further_edges() -> None:
    keys = [
        SeriesKey.of("pnl", {"strategy": "pairs", "venue": "okx", "symbol": "BTC"}),
        SeriesKey.of("order_ack_latency_ms", {"venue": "okx"}),
        SeriesKey.of("pair_correlation", {"pair": "BTC-ETH"}),
        SeriesKey.of("db_pool_wait_ms", {"database": "main"}),
        SeriesKey.of("risk_check_latency_ms", {"service": "risk"}),
        SeriesKey.of("cpu_percent", {"host": "h9"}),
    ]
    pairs = {(edge.cause, edge.effect) for edge in discovered_edges(keys).edges}
    assert ("gateway:okx", "strategy:pairs") in pairs
    assert ("pair:BTC-ETH", "strategy:pairs") in pairs
    assert ("database:main", "service:risk") in pairs
    assert ("host:h9", "database:main") in pairs
    assert ("feed:okx", "strategy:pairs") not in pairs


def test_graphs_are_joined_without_doubles() -> None:
    one = default_edges([MAKER])
    assert joined(one, one, Topology()) == one


def test_components_are_called_as_people_call_them() -> None:
    assert place("gateway:okx") == "the okx order gateway"
    assert place("market:okx:BTC") == "BTC on okx"
    assert place("cart-service") == "cart-service"
    assert place("desk") == "the desk"
    assert short_name("feed:okx") == "okx"
    assert places(["market:okx:BTC", "market:binance:BTC", "host:h1"]) == "BTC on binance and okx and host h1"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed([]) == ""
