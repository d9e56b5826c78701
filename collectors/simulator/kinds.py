"""What can go wrong on the desk: each kind of incident as physical effects on the component that fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from types import MappingProxyType
from typing import Final

from collectors.simulator.layout import (
    BOOKS,
    DATABASE,
    GATEWAY_HOST,
    HOSTS,
    LINKS,
    PLANS,
    STRATEGIES,
    SYMBOLS,
    VENUES,
    strategy_books,
    strategy_links,
    venue_links,
)
from collectors.simulator.stress import Effect


def _gateway_latency(target: str) -> list[Effect]:
    v = VENUES.index(target)
    return [
        Effect("gateway_latency", (v,), log(13.0)),
        Effect("queue", (v,), 1.1, delay_s=60),
        Effect("gateway_reject", (v,), 2.0, delay_s=60),
        Effect("network", (HOSTS.index(GATEWAY_HOST),), 6.0, delay_s=30),
    ]


def _funding_shock(target: str) -> list[Effect]:
    v = VENUES.index(target)
    # The desk is short on bybit and long on okx: the shock is the one that hurts the leg it holds there.
    sign = -1.0 if target == "bybit" else 1.0
    link = LINKS.index(("carry_perp", target))
    effects = [
        Effect("activity", (link,), 1.1, delay_s=240, ramp_s=400),
        Effect("slippage", (link,), 4.0, delay_s=240, ramp_s=400),
    ]
    for s, share in enumerate((1.0, 0.9, 1.25)):
        effects += [
            Effect("funding", (v, s), sign * 95.0 * share, ramp_s=240, tail_s=900),
            Effect("displacement", (v, s), -sign * 9.0 * share, delay_s=180, ramp_s=900, tail_s=5000),
            Effect("log_volume", (v, s), 0.9, delay_s=120, tail_s=900),
            Effect("log_spread", (v, s), 0.45, delay_s=120),
        ]
    return effects


def _volatility_regime_shift(_target: str) -> list[Effect]:
    return [
        Effect("log_volatility", (), log(5.0), ramp_s=420, tail_s=1200),
        Effect("edge", (), -0.6, delay_s=300, ramp_s=600),
    ]


def _liquidity_drain(target: str) -> list[Effect]:
    v = VENUES.index(target)
    effects = [
        Effect("log_depth", (v,), -2.5, ramp_s=240, tail_s=800),
        Effect("log_spread", (v,), 0.8, ramp_s=240, tail_s=800),
        Effect("log_volume", (v,), -0.5, delay_s=120, ramp_s=400),
    ]
    return effects + [Effect("fill", (link,), -0.6, delay_s=120) for link in venue_links(target)]


def _connection_pool_exhaustion(_target: str) -> list[Effect]:
    effects = [
        Effect("connections", (), 60.0, ramp_s=300, tail_s=120),
        Effect("pool_wait", (), log(1000.0), delay_s=150, ramp_s=300, tail_s=60),
        Effect("database_latency", (), log(4.5), delay_s=100, ramp_s=300, tail_s=120),
    ]
    # Strategies stand still while the risk service waits for the database.
    return [*effects, Effect("activity", (), -0.7, delay_s=300, ramp_s=300, tail_s=120)]


def _bad_deploy(target: str) -> list[Effect]:
    k = STRATEGIES.index(target)
    host = HOSTS.index(PLANS[k].host)
    effects = [
        Effect("cpu", (host,), 30.0, delay_s=30, ramp_s=60, tail_s=90),
        Effect("gc", (host,), log(6.0), delay_s=30, ramp_s=60, tail_s=90),
        Effect("memory", (host,), 14.0, "grow", delay_s=30, tail_s=120),
        Effect("edge", (k,), -2.0, delay_s=60, ramp_s=120, tail_s=90),
    ]
    for link in strategy_links(target):
        effects += [
            Effect("slippage", (link,), 5.5, delay_s=60, ramp_s=120, tail_s=90),
            Effect("fill", (link,), -1.1, delay_s=60, ramp_s=120, tail_s=90),
            Effect("activity", (link,), 0.7, delay_s=60, ramp_s=120, tail_s=90),
        ]
    return effects


def _stale_feed(target: str) -> list[Effect]:
    v = VENUES.index(target)
    effects = [Effect("feed_stall", (v,), 1.5, ramp_s=10, tail_s=5)]
    for link in venue_links(target):
        effects += [
            Effect("slippage", (link,), 8.5, delay_s=60, ramp_s=200, tail_s=60),
            Effect("fill", (link,), -0.5, delay_s=60, ramp_s=200, tail_s=60),
            Effect("activity", (link,), -1.1, delay_s=600, ramp_s=300, tail_s=60),
        ]
    return effects


def _silent_strategy(target: str) -> list[Effect]:
    k = STRATEGIES.index(target)
    host = HOSTS.index(PLANS[k].host)
    effects = [
        Effect("hold", (k,), 1.0, ramp_s=20, tail_s=60),
        Effect("cpu", (host,), -6.0, delay_s=30, ramp_s=60),
    ]
    effects += [Effect("activity", (i,), -60.0, ramp_s=20, tail_s=5) for i in strategy_links(target)]
    # It hung with one leg filled: the position stays until the process is restarted.
    return effects + [
        Effect(
            "inventory", (book,), 4.5 * min(PLANS[k].position_usd, 80_000), ramp_s=10, tail_s=5, lasts_s=300
        )
        for book in strategy_books(target)[:1]
    ]


def _pump_and_dump(target: str) -> list[Effect]:
    s = SYMBOLS.index(target)
    origin = VENUES.index("okx")
    effects = [
        Effect("log_volatility", (s,), 0.7, ramp_s=300),
        Effect("edge", (STRATEGIES.index("mm_sol"),), -4.0, delay_s=120),
        Effect("slippage", (LINKS.index(("momentum", "binance")),), 10.0, delay_s=300),
        # The price band of the risk service keeps the pairs strategy from selling into the rise.
        Effect("hold", (STRATEGIES.index("pairs_eth_sol"),), 1.0, delay_s=60, ramp_s=60),
    ]
    for v in range(len(VENUES)):
        first = v == origin
        effects += [
            Effect(
                "displacement", (v, s), 1000.0 if first else 990.0, "pump", 0 if first else 20, tail_s=4000
            ),
            Effect("log_volume", (v, s), 2.5 if first else 2.0, ramp_s=240, tail_s=700),
            Effect("log_spread", (v, s), 0.6, delay_s=60),
            Effect("log_depth", (v, s), -0.7, delay_s=60),
        ]
    return effects


def _flash_crash(_target: str) -> list[Effect]:
    effects = [
        Effect("gateway_latency", (), 1.0, "spike", delay_s=60, ramp_s=120, tail_s=700),
        Effect("queue", (), 0.8, "spike", delay_s=60, ramp_s=120, tail_s=700),
        Effect("log_volatility", (), 0.9, "spike", ramp_s=120, tail_s=1500),
    ]
    for s, drop in enumerate((-560.0, -700.0, -980.0)):
        for v in range(len(VENUES)):
            effects += [
                Effect("displacement", (v, s), drop, "spike", ramp_s=420, tail_s=1300),
                Effect("log_volume", (v, s), 2.0, "spike", ramp_s=120, tail_s=1500),
                Effect("log_spread", (v, s), 1.3, "spike", ramp_s=120, tail_s=900),
                Effect("log_depth", (v, s), -2.3, "spike", ramp_s=120, tail_s=1200),
            ]
    return effects


def _correlation_breakdown(target: str) -> list[Effect]:
    s = SYMBOLS.index(target)
    return [
        Effect("decouple", (s,), 0.95, ramp_s=200, tail_s=900),
        Effect("drift", (s,), 32.0, ramp_s=200, tail_s=300),
        Effect("log_volatility", (s,), 0.35, ramp_s=200),
        Effect("slippage", (LINKS.index(("pairs_eth_sol", "okx")),), 3.5, delay_s=200),
        Effect("edge", (STRATEGIES.index("pairs_eth_sol"),), -2.0, delay_s=200),
    ]


def _fat_finger(target: str) -> list[Effect]:
    k = STRATEGIES.index(target)
    book = strategy_books(target)[0]
    links = strategy_links(target)
    s = SYMBOLS.index(BOOKS[book][1])
    v = VENUES.index(LINKS[links[0]][1])
    effects = [
        Effect(
            "order_size",
            (book,),
            log(24.0 if target == "momentum" else 8.0),
            ramp_s=10,
            tail_s=60,
            lasts_s=720,
        ),
        Effect(
            "inventory", (book,), 2.5 * min(PLANS[k].position_usd, 100_000), ramp_s=10, tail_s=60, lasts_s=600
        ),
        Effect("displacement", (v, s), 30.0, "spike", ramp_s=300, tail_s=900),
        Effect("log_volume", (v, s), 0.6, "spike", ramp_s=120, tail_s=700),
        Effect("gateway_reject", (v,), 1.6, delay_s=120, lasts_s=720),
    ]
    for link in links:
        effects += [
            Effect("slippage", (link,), 9.0, ramp_s=10, tail_s=300, lasts_s=780),
            Effect("activity", (link,), -0.9, delay_s=800, ramp_s=60, tail_s=200),
        ]
    return effects


_PERPETUALS: Final = ("bybit", "okx")
_MARKET: Final = ("market",)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of incident: what it can strike, what it does and how long it takes.

    `component` turns a target into the name of the failing component.
    """

    effects: Callable[[str], list[Effect]]
    targets: tuple[str, ...]
    component: str
    minutes: tuple[int, int]


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "venue_gateway_latency": Kind(_gateway_latency, ("bybit", "okx", "binance"), "gateway:{}", (40, 60)),
        "funding_shock": Kind(_funding_shock, _PERPETUALS, "venue:{}", (50, 80)),
        "volatility_regime_shift": Kind(_volatility_regime_shift, _MARKET, "market", (60, 90)),
        "liquidity_drain": Kind(_liquidity_drain, ("okx", "bybit", "binance"), "venue:{}", (35, 60)),
        "connection_pool_exhaustion": Kind(_connection_pool_exhaustion, (DATABASE,), "database:{}", (30, 50)),
        "bad_deploy": Kind(_bad_deploy, ("arb_cross", "mm_btc", "mm_sol"), "strategy:{}", (35, 60)),
        "stale_feed": Kind(_stale_feed, ("okx", "bybit", "binance"), "feed:{}", (30, 50)),
        "silent_strategy": Kind(_silent_strategy, ("mm_btc", "arb_cross"), "strategy:{}", (45, 75)),
        "pump_and_dump": Kind(_pump_and_dump, ("SOL",), "market:okx:{}", (40, 60)),
        "flash_crash": Kind(_flash_crash, _MARKET, "market", (30, 45)),
        "correlation_breakdown": Kind(_correlation_breakdown, ("SOL", "ETH"), "market:okx:{}", (60, 90)),
        "fat_finger": Kind(_fat_finger, ("momentum", "mm_btc", "arb_cross"), "strategy:{}", (30, 40)),
    }
)
