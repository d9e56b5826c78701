"""Inventory and PnL: what the strategies hold, and where their money comes from and goes to."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.simulator.execution import Execution, Platform, Stress
from collectors.simulator.layout import (
    BOOK_STRATEGY,
    BOOK_SYMBOL,
    BOOKS,
    CELL_BOOK,
    CELL_LINK,
    CELL_STRATEGY,
    CELL_SYMBOL,
    CELL_VENUE,
    LINK_STRATEGY,
    LINK_VENUE,
    STEP_S,
    STRATEGIES,
    SYMBOLS,
    VENUES,
    plan_column,
    strategy_books,
    style_mask,
)
from collectors.simulator.market import Market
from collectors.simulator.noise import Draws
from domain.series import FloatArray

_BPS: Final = 1e-4
_STEPS_PER_FUNDING: Final = 8 * 3600 // STEP_S
_CONTROL: Final = 0.30  # share of an unwanted position that is worked off in one step
PARTS: Final = ("price_pnl", "spread_pnl", "fees", "funding", "slippage")


@dataclass(frozen=True, slots=True)
class Books:
    """Inventory by book, signals, and PnL with its parts by cell; USD, whole cents, parts add up."""

    inventory: FloatArray
    signals: FloatArray
    traded: FloatArray
    pnl: FloatArray
    parts: dict[str, FloatArray]


class BookModel:
    """Advances positions; keeps inventory and signals between calls."""

    def __init__(self) -> None:
        self._inventory = np.zeros(len(BOOKS))
        self._trend = np.zeros(len(SYMBOLS))
        self._divergence = 0.0
        self._carry = style_mask("carry", BOOK_STRATEGY)
        self._momentum = style_mask("momentum", BOOK_STRATEGY)
        self._pairs = strategy_books("pairs_eth_sol")
        self._scale = plan_column("position_usd", BOOK_STRATEGY)

    def advance(
        self, market: Market, platform: Platform, trades: Execution, draws: Draws, stress: Stress
    ) -> Books:
        """Positions and PnL of consecutive steps."""
        mean_returns = market.returns.mean(axis=1)
        surprise = mean_returns / (market.volatility_bps * _BPS)
        trend, divergence = self._signals(surprise)
        before, inventory = self._positions(platform, trades, draws, stress, (surprise, trend, divergence))
        parts = self._parts(market, trades, before, draws, stress)
        pnl = np.zeros_like(trades.notional)
        for name in PARTS:
            parts[name] = np.round(parts[name], 2) + 0.0
            pnl = pnl + parts[name]
        return Books(
            inventory=inventory,
            signals=_published_signals(market, trend, divergence, draws),
            traded=np.diff(inventory, axis=0, prepend=before[:1]),
            pnl=np.round(pnl, 2) + 0.0,
            parts=parts,
        )

    def _signals(self, surprise: FloatArray) -> tuple[FloatArray, FloatArray]:
        trend, divergence = np.empty_like(surprise), np.empty(len(surprise))
        for t, row in enumerate(surprise):
            self._trend = 0.93 * self._trend + 0.07 * row
            self._divergence = 0.97 * self._divergence + (row[1] - row[2])
            trend[t], divergence[t] = self._trend, self._divergence
        return trend / 0.19, divergence / 2.6

    def _positions(
        self,
        platform: Platform,
        trades: Execution,
        draws: Draws,
        stress: Stress,
        signals: tuple[FloatArray, FloatArray, FloatArray],
    ) -> tuple[FloatArray, FloatArray]:
        surprise, trend, divergence = signals
        wanted = np.zeros((len(surprise), len(BOOKS)))
        wanted[:, self._momentum] = np.tanh(0.8 * trend) * self._scale[self._momentum]
        wanted[:, self._pairs[0]] = -np.tanh(0.6 * divergence) * self._scale[self._pairs[0]]
        wanted[:, self._pairs[1]] = np.tanh(0.6 * divergence) * self._scale[self._pairs[1]]
        turnover = _by_book(trades.notional)
        typical = np.where(self._carry, 40_000.0, self._scale)
        flow = 0.30 * typical * np.sqrt(turnover / _HOME_TURNOVER) * draws.white["flow"]
        # Quotes are hit by those who know: a market maker buys what falls and sells what rises.
        leaning = np.where(style_mask("market_making", BOOK_STRATEGY), 0.16, 0.0)
        flow = flow - leaning * typical * np.clip(surprise[:, BOOK_SYMBOL], -4, 4) + stress["inventory"]
        control = _CONTROL / np.sqrt(np.maximum(_delay_by_book(platform), 1.0))
        control = control * (1 - np.clip(stress["hold"], 0, 1))[:, BOOK_STRATEGY]
        start = self._inventory[None].copy()
        out = np.empty_like(wanted)
        for t in range(len(out)):
            held = self._inventory
            self._inventory = held + control[t] * (wanted[t] - held) + flow[t]
            out[t] = self._inventory
        return np.concatenate([start, out[:-1]]), out

    def _parts(
        self, market: Market, trades: Execution, held: FloatArray, draws: Draws, stress: Stress
    ) -> dict[str, FloatArray]:
        returns = market.returns[:, CELL_VENUE, CELL_SYMBOL]
        notional = trades.notional
        carry = style_mask("carry", CELL_STRATEGY)
        venues_of_book = np.bincount(CELL_BOOK)[CELL_BOOK]
        price = held[:, CELL_BOOK] / venues_of_book * returns
        legs = np.where(carry, _LEG * plan_column("position_usd", CELL_STRATEGY), 0.0)
        pair_mean = market.returns[:, 1:].mean(axis=1)[:, CELL_SYMBOL]
        edge = (
            plan_column("edge_bps", CELL_STRATEGY)
            + plan_column("edge_spread", CELL_STRATEGY) * market.spread_bps[:, CELL_VENUE, CELL_SYMBOL]
        )
        edge = edge * (1 + 0.10 * draws.persistent["edge"]) + 0.10 * draws.white["cell"]
        return {
            "price_pnl": price + legs * (returns - pair_mean),
            "spread_pnl": notional * (edge + stress["edge"][:, CELL_STRATEGY]) * _BPS,
            "fees": -notional * plan_column("fee_bps", CELL_STRATEGY) * _BPS,
            "funding": -legs * market.funding_bps[:, CELL_VENUE, CELL_SYMBOL] * _BPS / _STEPS_PER_FUNDING,
            "slippage": -notional * trades.slippage_bps[:, CELL_LINK] * _BPS,
        }


# The carry strategy is short on bybit, where funding is dearer, and long on okx.
_LEG: Final = np.select([VENUES.index("bybit") == CELL_VENUE, VENUES.index("okx") == CELL_VENUE], [-1.0, 1.0])


def _by_book(cells: FloatArray) -> FloatArray:
    out = np.zeros((len(cells), len(BOOKS)))
    for cell, book in enumerate(CELL_BOOK):
        out[:, book] += cells[:, cell]
    return out


def _home_turnover() -> FloatArray:
    cells = np.bincount(CELL_BOOK)
    symbols = np.bincount(BOOK_STRATEGY)[BOOK_STRATEGY]
    per_link = [plan_column(name, BOOK_STRATEGY) for name in ("orders", "fill", "size_usd")]
    out: FloatArray = per_link[0] * per_link[1] * per_link[2] * cells / symbols
    return out


_HOME_TURNOVER: Final = _home_turnover()


def _delay_by_book(platform: Platform) -> FloatArray:
    columns = [
        platform.delay[:, LINK_VENUE[strategy == LINK_STRATEGY]].mean(axis=1)
        for strategy in range(len(STRATEGIES))
    ]
    return np.stack(columns, axis=1)[:, BOOK_STRATEGY]


def _published_signals(market: Market, trend: FloatArray, divergence: FloatArray, draws: Draws) -> FloatArray:
    gaps = np.log(market.prices).std(axis=1)[:, :2].mean(axis=1) / _BPS
    raw = np.stack([gaps, np.abs(trend).mean(axis=1), np.abs(divergence)], axis=1)
    out: FloatArray = raw * np.exp(0.05 * draws.white["signal"])
    return out
