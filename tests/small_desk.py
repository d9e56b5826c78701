"""A small desk with a day of history, and incidents whose cause is known: data for tests of diagnoses.

Effects are what a desk would see by common sense: a slow gateway acknowledges late, so hedges lag, fills
get worse and money is lost. Sizes vary with the seed; every desk has the rhythm of a day, noise with a
memory, and blips that mean nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from agent.evidence.case import Case, LogCounts
from agent.topology import default_edges, discovered_edges, joined
from domain.event import Event
from domain.series import FloatArray, Series, SeriesKey, SourceName, Window
from domain.topology import Strategy, Topology

START = datetime(2026, 3, 1, tzinfo=UTC)
STRATEGIES = (
    Strategy(name="maker", venues=("binance", "bybit"), symbols=("BTC",), host="trade-1"),
    Strategy(name="arb", venues=("binance", "okx"), symbols=("BTC", "ETH"), host="trade-1"),
    Strategy(name="carry", venues=("bybit",), symbols=("ETH",), host="trade-2"),
    Strategy(name="momentum", venues=("okx",), symbols=("SOL",), host="trade-2"),
    Strategy(name="pairs", venues=("okx",), symbols=("BTC", "ETH"), host="trade-2"),
)
VENUES, SYMBOLS, HOSTS = ("binance", "bybit", "okx"), ("BTC", "ETH", "SOL"), ("trade-1", "trade-2")
PAIR = "BTC-ETH"
Key = tuple[str, ...]


@dataclass
class Desk:
    """Rows by (metric, label values...), in the order in which labels are written below."""

    columns: int
    step_s: int
    rng: np.random.Generator
    series: dict[Key, Series] = field(default_factory=dict)
    values: dict[Key, FloatArray] = field(default_factory=dict)
    logs: dict[tuple[str, str, str], FloatArray] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def add(self, metric: str, level: float, noise: float, source: SourceName, **labels: str) -> None:
        """A series around a level, with the rhythm of the day and noise that remembers."""
        key = (metric, *labels.values())
        self.series[key] = Series(0, SeriesKey.of(metric, labels), source, "", self.step_s)
        shocks = self.rng.standard_t(5, self.columns) * noise
        memory = 0.4
        path = np.empty(self.columns)
        path[0] = shocks[0]
        for i in range(1, self.columns):
            path[i] = memory * path[i - 1] + shocks[i]
        day = 1 + 0.1 * np.sin(2 * np.pi * np.arange(self.columns) * self.step_s / 86_400)
        self.values[key] = level * day * np.exp(path) if metric not in SIGNED else level * day + path

    def window(self) -> Window:
        """All rows as a window, sorted by name."""
        keys = sorted(self.series, key=lambda key: self.series[key].key)
        return Window(
            tuple(self.series[key] for key in keys),
            self.step_s,
            START,
            np.array([self.values[key] for key in keys]),
        )

    def scale(self, key: Key, factor: float, first: int, last: int | None = None) -> None:
        """Multiply a row from a column on."""
        self.values[key][first:last] *= factor

    def lose(self, strategy: str, share: float, first: int) -> None:
        """Take money: so many usual gains per column."""
        key = next(key for key in self.values if key[:2] == ("pnl", strategy))
        usual = float(np.median(np.abs(self.values[key][:first])))
        self.values[key][first:] -= share * usual

    def log(self, component: str, level: str, template: str, per_step: float, first: int) -> None:
        """Lines that appear from a column on."""
        counts = np.zeros(self.columns)
        counts[first:] = self.rng.poisson(per_step, self.columns - first)
        self.logs[component, level, template] = counts


SIGNED = {"pnl", "funding_rate_bps", "return_bps", "inventory_usd", "pair_correlation"}


def quiet_desk(seed: int, step_s: int = 300, columns: int = 288) -> Desk:
    """A desk with nothing wrong."""
    desk = Desk(columns, step_s, np.random.default_rng(seed))
    for one in STRATEGIES:
        labels = {"strategy": one.name}
        venue, symbol = one.venues[0], one.symbols[0]
        desk.add("pnl", 40, 18, "pnl_data", **labels, venue=venue, symbol=symbol)
        desk.add("orders", 60, 0.12, "trading_metrics", **labels, venue=venue)
        desk.add("fill_ratio", 0.4, 0.05, "trading_metrics", **labels, venue=venue)
        desk.add("slippage_bps", 0.5, 0.12, "trading_metrics", **labels, venue=venue)
        desk.add("inventory_usd", 0, 8_000, "trading_metrics", **labels, symbol=symbol)
        desk.add("order_size", 0.2, 0.08, "trading_metrics", **labels, symbol=symbol)
        desk.add("hedge_lag_ms", 25, 0.15, "trading_metrics", **labels)
        desk.add("signal_strength", 1.0, 0.12, "trading_metrics", **labels)
    for venue in VENUES:
        _add_venue(desk, venue)
    desk.add("pair_correlation", 0.9, 0.02, "market_data", pair=PAIR)
    for host in HOSTS:
        for metric, level in (("cpu_percent", 35.0), ("memory_percent", 55.0), ("gc_pause_ms", 8.0)):
            desk.add(metric, level, 0.06, "system_metrics", host=host)
        desk.add("disk_percent", 60, 0.005, "system_metrics", host=host)
        desk.add("network_errors", 2, 0.4, "system_metrics", host=host)
    for metric, level in (
        ("db_write_latency_ms", 4.0),
        ("db_connections", 20.0),
        ("db_pool_wait_ms", 0.5),
    ):
        desk.add(metric, level, 0.12, "system_metrics", database="orders")
    desk.add("risk_check_latency_ms", 1.5, 0.1, "system_metrics", service="risk")
    _add_blips(desk)
    return desk


def _add_venue(desk: Desk, venue: str) -> None:
    desk.add("order_ack_latency_ms", 12, 0.12, "trading_metrics", venue=venue)
    desk.add("order_reject_ratio", 0.01, 0.3, "trading_metrics", venue=venue)
    desk.add("order_queue_depth", 15, 0.2, "trading_metrics", venue=venue)
    desk.add("feed_latency_ms", 6, 0.12, "market_data", venue=venue)
    desk.add("feed_messages", 9_000, 0.08, "market_data", venue=venue)
    desk.add("feed_age_seconds", 0.4, 0.15, "market_data", venue=venue)
    for symbol, price in zip(SYMBOLS, (60_000.0, 3_000.0, 150.0), strict=True):
        labels = {"venue": venue, "symbol": symbol}
        desk.add("return_bps", 0, 6, "market_data", **labels)
        desk.add("realized_volatility_bps", 20, 0.12, "market_data", **labels)
        desk.add("spread_bps", 1.2, 0.08, "market_data", **labels)
        desk.add("volume_usd", 2e6, 0.25, "market_data", **labels)
        desk.add("depth_usd", 3e6, 0.1, "market_data", **labels)
        desk.add("funding_rate_bps", 1, 0.15, "market_data", **labels)
        desk.add("price", price, 0.0, "market_data", **labels)
        walk = np.cumsum(desk.values["return_bps", venue, symbol]) / 1e4
        desk.values["price", venue, symbol] = price * np.exp(walk - walk[0])


def _add_blips(desk: Desk) -> None:
    keys = sorted(key for key in desk.values if key[0] != "pnl")
    for _ in range(6):
        key = keys[int(desk.rng.integers(len(keys)))]
        at = int(desk.rng.integers(20, desk.columns - 2))
        desk.values[key][at : at + 2] *= desk.rng.uniform(1.2, 1.6)


def _slow_gateway(desk: Desk, t: int, size: float) -> None:
    desk.scale(("order_ack_latency_ms", "binance"), 6 * size, t)
    desk.scale(("order_queue_depth", "binance"), 3 * size, t)
    for name in ("maker", "arb"):
        desk.scale(("hedge_lag_ms", name), 2.5 * size, t)
        desk.scale(("fill_ratio", name, "binance"), 0.65, t)
        desk.scale(("slippage_bps", name, "binance"), 2 * size, t)
        desk.lose(name, 3 * size, t)
    desk.log("gateway:binance", "WARN", "order ack after <*> ms, retrying", 9, t)


def _funding(desk: Desk, t: int, size: float) -> None:
    desk.values["funding_rate_bps", "bybit", "ETH"][t:] += 8 * size
    desk.lose("carry", 4 * size, t)


def _volatile(desk: Desk, t: int, size: float) -> None:
    for venue in VENUES:
        for symbol in SYMBOLS:
            desk.scale(("realized_volatility_bps", venue, symbol), 2.5 * size, t)
            desk.scale(("return_bps", venue, symbol), 2.5 * size, t)
            desk.scale(("spread_bps", venue, symbol), 1.4, t)
            desk.scale(("volume_usd", venue, symbol), 1.7, t)
    for one in STRATEGIES:
        desk.scale(("slippage_bps", one.name, one.venues[0]), 1.6, t)
        desk.lose(one.name, 2 * size, t)


def _drained(desk: Desk, t: int, size: float) -> None:
    desk.scale(("depth_usd", "binance", "BTC"), 0.35 / size, t)
    desk.scale(("spread_bps", "binance", "BTC"), 1.8 * size, t)
    for name in ("maker", "arb"):
        desk.scale(("slippage_bps", name, "binance"), 2 * size, t)
        desk.scale(("fill_ratio", name, "binance"), 0.8, t)
        desk.lose(name, 3 * size, t)


def _pool(desk: Desk, t: int, size: float) -> None:
    desk.scale(("db_pool_wait_ms", "orders"), 60 * size, t)
    desk.scale(("db_connections", "orders"), 4, t)
    desk.scale(("db_write_latency_ms", "orders"), 2 * size, t)
    desk.scale(("risk_check_latency_ms", "risk"), 3 * size, t)
    for one in STRATEGIES:
        desk.scale(("orders", one.name, one.venues[0]), 0.7, t)
        desk.scale(("hedge_lag_ms", one.name), 1.4, t)
        desk.lose(one.name, 2 * size, t)
    desk.log("database:orders", "ERROR", "QueuePool limit of size <*> reached, connection timed out", 6, t)


def _deploy(desk: Desk, t: int, size: float) -> None:
    desk.scale(("order_size", "maker", "BTC"), 1.7 * size, t)
    desk.scale(("slippage_bps", "maker", "binance"), 2 * size, t)
    desk.scale(("fill_ratio", "maker", "binance"), 0.6, t)
    desk.lose("maker", 4 * size, t)
    desk.events.append(_event(desk, t - 1, "deploy", "strategy:maker", "maker 4.2.0 released"))
    desk.log("strategy:maker", "ERROR", "KeyError in quote config section <*>", 3, t)


def _stale(desk: Desk, t: int, size: float) -> None:
    desk.scale(("feed_age_seconds", "okx"), 25 * size, t)
    desk.scale(("feed_messages", "okx"), 0.15, t)
    desk.scale(("feed_latency_ms", "okx"), 3 * size, t)
    for symbol in SYMBOLS:
        desk.values["price", "okx", symbol][t:] = desk.values["price", "okx", symbol][t - 1]
    for name in ("momentum", "pairs"):
        desk.scale(("slippage_bps", name, "okx"), 2 * size, t)
        desk.lose(name, 3 * size, t)
    desk.log("feed:okx", "WARN", "websocket heartbeat missed, reconnecting", 4, t)


def _silent(desk: Desk, t: int, size: float) -> None:
    desk.values["orders", "momentum", "okx"][t:] = 0.0
    desk.values["fill_ratio", "momentum", "okx"][t:] = np.nan
    desk.values["slippage_bps", "momentum", "okx"][t:] = np.nan
    desk.values["pnl", "momentum", "okx", "SOL"][t:] = 0.0


def _pump(desk: Desk, t: int, size: float) -> None:
    length = desk.columns - t
    desk.scale(("volume_usd", "okx", "SOL"), 12 * size, t)
    desk.scale(("realized_volatility_bps", "okx", "SOL"), 4 * size, t)
    desk.scale(("spread_bps", "okx", "SOL"), 1.8, t)
    rise = np.minimum(np.arange(1, length + 1) / max(length * 0.6, 1), 1.0) * 0.12 * size
    desk.values["price", "okx", "SOL"][t:] *= 1 + rise
    desk.values["return_bps", "okx", "SOL"][t:] += 60 * size
    desk.values["inventory_usd", "momentum", "SOL"][t:] += 90_000
    desk.lose("momentum", 4 * size, t)


def _crash(desk: Desk, t: int, size: float) -> None:
    for venue in VENUES:
        desk.values["return_bps", venue, "ETH"][t : t + 2] -= 250 * size
        desk.values["return_bps", venue, "ETH"][t + 2 : t + 4] += 200 * size
        desk.values["price", venue, "ETH"][t : t + 3] *= 1 - 0.05 * size
        desk.scale(("realized_volatility_bps", venue, "ETH"), 5 * size, t)
        desk.scale(("depth_usd", venue, "ETH"), 0.3, t)
        desk.scale(("spread_bps", venue, "ETH"), 3 * size, t)
        desk.scale(("volume_usd", venue, "ETH"), 3 * size, t)
    desk.scale(("slippage_bps", "carry", "bybit"), 2.5 * size, t)
    desk.lose("carry", 5 * size, t)


def _broken_pair(desk: Desk, t: int, size: float) -> None:
    desk.values["pair_correlation", PAIR][t:] -= 0.5 * size
    desk.values["inventory_usd", "pairs", "BTC"][t:] += 40_000 * size
    desk.lose("pairs", 4 * size, t)


def _fat_finger(desk: Desk, t: int, size: float) -> None:
    desk.scale(("order_size", "maker", "BTC"), 12 * size, t, t + 2)
    desk.values["inventory_usd", "maker", "BTC"][t:] += 300_000 * size
    desk.scale(("slippage_bps", "maker", "binance"), 4 * size, t, t + 2)
    desk.lose("maker", 5 * size, t)


INCIDENTS: Mapping[str, tuple[Callable[[Desk, int, float], None], str]] = {
    "venue_gateway_latency": (_slow_gateway, "maker"),
    "funding_shock": (_funding, "carry"),
    "volatility_regime_shift": (_volatile, "arb"),
    "liquidity_drain": (_drained, "maker"),
    "connection_pool_exhaustion": (_pool, "arb"),
    "bad_deploy": (_deploy, "maker"),
    "stale_feed": (_stale, "pairs"),
    "silent_strategy": (_silent, "momentum"),
    "pump_and_dump": (_pump, "momentum"),
    "flash_crash": (_crash, "carry"),
    "correlation_breakdown": (_broken_pair, "pairs"),
    "fat_finger": (_fat_finger, "maker"),
}


def _event(desk: Desk, column: int, kind: str, component: str, text: str) -> Event:
    at = START + timedelta(seconds=column * desk.step_s)
    source: SourceName = "news" if kind == "news" else "events"
    return Event(timestamp=at, source=source, text=text, labels={"kind": kind, "component": component})


def add_decoys(desk: Desk, t: int) -> None:
    """Events shortly before the onset that have nothing to do with it, on components that are fine."""
    desk.events.append(_event(desk, t - 1, "deploy", "strategy:idle", "idle 1.0 released"))
    desk.events.append(_event(desk, t - 2, "config_change", "host:trade-9", "log retention changed"))
    desk.events.append(_event(desk, t - 1, "news", "", "Analyst raises BTC target"))


def case_of(desk: Desk, strategy: str, first: int, *, topology: bool = True) -> Case:
    """The case of one strategy's PnL from a column on."""
    window = desk.window()
    target = next(one.name for key, one in desk.series.items() if key[:2] == ("pnl", strategy))
    keys = [one.key for one in window.series]
    graph = joined(default_edges(STRATEGIES), discovered_edges(keys, STRATEGIES)) if topology else Topology()
    micros = np.array(
        [
            int((START + timedelta(seconds=i * desk.step_s)).timestamp()) * 1_000_000
            for i in range(desk.columns)
        ]
    )
    logs = [
        LogCounts(*key, micros[counts > 0], counts[counts > 0].astype(np.int64))
        for key, counts in desk.logs.items()
    ]
    return Case(
        targets=(target,),
        start=window.time_at(first),
        end=window.end,
        window=window,
        topology=graph,
        logs=logs,
        events=tuple(desk.events),
    )


def incident(kind: str, seed: int, step_s: int = 300, *, decoys: bool = False) -> Case:
    """A case with a known cause; onset, size and noise come from the seed."""
    desk = quiet_desk(seed, step_s)
    rng = np.random.default_rng([seed, 17])
    onset = desk.columns - int(rng.integers(4, 9) if step_s >= 300 else rng.integers(8, 25))
    happen, strategy = INCIDENTS[kind]
    if decoys:
        add_decoys(desk, onset)
    happen(desk, onset, float(rng.uniform(0.8, 1.5)))
    return case_of(desk, strategy, onset + 1)
