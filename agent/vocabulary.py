"""What a metric name and its labels say: kind of quantity, family, bad direction, role and home component."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from domain.series import Series, SeriesKey

Family = Literal["pnl", "execution", "market", "venue", "system", "log", "other"]
Badness = Literal["up", "down", "both"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A quantity that runbooks speak about.

    Args:
        name: the word used in signatures, such as `ack_latency`.
        family: the group it is counted under.
        bad: the direction in which it hurts.
        noun: how a sentence calls it.
    """

    name: str
    family: Family
    bad: Badness
    noun: str

    @property
    def is_outcome(self) -> bool:
        """Money is what an incident costs, never why it happened."""
        return self.family == "pnl"


# First match wins, so the special stands before the general. Patterns see snake_case words.
_PATTERNS: tuple[tuple[str, Kind], ...] = (
    # Levels and ratios that follow from gains: outcomes, but no money that adds up.
    (r"drawdown", Kind("drawdown", "pnl", "up", "drawdown")),
    (r"equity_curve|^equity(_usd)?$", Kind("equity", "pnl", "down", "equity")),
    (r"sharpe|sortino|calmar", Kind("sharpe", "pnl", "down", "return per risk")),
    (r"pnl|profit|p_and_l", Kind("pnl", "pnl", "down", "PnL")),
    (r"fee(s)?_(bps|rate|tier)|(maker|taker)_fee", Kind("fee_rate", "venue", "up", "fee rate")),
    (r"^(fees?|commissions?)(_usd|_paid)?$", Kind("fees_paid", "pnl", "up", "fees paid")),
    (r"^funding(_usd|_paid|_cost|_payment.*)?$", Kind("funding_paid", "pnl", "both", "funding paid")),
    (r"funding", Kind("funding_rate", "market", "both", "funding rate")),
    (r"slippage|shortfall|markout", Kind("slippage", "execution", "up", "slippage")),
    (r"^fills(_total|_count)?$|^fill_count$", Kind("fills", "execution", "both", "number of fills")),
    (r"^traded(_usd|_quote|_units)?$", Kind("turnover", "execution", "both", "turnover")),
    (r"fill_(ratio|rate)|fills_ratio", Kind("fill_ratio", "execution", "down", "fill ratio")),
    (r"hedge.*(lag|delay|latency|age)", Kind("hedge_lag", "execution", "up", "hedge lag")),
    (r"hedge.*(ratio|error|fail)", Kind("hedge_error", "execution", "up", "hedge errors")),
    (
        r"(position|risk)_limit|limit_(usage|utili[sz]ation|breach)",
        Kind("limit_use", "execution", "up", "limit use"),
    ),
    (
        r"mismatch|unreconciled|reconciliation|(position|balance)s?_(diff|difference|break)",
        Kind("mismatch", "execution", "both", "difference between books and venue"),
    ),
    (r"inventory|(net_)?position|exposure|net_delta", Kind("inventory", "execution", "both", "inventory")),
    (r"signal|alpha|information_coefficient", Kind("signal", "execution", "down", "signal strength")),
    (
        r"order_size|clip_size|lot_size|trade_size|notional_per_order",
        Kind("order_size", "execution", "both", "order size"),
    ),
    (r"reject", Kind("reject_ratio", "venue", "up", "order reject ratio")),
    (r"rate_limit|throttl|429", Kind("throttling", "venue", "up", "rate limiting")),
    (r"order.*(queue|backlog)|(queue|backlog).*order", Kind("order_queue", "venue", "up", "order queue")),
    (
        r"(order|ack|cancel|gateway).*(latency|rtt|delay|duration)",
        Kind("ack_latency", "venue", "up", "order acknowledgement latency"),
    ),
    (r"clock|ntp|time_(offset|drift|skew)", Kind("clock_offset", "system", "both", "clock offset")),
    (
        r"feed_age|staleness|stale|data_age|last_update|seconds_since",
        Kind("feed_age", "market", "up", "age of the newest quote"),
    ),
    (r"sequence_gap|missed_(messages|updates)|gaps?$", Kind("feed_gaps", "market", "up", "sequence gaps")),
    (r"duplicate", Kind("feed_duplicates", "market", "up", "doubled messages")),
    (r"repeats$", Kind("repeats", "market", "up", "repeated bars")),
    (r"heartbeat(s|_total|_count|_timestamp(_seconds)?)?$", Kind("heartbeat", "system", "down", "heartbeat")),
    (
        r"(feed|market_data|md|quote|tick|websocket).*(latency|delay|lag)",
        Kind("feed_latency", "market", "up", "feed latency"),
    ),
    (
        r"messages|msg|ticks|quote_(rate|count)|updates|feed_rate",
        Kind("feed_messages", "market", "down", "feed message rate"),
    ),
    (
        r"(risk|pre_trade|limit).*(latency|duration|delay|ms)$|check_latency",
        Kind("risk_latency", "system", "up", "risk-check latency"),
    ),
    (
        r"pool.*(wait|timeout|exhaust|pending)|connection_wait",
        Kind("pool_wait", "system", "up", "wait for a database connection"),
    ),
    (
        r"connections|pool_(use|size|in_use|active)",
        Kind("db_connections", "system", "up", "database connections"),
    ),
    (
        r"(db|database|sql|query|write|commit|lock).*(latency|duration|wait|time)",
        Kind("db_latency", "system", "up", "database latency"),
    ),
    (r"rows_examined|quer(y|ies)_(per|count)", Kind("db_load", "system", "up", "query load")),
    (r"cache_hit|hit_ratio", Kind("cache_hit", "system", "down", "cache hit ratio")),
    (
        r"gc(_|$)|garbage|stop_the_world|pause_ms",
        Kind("gc_pause", "system", "up", "garbage-collection pauses"),
    ),
    (r"oom", Kind("memory", "system", "up", "memory use")),
    (r"(^|_)(mem(ory)?|heap|rss|swap)(_|$)", Kind("memory", "system", "up", "memory use")),
    (r"(^|_)(cpu|load_average|load1|load5|steal)(_|$)", Kind("cpu", "system", "up", "CPU use")),
    (r"(^|_)(disk|filesystem|inode|volume_used|storage)", Kind("disk", "system", "up", "disk use")),
    (
        r"(network|packet|tcp|retrans|nic|interface).*(error|loss|drop|retrans)|packet_loss|retransmi",
        Kind("network_errors", "system", "up", "network errors"),
    ),
    (r"network|bytes_(sent|received|in|out)|syscall", Kind("traffic", "system", "both", "input and output")),
    (r"expiry|expires", Kind("expiry", "system", "down", "time to expiry")),
    (r"log_(lines|count|messages|novelty|error)", Kind("log_lines", "log", "up", "log lines")),
    (
        r"error|5xx|exception|panic|failure|failed|crash|restarts?(_|$)",
        Kind("errors", "system", "up", "errors"),
    ),
    (r"availab|success|(^|_)up$|uptime", Kind("availability", "system", "down", "availability")),
    (r"correl|cointegr|hedge_beta|r_squared", Kind("correlation", "market", "down", "correlation")),
    (r"(^|_)(basis|premium|depeg|peg)(_|$)", Kind("basis", "market", "both", "basis")),
    (r"liquidation", Kind("liquidations", "market", "up", "liquidations")),
    (r"open_interest", Kind("open_interest", "market", "both", "open interest")),
    (
        r"volatil|realized_vol|implied_vol|(^|_)vol(_|$)|(^|_)atr(_|$)",
        Kind("volatility", "market", "up", "volatility"),
    ),
    (r"queue|backlog|pending|consumer_lag", Kind("queue", "system", "up", "queue length")),
    (r"spread", Kind("spread", "market", "up", "spread")),
    (r"depth|liquidity|book_(size|usd)|top_of_book", Kind("depth", "market", "down", "book depth")),
    (r"volume|turnover|traded", Kind("volume", "market", "both", "volume")),
    (r"(^|_)ret(urn)?s?(_|$)", Kind("return", "market", "both", "return")),
    (r"price|(^|_)(mid|mark|last|close|bid|ask|index)(_|$)", Kind("price", "market", "both", "price")),
    (
        r"latency|duration|response_time|rtt|delay|(^|_)lag(_|$)|_wait",
        Kind("latency", "system", "up", "latency"),
    ),
    (r"orders?(_|$)|trades|fills|order_count", Kind("orders", "execution", "both", "order count")),
    (
        r"requests?|workload|throughput|qps|rps|ops|invocations|hits",
        Kind("requests", "system", "both", "request rate"),
    ),
)
_COMPILED = tuple((re.compile(pattern), kind) for pattern, kind in _PATTERNS)
KINDS = {kind.name: kind for _, kind in _PATTERNS}
OTHER = Kind("other", "other", "both", "value")

