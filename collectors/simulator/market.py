"""The simulated market: prices, volatility, volume, spread, depth and funding by venue and symbol."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.simulator.layout import PAIRS, PERPETUAL, STEP_S, STEPS_PER_DAY, SYMBOLS
from collectors.simulator.noise import Draws
from collectors.simulator.season import funding_period_starts, log_activity
from domain.series import BoolArray, FloatArray, IntArray

_BPS: Final = 1e-4
_START_PRICE: Final = np.array([64_000.0, 3_150.0, 148.0])
_VOLATILITY_BPS: Final = np.array([11.0, 14.5, 20.0])
_LOADING: Final = np.array([0.93, 0.90, 0.82])
# Volume per step and depth within ten basis points of the middle, in USD; by venue, then by symbol.
_VENUE_VOLUME: Final = np.array([26e6, 15e6, 11e6])
_VENUE_DEPTH: Final = np.array([2.6e6, 1.7e6, 1.4e6])
_VENUE_SPREAD: Final = np.array([1.0, 1.2, 1.3])
_SYMBOL_VOLUME: Final = np.array([1.0, 0.55, 0.24])
_SYMBOL_DEPTH: Final = np.array([1.0, 0.6, 0.22])
_SYMBOL_SPREAD_BPS: Final = np.array([0.8, 1.1, 2.1])
_VENUE_FUNDING_BPS: Final = np.array([0.0, 1.6, 0.5])
_FEED_LATENCY_MS: Final = np.array([7.5, 13.0, 10.5])
_FEED_MESSAGES: Final = np.array([14_000.0, 9_500.0, 8_000.0])
_FROZEN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Market:
    """The market of consecutive steps.

    Arrays end in (venue, symbol), (symbol,), (venue,) or (pair,). `returns` are fractions; `load` and
    `excess` are the log volume and log volatility against an average weekday, shapes (n,) and (n, symbol).
    """

    prices: FloatArray
    returns: FloatArray
    volatility_bps: FloatArray
    realized_bps: FloatArray
    volume: FloatArray
    spread_bps: FloatArray
    depth: FloatArray
    funding_bps: FloatArray
    correlation: FloatArray
    season: FloatArray
    load: FloatArray
    excess: FloatArray


class MarketModel:
    """Advances the market; keeps the last prices between calls."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._log_fair = np.log(_START_PRICE) + generator.normal(0, 0.08, len(SYMBOLS))
        self._log_price = np.tile(self._log_fair, (3, 1))

    def advance(self, steps: IntArray, draws: Draws, stress: dict[str, FloatArray]) -> Market:
        """The market of consecutive steps under the given stress."""
        ar, white = draws.persistent, draws.white
        season = log_activity(steps)
        excess = 0.31 * ar["volatility"] + 0.13 * ar["symbol_volatility"] + stress["log_volatility"]
        sigma = _VOLATILITY_BPS * np.exp(0.42 * season[:, None] + excess)
        loading = _LOADING * (1 - np.clip(stress["decouple"], 0, 1))
        shock = loading * draws.heavy["factor"] + np.sqrt(1 - loading**2) * draws.heavy["symbol"]
        fair_returns = (sigma * shock + stress["drift"]) * _BPS
        prices, returns = self._prices(fair_returns, ar["basis"], stress["displacement"])
        surprise = np.log1p(np.abs(returns) / (sigma[:, None, :] * _BPS)) - 0.55
        log_volume = (
            season[:, None, None]
            + 0.55 * excess[:, None, :]
            + 0.32 * surprise
            + 0.20 * ar["volume"]
            + 0.12 * white["volume"]
            + stress["log_volume"]
        )
        return Market(
            prices=prices,
            returns=returns,
            volatility_bps=sigma,
            realized_bps=_realized(sigma, returns, white["realized"]),
            volume=_VENUE_VOLUME[:, None] * _SYMBOL_VOLUME * np.exp(log_volume),
            spread_bps=_spread(season, excess, draws, stress),
            depth=_depth(season, excess, draws, stress),
            funding_bps=_funding(steps, draws, stress["funding"]),
            correlation=_correlation(loading, ar["correlation"], white["correlation"]),
            season=season,
            # Machines feel a rush less than in proportion: messages are batched, queries cached.
            load=1.4 * np.tanh(log_volume.mean(axis=(1, 2)) / 1.4),
            excess=excess,
        )

    def _prices(
        self, fair_returns: FloatArray, basis: FloatArray, displacement: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        log_fair = self._log_fair + np.cumsum(fair_returns, axis=0)
        log_price = log_fair[:, None, :] + (0.5 * basis + displacement) * _BPS
        returns = np.diff(log_price, axis=0, prepend=self._log_price[None])
        self._log_fair, self._log_price = log_fair[-1].copy(), log_price[-1].copy()
        return np.exp(log_price), returns


def _realized(sigma: FloatArray, returns: FloatArray, noise: FloatArray) -> FloatArray:
    inside = sigma[:, None, :] * np.exp(0.13 * noise)
    realized: FloatArray = np.sqrt(0.8 * inside**2 + 0.2 * (returns / _BPS) ** 2)
    return realized


def _spread(
    season: FloatArray, excess: FloatArray, draws: Draws, stress: dict[str, FloatArray]
) -> FloatArray:
    log_spread = (
        -0.15 * season[:, None, None]
        + 0.45 * excess[:, None, :]
        + 0.10 * draws.persistent["spread"]
        + 0.07 * draws.white["spread"]
        - 0.25 * stress["log_depth"]
        + stress["log_spread"]
    )
    spread: FloatArray = _VENUE_SPREAD[:, None] * _SYMBOL_SPREAD_BPS * np.exp(log_spread)
    return spread


def _depth(season: FloatArray, excess: FloatArray, draws: Draws, stress: dict[str, FloatArray]) -> FloatArray:
    log_depth = (
        0.30 * season[:, None, None]
        - 0.50 * excess[:, None, :]
        + 0.14 * draws.persistent["depth"]
        + 0.08 * draws.white["depth"]
        + stress["log_depth"]
    )
    depth: FloatArray = _VENUE_DEPTH[:, None] * _SYMBOL_DEPTH * np.exp(log_depth)
    return depth


def _funding(steps: IntArray, draws: Draws, shock: FloatArray) -> FloatArray:
    # Within a period the predicted rate firms up: the noise of the premium fades until it is settled.
    width = 8 * 3600 // STEP_S
    age = (steps - funding_period_starts(steps))[:, None, None] / width
    premium = 0.7 * draws.persistent["funding_symbol"][:, None, :] + 0.45 * draws.persistent["funding"]
    noise = 0.25 * (1 - age) * draws.white["funding"]
    rate: FloatArray = _VENUE_FUNDING_BPS[:, None] + premium + noise + shock
    return rate


def _correlation(loading: FloatArray, slow: FloatArray, fast: FloatArray) -> FloatArray:
    pairs = [(SYMBOLS.index(a), SYMBOLS.index(b)) for a, b in PAIRS]
    rho = np.stack([loading[:, a] * loading[:, b] for a, b in pairs], axis=1)
    out: FloatArray = np.tanh(np.arctanh(rho) + 0.10 * slow + 0.07 * fast)
    return out


@dataclass(frozen=True, slots=True)
class Feeds:
    """What the feed handlers report, by venue, and the market as they see it."""

    latency_ms: FloatArray
    messages: FloatArray
    age_s: FloatArray
    seen: dict[str, FloatArray]
    stalled: FloatArray


class FeedModel:
    """The market as seen through the feeds: a stalled feed repeats its last values."""

    def __init__(self) -> None:
        self._age = np.zeros(3)
        self._last: dict[str, FloatArray] = {}
        self._last_price: FloatArray | None = None

    def advance(self, market: Market, draws: Draws, stress: dict[str, FloatArray]) -> Feeds:
        """Feed health of consecutive steps and the values that dashboards get."""
        stalled = np.clip(stress["feed_stall"], 0, 1)
        frozen = stalled > _FROZEN
        latency = _FEED_LATENCY_MS * np.exp(
            0.14 * market.load[:, None]
            + 0.08 * draws.persistent["feed"]
            + 0.05 * draws.heavy["feed"]
            + stress["feed_latency"]
        )
        traffic = 0.6 * np.log(market.volume.sum(axis=2) / (_VENUE_VOLUME * _SYMBOL_VOLUME.sum()))
        messages = np.round(_FEED_MESSAGES * np.exp(traffic + 0.05 * draws.white["messages"]) * (1 - stalled))
        seen = {
            "price": self._hold("price", market.prices, frozen),
            "realized_volatility_bps": self._hold("realized", market.realized_bps, frozen),
            "spread_bps": self._hold("spread", market.spread_bps, frozen),
            "depth_usd": self._hold("depth", market.depth, frozen),
            "volume_usd": market.volume * (1 - stalled[:, :, None]),
        }
        seen["return_bps"] = self._seen_returns(seen["price"])
        age = self._ages(frozen, 0.35 * np.exp(0.3 * draws.white["age"]))
        return Feeds(latency * (1 + 4 * stalled), messages, age, seen, stalled)

    def _hold(self, name: str, values: FloatArray, frozen: BoolArray) -> FloatArray:
        last = self._last.get(name, values[0])
        stacked = np.concatenate([last[None], values])
        rows = np.arange(1, len(values) + 1)[:, None]
        source = np.maximum.accumulate(np.where(frozen, 0, rows), axis=0)
        held: FloatArray = np.take_along_axis(stacked, source[:, :, None], axis=0)
        self._last[name] = held[-1].copy()
        return held

    def _seen_returns(self, prices: FloatArray) -> FloatArray:
        log_price = np.log(prices)
        first = log_price[0] if self._last_price is None else self._last_price
        self._last_price = log_price[-1].copy()
        returns: FloatArray = np.diff(log_price, axis=0, prepend=first[None]) / _BPS
        return returns

    def _ages(self, frozen: BoolArray, fresh: FloatArray) -> FloatArray:
        out = fresh.copy()
        for t in np.flatnonzero(frozen.any(axis=1)):
            before = out[t - 1] if t else self._age
            out[t] = np.where(frozen[t], before + STEP_S, fresh[t])
        self._age = out[-1].copy()
        return out


def day_share(steps: IntArray) -> FloatArray:
    """How far each step is into its UTC day, in [0, 1)."""
    share: FloatArray = (steps % STEPS_PER_DAY) / STEPS_PER_DAY
    return share


def masked_to_perpetuals(values: FloatArray) -> FloatArray:
    """Zero where the venue is traded spot; `values` ends in (venue, symbol)."""
    kept: FloatArray = values * np.array(PERPETUAL)[:, None]
    return kept
