"""The metrics that the desk exposes: names, labels, units and digits, in a fixed order."""

from dataclasses import dataclass
from typing import Final

from collectors.simulator.layout import (
    BOOKS,
    DATABASE,
    HEDGERS,
    HOSTS,
    LINKS,
    PAIRS,
    PERPETUAL,
    SIGNALLERS,
    SYMBOLS,
    VENUES,
)
from domain.series import Series, SeriesKey, SourceName

Labels = dict[str, str]

_LINKS: Final = [{"strategy": s, "venue": v} for s, v in LINKS]
_BOOKS: Final = [{"strategy": s, "symbol": y} for s, y in BOOKS]
_MARKETS: Final = [{"venue": v, "symbol": s} for v in VENUES for s in SYMBOLS]
_PERPETUALS: Final = [
    {"venue": v, "symbol": s}
    for v, perpetual in zip(VENUES, PERPETUAL, strict=True)
    if perpetual
    for s in SYMBOLS
]
_VENUES: Final = [{"venue": v} for v in VENUES]
_HOSTS: Final = [{"host": h} for h in HOSTS]
_DATABASES: Final = [{"database": DATABASE}]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with all its label sets; `digits` is what the exporter rounds to."""

    name: str
    source: SourceName
    unit: str
    digits: int
    labels: list[Labels]
    help: str


METRICS: Final = (
    Metric("orders", "trading_metrics", "orders", 0, _LINKS, "Orders sent in the interval."),
    Metric("fill_ratio", "trading_metrics", "ratio", 4, _LINKS, "Share of orders that filled."),
    Metric("slippage_bps", "trading_metrics", "bps", 3, _LINKS, "Cost against the price at decision."),
    Metric("inventory_usd", "trading_metrics", "USD", 0, _BOOKS, "Net position at the end of the interval."),
    Metric("order_size", "trading_metrics", "USD", 1, _BOOKS, "Mean notional of an order."),
    Metric(
        "hedge_lag_ms", "trading_metrics", "ms", 2, [{"strategy": s} for s in HEDGERS], "From fill to hedge."
    ),
    Metric(
        "signal_strength",
        "trading_metrics",
        "",
        4,
        [{"strategy": s} for s in SIGNALLERS],
        "Size of the signal.",
    ),
    Metric("order_ack_latency_ms", "trading_metrics", "ms", 2, _VENUES, "Median time to acknowledgement."),
    Metric("order_reject_ratio", "trading_metrics", "ratio", 5, _VENUES, "Share of orders rejected."),
    Metric("order_queue_depth", "trading_metrics", "orders", 2, _VENUES, "Mean orders waiting to be sent."),
    Metric("price", "market_data", "USD", 4, _MARKETS, "Last price of the interval."),
    Metric("return_bps", "market_data", "bps", 3, _MARKETS, "Log return over the interval."),
    Metric("realized_volatility_bps", "market_data", "bps", 3, _MARKETS, "Volatility inside the interval."),
    Metric("spread_bps", "market_data", "bps", 4, _MARKETS, "Mean quoted spread."),
    Metric("volume_usd", "market_data", "USD", 0, _MARKETS, "Volume traded in the interval."),
    Metric("depth_usd", "market_data", "USD", 0, _MARKETS, "Resting volume within ten basis points."),
    Metric("funding_rate_bps", "market_data", "bps", 3, _PERPETUALS, "Predicted funding for eight hours."),
    Metric("feed_latency_ms", "market_data", "ms", 2, _VENUES, "Median delay of market data."),
    Metric("feed_messages", "market_data", "messages", 0, _VENUES, "Messages received in the interval."),
    Metric("feed_age_seconds", "market_data", "s", 3, _VENUES, "Age of the last message."),
    Metric(
        "pair_correlation",
        "market_data",
        "",
        4,
        [{"pair": f"{a}-{b}"} for a, b in PAIRS],
        "Correlation of ten-second returns inside the interval.",
    ),
    Metric("cpu_percent", "system_metrics", "percent", 2, _HOSTS, "Busy share of the processors."),
    Metric("memory_percent", "system_metrics", "percent", 2, _HOSTS, "Memory in use."),
    Metric("disk_percent", "system_metrics", "percent", 2, _HOSTS, "Disk space in use."),
    Metric("gc_pause_ms", "system_metrics", "ms", 2, _HOSTS, "Longest garbage collection."),
    Metric("network_errors", "system_metrics", "errors", 0, _HOSTS, "Transmission errors in the interval."),
    Metric("db_write_latency_ms", "system_metrics", "ms", 3, _DATABASES, "Median write."),
    Metric("db_connections", "system_metrics", "connections", 0, _DATABASES, "Connections in use."),
    Metric("db_pool_wait_ms", "system_metrics", "ms", 3, _DATABASES, "Mean wait for a connection."),
    Metric(
        "risk_check_latency_ms", "system_metrics", "ms", 3, [{"service": "risk"}], "Median pre-trade check."
    ),
)

SERIES: Final = tuple(
    Series(0, SeriesKey.of(metric.name, labels), metric.source, metric.unit)
    for metric in METRICS
    for labels in metric.labels
)
"""Every exposed series, in the order of the columns of a block."""