# A plain word means something special on a component of a known class.
_BY_CLASS: dict[tuple[str, str], str] = {
    ("latency", "gateway"): "ack_latency",
    ("latency", "feed"): "feed_latency",
    ("latency", "database"): "db_latency",
    ("latency", "service"): "risk_latency",
    ("queue", "gateway"): "order_queue",
    ("requests", "feed"): "feed_messages",
}
_CLASSES: tuple[tuple[str, str], ...] = (
    (r"^(strategy|strat|algo)(:|$)", "strategy"),
    (r"^(gateway|gw|oms|order_gateway)(:|$)", "gateway"),
    (r"^(feed|md|market_data)(:|$)", "feed"),
    (r"^(market|mkt|instrument)(:|$)", "market"),
    (r"^pair(:|$)", "pair"),
    (r"^(venue|exchange)(:|$)", "venue"),
    (r"^(host|node|server|machine)[\w-]*(:|$)", "host"),
    (r"^(database|db|postgres|mysql|redis)(:|$)", "database"),
    (r"^(service|svc|risk|app)(:|$)", "service"),
    (r"^(desk|book|portfolio)(:|$)", "desk"),
    (r"^source:", "source"),
)
_CLASS_PATTERNS = tuple((re.compile(pattern), name) for pattern, name in _CLASSES)


