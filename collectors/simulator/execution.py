"""Machines and execution: gateways, database, risk service, hosts, and how orders fare through them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.simulator.layout import (
    BOOK_STRATEGY,
    BOOK_SYMBOL,
    CELL_BOOK,
    CELL_LINK,
    CELL_STRATEGY,
    HEDGERS,
    LINK_STRATEGY,
    LINK_VENUE,
    LINKS,
    MAX_CONNECTIONS,
    PLANS,
    STRATEGIES,
    STRATEGY_HOST,
    plan_column,
    style_mask,
)
from collectors.simulator.market import Market, day_share
from collectors.simulator.noise import Draws
from collectors.simulator.season import nightly_job
from domain.series import FloatArray, IntArray

Stress = dict[str, FloatArray]

_ACK_MS: Final = np.array([9.0, 16.0, 13.0])
_RISK_MS: Final = 2.2
_CPU: Final = np.array([31.0, 42.0, 36.0])
_CPU_LOAD: Final = np.array([7.0, 8.5, 5.5])
_CPU_JOB: Final = np.array([0.0, 0.0, 7.0])
_MEMORY: Final = np.array([38.0, 52.0, 47.0])
_DISK: Final = np.array([41.0, 55.0, 48.0])
_HOME_VOLATILITY: Final = np.array([11.0, 14.5, 20.0])
_HOME_DEPTH: Final = np.array([[2.6e6, 1.5e6, 0.55e6], [1.7e6, 1.0e6, 0.38e6], [1.4e6, 0.85e6, 0.31e6]])
_SILENT: Final = -8.0


@dataclass(frozen=True, slots=True)
class Platform:
    """Systems by venue (gateways), host or alone; milliseconds, percent and counts."""

    ack_ms: FloatArray
    reject: FloatArray
    queue: FloatArray
    risk_ms: FloatArray
    connections: FloatArray
    pool_wait_ms: FloatArray
    database_ms: FloatArray
    cpu: FloatArray
    memory: FloatArray
    disk: FloatArray
    gc_ms: FloatArray
    network: FloatArray
    delay: FloatArray


@dataclass(frozen=True, slots=True)
class Execution:
    """How orders fared: by link (strategy, venue), by book (strategy, symbol), by cell (all three)."""

    orders: FloatArray
    fill_ratio: FloatArray
    slippage_bps: FloatArray
    hedge_ms: FloatArray
    order_size: FloatArray
    notional: FloatArray


def link_activity(market: Market, draws: Draws, stress: Stress) -> FloatArray:
    """Log of orders against an average weekday, shape (n, link)."""
    activity: FloatArray = (
        0.55 * market.season[:, None]
        + 0.25 * _of_links(market.excess)
        + 0.10 * draws.persistent["activity"]
        + 0.08 * draws.white["activity"]
        + stress["activity"]
    )
    return activity


def platform_of(
    steps: IntArray, market: Market, draws: Draws, stress: Stress, activity: FloatArray
) -> Platform:
    """The state of gateways, database, risk service and hosts."""
    ar, white, heavy = draws.persistent, draws.white, draws.heavy
    load = market.load[:, None]
    ack = _ACK_MS * np.exp(0.12 * load + 0.07 * ar["ack"] + 0.05 * heavy["ack"] + stress["gateway_latency"])
    late = np.log(ack / _ACK_MS)
    job = nightly_job(steps)[:, None]
    connections = 17 + 3 * job + 4 * load + 1.6 * ar["database"][:, :1] + stress["connections"]
    pool = 0.35 * np.exp(0.25 * load + 0.18 * white["database"][:, 1:2] + stress["pool_wait"])
    risk = _RISK_MS * np.exp(0.08 * load + 0.07 * ar["risk"] + 0.04 * heavy["risk"]) + 0.85 * (pool - 0.35)
    busy = _host_activity(activity)
    cpu = _CPU + _CPU_LOAD * busy + 1.6 * ar["cpu"] + 1.1 * white["cpu"] + stress["cpu"] + _CPU_JOB * job
    memory = _MEMORY + 2.2 * ar["memory"] + 3.0 * day_share(steps)[:, None] + stress["memory"]
    return Platform(
        ack_ms=ack,
        reject=_sigmoid(
            -5.1 + 0.20 * ar["reject"] + 0.12 * white["reject"] + 0.35 * late + stress["gateway_reject"]
        ),
        queue=3.2 * np.exp(0.5 * load + 0.55 * late + 0.12 * white["queue"] + stress["queue"]),
        risk_ms=np.maximum(risk, 0.4),
        connections=np.minimum(np.maximum(np.round(connections), 4.0), float(MAX_CONNECTIONS)),
        pool_wait_ms=pool,
        database_ms=3.6
        * np.exp(
            0.18 * load
            + 0.30 * job
            + 0.08 * ar["database"][:, 1:2]
            + 0.06 * white["database"][:, 2:3]
            + stress["database_latency"]
        ),
        cpu=np.clip(cpu, 2, 99.5),
        memory=np.clip(memory, 5, 98),
        disk=_DISK + 2.5 * day_share(steps)[:, None] + 0.15 * white["disk"],
        gc_ms=6.5 * np.exp(0.02 * (cpu - _CPU) + 0.18 * heavy["gc"] + stress["gc"]),
        network=np.floor(np.maximum(white["network"] * 1.1 - 0.6, 0) + stress["network"]),
        delay=np.maximum((ack + 0.6 * risk) / (_ACK_MS + 0.6 * _RISK_MS), 0.3),
    )


def _host_activity(activity: FloatArray) -> FloatArray:
    hosts = STRATEGY_HOST[LINK_STRATEGY]
    shares = np.clip(activity, -1.5, 3.0)
    gateways = shares.mean(axis=1)
    return np.stack([gateways, *(shares[:, hosts == host].mean(axis=1) for host in (1, 2))], axis=1)


def execution_of(
    market: Market, platform: Platform, draws: Draws, stress: Stress, activity: FloatArray
) -> Execution:
    """Orders, fills and costs of every strategy, given the market and the machines."""
    white = draws.white
    orders = np.round(plan_column("orders", LINK_STRATEGY) * np.exp(activity))
    orders[activity < _SILENT] = 0
    delay = platform.delay[:, LINK_VENUE]
    late = np.log(np.maximum(delay, 1.0))
    size = plan_column("size_usd", BOOK_STRATEGY) * np.exp(
        0.05 * draws.persistent["size"] + 0.03 * white["size"] + stress["order_size"]
    )
    thin = _thinness(market)
    base_fill = plan_column("fill", LINK_STRATEGY)
    fill = _sigmoid(
        np.log(base_fill / (1 - base_fill))
        + 0.10 * draws.persistent["fill"]
        + 0.07 * white["fill"]
        - 0.75 * late
        - 0.25 * thin
        + stress["fill"]
    )
    notional = (orders[:, CELL_LINK] * _SYMBOL_SHARE * fill[:, CELL_LINK]) * size[:, CELL_BOOK]
    return Execution(
        orders=orders,
        fill_ratio=fill,
        slippage_bps=_slippage(market, delay, thin, draws, stress),
        hedge_ms=_hedge_lag(platform, white["hedge"]),
        order_size=size,
        notional=notional,
    )


def _symbol_share() -> FloatArray:
    shares: FloatArray = np.array([1 / len(plan.symbols) for plan in PLANS])[CELL_STRATEGY]
    return shares


_SYMBOL_SHARE: Final = _symbol_share()


_LINK_SYMBOLS: Final = [
    [BOOK_SYMBOL[book] for book in np.flatnonzero(strategy == BOOK_STRATEGY)] for strategy in LINK_STRATEGY
]


def _of_links(by_symbol: FloatArray) -> FloatArray:
    """The mean over the symbols that each link trades, shape (n, link)."""
    return np.stack([by_symbol[:, symbols].mean(axis=1) for symbols in _LINK_SYMBOLS], axis=1)


def _thinness(market: Market) -> FloatArray:
    """Log of how much depth is missing on the symbols of each link, never negative."""
    missing = np.maximum(np.log(_HOME_DEPTH / market.depth), 0)
    columns = [missing[:, LINK_VENUE[i], _LINK_SYMBOLS[i]] for i in range(len(LINKS))]
    return np.stack([column.mean(axis=1) for column in columns], axis=1)


def _slippage(
    market: Market, delay: FloatArray, thin: FloatArray, draws: Draws, stress: Stress
) -> FloatArray:
    rough = _of_links(market.volatility_bps / _HOME_VOLATILITY)
    base = plan_column("slippage_bps", LINK_STRATEGY)
    waiting = plan_column("latency_cost", LINK_STRATEGY) * np.maximum(delay - 1.15, 0) ** 0.8
    # Whoever quotes in a storm is hit by those who know more; the cost grows ever slower with the storm.
    toxic = np.where(style_mask("market_making", LINK_STRATEGY), 2.6, 2.0)
    adverse = toxic * np.log1p(np.maximum(rough - 1.7, 0) / 2)
    slippage: FloatArray = (
        base * rough**0.7
        + adverse
        + waiting * np.clip(rough, 0.6, 2) ** 0.5
        + 1.3 * thin**1.6
        + 0.10 * (1 + base) * draws.heavy["slippage"]
        + stress["slippage"]
    )
    return slippage


def _hedge_lag(platform: Platform, noise: FloatArray) -> FloatArray:
    lags = []
    for i, name in enumerate(HEDGERS):
        venues = LINK_VENUE[STRATEGIES.index(name) == LINK_STRATEGY]
        slowest = platform.ack_ms[:, venues].max(axis=1)
        lags.append((1.3 * slowest + 3.0 * platform.risk_ms[:, 0] + 4.0) * np.exp(0.07 * noise[:, i]))
    return np.stack(lags, axis=1)


def _sigmoid(x: FloatArray) -> FloatArray:
    out: FloatArray = 1 / (1 + np.exp(-x))
    return out
