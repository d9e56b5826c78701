"""What the simulated desk consists of: strategies, venues, symbols, hosts, and their relations."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.series import BoolArray, FloatArray, IntArray

STEP_S: Final = 300
STEPS_PER_DAY: Final = 86_400 // STEP_S

VENUES: Final = ("binance", "bybit", "okx")
SYMBOLS: Final = ("BTC", "ETH", "SOL")
HOSTS: Final = ("edge-1", "trade-1", "trade-2")
PAIRS: Final = (("BTC", "ETH"), ("BTC", "SOL"), ("ETH", "SOL"))
# Binance is traded spot; the other two venues are perpetual futures and pay funding.
PERPETUAL: Final = (False, True, True)
DATABASE: Final = "trades"
MAX_CONNECTIONS: Final = 64
GATEWAY_HOST: Final = "edge-1"


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy with its habits in quiet times.

    Args:
        style: `market_making`, `arbitrage`, `carry`, `momentum` or `pairs`.
        orders: orders per venue and step.
        size_usd: notional of one order.
        fill: share of orders that fill.
        fee_bps: fee on filled notional.
        edge_bps: edge earned on filled notional, before the share of the spread.
        edge_spread: share of the quoted spread that it earns.
        slippage_bps: cost of execution at normal latency and volatility.
        latency_cost: basis points lost per unit of excess latency (as a ratio to normal).
        position_usd: scale of its inventory per symbol.
        hedges: whether it hedges its fills on another venue.
    """

    name: str
    style: str
    venues: tuple[str, ...]
    symbols: tuple[str, ...]
    host: str
    orders: float
    size_usd: float
    fill: float
    fee_bps: float
    edge_bps: float
    edge_spread: float
    slippage_bps: float
    latency_cost: float
    position_usd: float
    hedges: bool = True


PLANS: Final = (
    Plan("mm_btc", "market_making", ("binance", "bybit"), ("BTC",), "trade-1",
         620, 6_000, 0.36, 0.10, 0.10, 0.60, 0.18, 2.2, 110_000),
    Plan("mm_sol", "market_making", ("bybit", "okx"), ("SOL",), "trade-1",
         540, 3_000, 0.33, 0.10, 0.0, 0.45, 0.45, 2.4, 60_000),
    Plan("arb_cross", "arbitrage", ("binance", "bybit", "okx"), ("BTC", "ETH"), "trade-1",
         64, 15_000, 0.82, 0.80, 2.25, 0.0, 0.70, 3.0, 80_000),
    Plan("carry_perp", "carry", ("bybit", "okx"), ("BTC", "SOL"), "trade-2",
         30, 20_000, 0.90, 0.50, 1.25, 0.0, 0.55, 2.0, 6_000_000),
    Plan("momentum", "momentum", ("binance",), ("BTC", "ETH", "SOL"), "trade-2",
         46, 9_000, 0.95, 0.70, 1.9, 0.0, 0.75, 1.5, 100_000, hedges=False),
    Plan("pairs_eth_sol", "pairs", ("okx",), ("ETH", "SOL"), "trade-2",
         40, 8_000, 0.88, 0.60, 2.0, 0.0, 0.80, 1.8, 140_000),
)  # fmt: skip
STRATEGIES: Final = tuple(plan.name for plan in PLANS)

# (strategy, venue), (strategy, symbol) and (strategy, venue, symbol): where orders go, what is held,
# what is booked.
LINKS: Final = tuple((plan.name, venue) for plan in PLANS for venue in plan.venues)
BOOKS: Final = tuple((plan.name, symbol) for plan in PLANS for symbol in plan.symbols)
CELLS: Final = tuple((p.name, venue, symbol) for p in PLANS for venue in p.venues for symbol in p.symbols)
HEDGERS: Final = tuple(plan.name for plan in PLANS if plan.hedges)
SIGNALLERS: Final = ("arb_cross", "momentum", "pairs_eth_sol")

LINK_STRATEGY: Final = np.array([STRATEGIES.index(s) for s, _ in LINKS])
LINK_VENUE: Final = np.array([VENUES.index(v) for _, v in LINKS])
BOOK_STRATEGY: Final = np.array([STRATEGIES.index(s) for s, _ in BOOKS])
BOOK_SYMBOL: Final = np.array([SYMBOLS.index(s) for _, s in BOOKS])
CELL_STRATEGY: Final = np.array([STRATEGIES.index(s) for s, _, _ in CELLS])
CELL_VENUE: Final = np.array([VENUES.index(v) for _, v, _ in CELLS])
CELL_SYMBOL: Final = np.array([SYMBOLS.index(s) for _, _, s in CELLS])
CELL_LINK: Final = np.array([LINKS.index((s, v)) for s, v, _ in CELLS])
CELL_BOOK: Final = np.array([BOOKS.index((s, y)) for s, _, y in CELLS])
STRATEGY_HOST: Final = np.array([HOSTS.index(plan.host) for plan in PLANS])


def plan_column(field: str, index: IntArray) -> FloatArray:
    """One habit of the strategies that `index` names, shape (len(index),)."""
    return np.array([float(getattr(plan, field)) for plan in PLANS])[index]


def style_mask(style: str, index: IntArray) -> BoolArray:
    """True where the strategy that `index` names has this style, shape (len(index),)."""
    return np.array([plan.style == style for plan in PLANS])[index]


def strategy_links(strategy: str) -> list[int]:
    """Positions in LINKS of one strategy."""
    return [i for i, (name, _) in enumerate(LINKS) if name == strategy]


def strategy_books(strategy: str) -> list[int]:
    """Positions in BOOKS of one strategy."""
    return [i for i, (name, _) in enumerate(BOOKS) if name == strategy]


def venue_links(venue: str) -> list[int]:
    """Positions in LINKS of one venue."""
    return [i for i, (_, name) in enumerate(LINKS) if name == venue]
