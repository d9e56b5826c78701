"""The desk as a whole: time goes in, market, machines, orders and money come out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectors.simulator.books import BookModel, Books
from collectors.simulator.execution import Execution, Platform, execution_of, link_activity, platform_of
from collectors.simulator.incidents import Incident
from collectors.simulator.layout import BOOK_STRATEGY, HEDGERS, SIGNALLERS, STEP_S, STRATEGIES, strategy_links
from collectors.simulator.market import FeedModel, Feeds, Market, MarketModel, masked_to_perpetuals
from collectors.simulator.noise import Noise
from collectors.simulator.stress import MEMORY_S, stress_of
from collectors.simulator.vocabulary import METRICS
from domain.series import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Block:
    """Everything that happened in consecutive steps.

    Args:
        steps: shape (n,); step k is the interval [k * 300 s, (k + 1) * 300 s) since 1970.
        values: shape (n, n_series) in the order of `vocabulary.SERIES`; NaN where nothing is exposed.
    """

    steps: IntArray
    values: FloatArray
    market: Market
    platform: Platform
    trades: Execution
    books: Books

    @property
    def seconds(self) -> IntArray:
        """When each step begins, in seconds since 1970."""
        return self.steps * STEP_S


class Desk:
    """A desk that moves forward from its first step; the same seed and incidents give the same values."""

    def __init__(self, seed: int, first_step: int) -> None:
        self.next_step = first_step
        self._noise = Noise(seed)
        self._market = MarketModel(np.random.default_rng([seed, 3]))
        self._feeds = FeedModel()
        self._books = BookModel()

    def advance(self, n: int, incidents: Sequence[Incident]) -> Block:
        """The next n steps under the given incidents."""
        steps = np.arange(self.next_step, self.next_step + n)
        draws = self._noise.take(self.next_step, n)
        since = self.next_step * STEP_S - MEMORY_S
        felt = (incident for incident in incidents if incident.end.timestamp() > since)
        stress = stress_of((one for incident in felt for one in incident.pressures()), steps)
        market = self._market.advance(steps, draws, stress)
        feeds = self._feeds.advance(market, draws, stress)
        activity = link_activity(market, draws, stress)
        platform = platform_of(steps, market, draws, stress, activity)
        trades = execution_of(market, platform, draws, stress, activity)
        books = self._books.advance(market, platform, trades, draws, stress)
        self.next_step += n
        values = _exposed(market, feeds, platform, trades, books)
        return Block(steps, values, market, platform, trades, books)


def _exposed(market: Market, feeds: Feeds, platform: Platform, trades: Execution, books: Books) -> FloatArray:
    idle = trades.orders == 0
    down = np.stack([idle[:, strategy_links(name)].all(axis=1) for name in STRATEGIES], axis=1)
    funding = masked_to_perpetuals(market.funding_bps)[:, 1:]
    columns = {
        "orders": trades.orders,
        "fill_ratio": np.where(idle, np.nan, trades.fill_ratio),
        "slippage_bps": np.where(idle, np.nan, trades.slippage_bps),
        "inventory_usd": books.inventory,
        "order_size": np.where(down[:, BOOK_STRATEGY], np.nan, trades.order_size),
        "hedge_lag_ms": np.where(down[:, [STRATEGIES.index(s) for s in HEDGERS]], np.nan, trades.hedge_ms),
        "signal_strength": np.where(
            down[:, [STRATEGIES.index(s) for s in SIGNALLERS]], np.nan, books.signals
        ),
        "funding_rate_bps": funding,
        "pair_correlation": market.correlation,
        "feed_latency_ms": feeds.latency_ms,
        "feed_messages": feeds.messages,
        "feed_age_seconds": feeds.age_s,
        **feeds.seen,
        **_system_columns(platform),
    }
    n = len(market.season)
    blocks = [np.round(columns[metric.name].reshape(n, -1), metric.digits) + 0.0 for metric in METRICS]
    return np.concatenate(blocks, axis=1)


def _system_columns(platform: Platform) -> dict[str, FloatArray]:
    return {
        "order_ack_latency_ms": platform.ack_ms,
        "order_reject_ratio": platform.reject,
        "order_queue_depth": platform.queue,
        "cpu_percent": platform.cpu,
        "memory_percent": platform.memory,
        "disk_percent": platform.disk,
        "gc_pause_ms": platform.gc_ms,
        "network_errors": platform.network,
        "db_write_latency_ms": platform.database_ms,
        "db_connections": platform.connections,
        "db_pool_wait_ms": platform.pool_wait_ms,
        "risk_check_latency_ms": platform.risk_ms,
    }