@lru_cache(maxsize=65_536)
def words(metric: str) -> str:
    """A metric name in snake_case: `PodServerLatencyP90(s)` becomes `pod_server_latency_p90_s`."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", metric)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


@lru_cache(maxsize=65_536)
def stem(metric: str) -> str:
    """A metric name without the statistic: `latency` for both `latency_p50` and `latency_Average`."""
    return re.sub(r"(^|_)(p\d+|avg|average|mean|median|max|min|sum)(?=_|$)", "", words(metric)).strip("_")


@lru_cache(maxsize=65_536)
def class_of(component: str) -> str:
    """The class of a component from its prefix: `gateway`, `feed`, `host`, ...; empty where unknown."""
    lowered = component.lower()
    return next((name for pattern, name in _CLASS_PATTERNS if pattern.search(lowered)), "")


@lru_cache(maxsize=65_536)
def kind_named(metric: str) -> Kind:
    """The kind that a metric name alone suggests; `other` where nothing fits."""
    text = words(metric)
    return next((kind for pattern, kind in _COMPILED if pattern.search(text)), OTHER)


@lru_cache(maxsize=65_536)
def component_of(key: SeriesKey) -> str:
    """The component that a series belongs to: its label `component`, else what kind and labels imply."""
    labels = dict(key.labels)
    if "component" in labels:
        return labels["component"]
    kind = kind_named(key.metric)
    venue = labels.get("venue") or labels.get("exchange")
    owner = _owner(labels, _OWNERS)
    if owner is None and venue:
        owner = _at_venue(kind, venue, labels.get("symbol"))
    owner = owner or _owner(labels, _PLACES)
    return owner or ("desk" if kind.is_outcome else f"metric:{key.metric}")


# Who owns a series goes before where it was measured.
_OWNERS = (("strategy", "strategy"), ("database", "database"), ("db", "database"), ("pair", "pair"))
_PLACES = (
    ("symbol", "market"),
    ("service", "service"),
    ("host", "host"),
    ("instance", "host"),
    ("job", "service"),
)


def _owner(labels: Mapping[str, str], prefixes: Sequence[tuple[str, str]]) -> str | None:
    return next((f"{prefix}:{labels[label]}" for label, prefix in prefixes if label in labels), None)


def _at_venue(kind: Kind, venue: str, symbol: str | None) -> str:
    if kind.name in {"ack_latency", "reject_ratio", "order_queue", "throttling"}:
        return f"gateway:{venue}"
    if kind.name.startswith("feed_"):
        return f"feed:{venue}"
    return f"market:{venue}:{symbol}" if symbol else f"venue:{venue}"


@lru_cache(maxsize=65_536)
def kind_of(key: SeriesKey) -> Kind:
    """The kind of a series: what its name says, made precise by the class of its component."""
    kind = kind_named(key.metric)
    special = _BY_CLASS.get((kind.name, class_of(component_of(key))))
    return KINDS[special] if special else kind


_UNITS = (
    (r"_ms$|_millis", "ms"),
    (r"_us$|_micros", "us"),
    (r"(_seconds|_secs|_s)$", "s"),
    (r"_bps$", "bps"),
    (r"(_usd|_usdt|_notional)$", "USD"),
    (r"percent|_pct$", "%"),
    (r"_bytes$", "bytes"),
    (r"_mi?b$", "MB"),
)


@lru_cache(maxsize=65_536)
def unit_named(metric: str) -> str:
    """The unit that a metric name ends in, empty where it gives none away."""
    text = words(metric)
    return next((unit for pattern, unit in _UNITS if re.search(pattern, text)), "")


def unit_of(series: Series) -> str:
    """The unit of a series: the registered one, else what its name says; money of profit is in USD."""
    if series.unit:
        return series.unit
    return unit_named(series.key.metric) or ("USD" if kind_of(series.key).name == "pnl" else "")


def family_of(key: SeriesKey) -> Family:
    """The family of a series, such as `execution` or `system`."""
    return kind_of(key).family


@lru_cache(maxsize=65_536)
def is_about_dependencies(metric: str) -> bool:
    """Whether a metric is what a component sees of those it calls: `client_latency`, `upstream_errors`."""
    return bool(_DEPENDENCY.search(words(metric)))


_DEPENDENCY = re.compile(r"(^|_)(client|upstream|outbound|outgoing|egress|dependency|remote)(_|$)")


def is_outcome(series: Series) -> bool:
    """Whether a series is a result in money, which can never be a cause."""
    return series.source == "pnl_data" or kind_of(series.key).is_outcome
