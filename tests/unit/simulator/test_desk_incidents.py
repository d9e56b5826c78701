"""Each incident moves what it should, leaves the rest alone, costs money and goes away."""

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from collectors.simulator.desk import Block, Desk
from collectors.simulator.incidents import Incident
from collectors.simulator.kinds import KINDS
from collectors.simulator.layout import CELL_STRATEGY, STEPS_PER_DAY, STRATEGIES
from collectors.simulator.stress import LONGEST_TAIL_S
from collectors.simulator.vocabulary import SERIES
from domain.series import FloatArray

ONSET = datetime(2026, 11, 10, 15, 2, 40, tzinfo=UTC)
FIRST_STEP = int((ONSET - timedelta(days=2)).timestamp()) // 300
ONSET_ROW = int(ONSET.timestamp()) // 300 - FIRST_STEP
NAMES = [series.name for series in SERIES]


@cache
def run(kind: str, target: str) -> Block:
    incidents = (
        [Incident(1, kind, target, ONSET, ONSET + timedelta(minutes=50), 1.0, "request")] if kind else []
    )
    return Desk(21, FIRST_STEP).advance(3 * STEPS_PER_DAY, incidents)


def moved(kind: str, target: str) -> dict[str, float]:
    """Largest move against the quiet twin during the incident, in quiet standard deviations."""
    here, quiet = run(kind, target).values, run("", "").values
    scale = quiet.std(axis=0) + 1e-9
    with np.errstate(invalid="ignore"):
        away = (here - quiet)[ONSET_ROW : ONSET_ROW + 11] / scale
    peak = [
        column[np.nanargmax(np.abs(column))] if np.isfinite(column).any() else np.nan for column in away.T
    ]
    return dict(zip(NAMES, map(float, peak), strict=True))


def cost(kind: str, target: str) -> dict[str, float]:
    rows = slice(ONSET_ROW, ONSET_ROW + 11)
    change = (run(kind, target).books.pnl - run("", "").books.pnl)[rows].sum(axis=0)
    return {name: float(change[k == CELL_STRATEGY].sum()) for k, name in enumerate(STRATEGIES)}


UP, DOWN = 1.0, -1.0
SIGNATURES: list[tuple[str, str, dict[str, float], tuple[str, ...]]] = [
    (
        "venue_gateway_latency",
        "bybit",
        {
            'order_ack_latency_ms{venue="bybit"}': UP,
            'order_reject_ratio{venue="bybit"}': UP,
            'order_queue_depth{venue="bybit"}': UP,
            'fill_ratio{strategy="mm_btc",venue="bybit"}': DOWN,
            'slippage_bps{strategy="arb_cross",venue="bybit"}': UP,
            'hedge_lag_ms{strategy="mm_sol"}': UP,
        },
        (
            'order_ack_latency_ms{venue="okx"}',
            'feed_latency_ms{venue="bybit"}',
            'spread_bps{symbol="BTC",venue="bybit"}',
            'slippage_bps{strategy="momentum",venue="binance"}',
            'db_connections{database="trades"}',
        ),
    ),
    (
        "funding_shock",
        "bybit",
        {
            'funding_rate_bps{symbol="BTC",venue="bybit"}': DOWN,
            'funding_rate_bps{symbol="SOL",venue="bybit"}': DOWN,
            'volume_usd{symbol="SOL",venue="bybit"}': UP,
            'orders{strategy="carry_perp",venue="bybit"}': UP,
        },
        (
            'funding_rate_bps{symbol="BTC",venue="okx"}',
            'order_ack_latency_ms{venue="okx"}',
            'orders{strategy="momentum",venue="binance"}',
        ),
    ),
    (
        "volatility_regime_shift",
        "market",
        {
            'realized_volatility_bps{symbol="BTC",venue="binance"}': UP,
            'realized_volatility_bps{symbol="SOL",venue="okx"}': UP,
            'spread_bps{symbol="ETH",venue="okx"}': UP,
            'depth_usd{symbol="ETH",venue="okx"}': DOWN,
            'volume_usd{symbol="BTC",venue="bybit"}': UP,
            'slippage_bps{strategy="mm_btc",venue="binance"}': UP,
        },
        (
            'disk_percent{host="trade-1"}',
            'feed_age_seconds{venue="okx"}',
            'pair_correlation{pair="BTC-ETH"}',
        ),
    ),
    (
        "liquidity_drain",
        "okx",
        {
            'depth_usd{symbol="SOL",venue="okx"}': DOWN,
            'spread_bps{symbol="BTC",venue="okx"}': UP,
            'slippage_bps{strategy="pairs_eth_sol",venue="okx"}': UP,
            'fill_ratio{strategy="mm_sol",venue="okx"}': DOWN,
        },
        (
            'depth_usd{symbol="SOL",venue="bybit"}',
            'realized_volatility_bps{symbol="SOL",venue="okx"}',
            'order_ack_latency_ms{venue="bybit"}',
        ),
    ),
    (
        "connection_pool_exhaustion",
        "trades",
        {
            'db_connections{database="trades"}': UP,
            'db_pool_wait_ms{database="trades"}': UP,
            'db_write_latency_ms{database="trades"}': UP,
            'risk_check_latency_ms{service="risk"}': UP,
            'hedge_lag_ms{strategy="carry_perp"}': UP,
            'slippage_bps{strategy="momentum",venue="binance"}': UP,
        },
        (
            'order_ack_latency_ms{venue="bybit"}',
            'spread_bps{symbol="BTC",venue="binance"}',
            'feed_latency_ms{venue="okx"}',
        ),
    ),
    (
        "bad_deploy",
        "arb_cross",
        {
            'cpu_percent{host="trade-1"}': UP,
            'gc_pause_ms{host="trade-1"}': UP,
            'slippage_bps{strategy="arb_cross",venue="okx"}': UP,
            'fill_ratio{strategy="arb_cross",venue="okx"}': DOWN,
        },
        (
            'cpu_percent{host="trade-2"}',
            'slippage_bps{strategy="mm_btc",venue="bybit"}',
            'order_ack_latency_ms{venue="okx"}',
        ),
    ),
    (
        "stale_feed",
        "okx",
        {
            'feed_age_seconds{venue="okx"}': UP,
            'feed_messages{venue="okx"}': DOWN,
            'slippage_bps{strategy="arb_cross",venue="okx"}': UP,
        },
        (
            'feed_age_seconds{venue="bybit"}',
            'order_ack_latency_ms{venue="okx"}',
            'slippage_bps{strategy="arb_cross",venue="bybit"}',
        ),
    ),
    (
        "silent_strategy",
        "mm_btc",
        {'orders{strategy="mm_btc",venue="binance"}': DOWN, 'orders{strategy="mm_btc",venue="bybit"}': DOWN},
        (
            'orders{strategy="mm_sol",venue="bybit"}',
            'order_ack_latency_ms{venue="bybit"}',
            'volume_usd{symbol="BTC",venue="bybit"}',
        ),
    ),
    (
        "pump_and_dump",
        "SOL",
        {
            'volume_usd{symbol="SOL",venue="okx"}': UP,
            'return_bps{symbol="SOL",venue="okx"}': DOWN,
            'price{symbol="SOL",venue="okx"}': UP,
            'spread_bps{symbol="SOL",venue="bybit"}': UP,
        },
        (
            'return_bps{symbol="BTC",venue="okx"}',
            'volume_usd{symbol="ETH",venue="okx"}',
            'funding_rate_bps{symbol="SOL",venue="okx"}',
        ),
    ),
    (
        "flash_crash",
        "market",
        {
            'return_bps{symbol="BTC",venue="binance"}': DOWN,
            'return_bps{symbol="SOL",venue="okx"}': DOWN,
            'volume_usd{symbol="ETH",venue="okx"}': UP,
            'depth_usd{symbol="BTC",venue="binance"}': DOWN,
            'order_ack_latency_ms{venue="binance"}': UP,
        },
        (
            'memory_percent{host="trade-1"}',
            'funding_rate_bps{symbol="BTC",venue="okx"}',
            'feed_age_seconds{venue="okx"}',
        ),
    ),
    (
        "correlation_breakdown",
        "SOL",
        {'pair_correlation{pair="ETH-SOL"}': DOWN, 'pair_correlation{pair="BTC-SOL"}': DOWN},
        (
            'pair_correlation{pair="BTC-ETH"}',
            'order_ack_latency_ms{venue="okx"}',
            'cpu_percent{host="edge-1"}',
        ),
    ),
    (
        "fat_finger",
        "momentum",
        {
            'order_size{strategy="momentum",symbol="BTC"}': UP,
            'slippage_bps{strategy="momentum",venue="binance"}': UP,
        },
        (
            'order_size{strategy="momentum",symbol="ETH"}',
            'order_size{strategy="mm_btc",symbol="BTC"}',
            'order_ack_latency_ms{venue="binance"}',
        ),
    ),
]


def test_every_kind_has_a_signature() -> None:
    assert [kind for kind, *_ in SIGNATURES] == list(KINDS)


@pytest.mark.parametrize(("kind", "target", "moves", "still"), SIGNATURES, ids=[s[0] for s in SIGNATURES])
def test_an_incident_moves_its_series_and_not_the_others(
    kind: str, target: str, moves: dict[str, float], still: tuple[str, ...]
) -> None:
    found = moved(kind, target)
    for name, direction in moves.items():
        assert found[name] * direction > 2, f"{name}: {found[name]:.1f}"
    for name in still:
        assert abs(found[name]) < 1, f"{name}: {found[name]:.1f}"


VICTIMS = {
    "venue_gateway_latency": ("bybit", ("mm_btc", "mm_sol", "arb_cross", "carry_perp"), -6_000),
    "funding_shock": ("bybit", ("carry_perp",), -15_000),
    "volatility_regime_shift": ("market", ("mm_btc", "mm_sol", "arb_cross"), -10_000),
    "liquidity_drain": ("okx", ("arb_cross", "carry_perp", "pairs_eth_sol"), -2_000),
    "connection_pool_exhaustion": ("trades", ("mm_btc", "arb_cross", "carry_perp"), -8_000),
    "bad_deploy": ("arb_cross", ("arb_cross",), -8_000),
    "stale_feed": ("okx", ("arb_cross", "mm_sol", "carry_perp"), -3_000),
    "flash_crash": ("market", ("mm_btc", "arb_cross"), -8_000),
    "pump_and_dump": ("SOL", ("mm_sol", "momentum"), -2_000),
    "correlation_breakdown": ("SOL", ("pairs_eth_sol",), -1_000),
    "fat_finger": ("momentum", ("momentum",), -4_000),
}


@pytest.mark.parametrize("kind", VICTIMS)
def test_an_incident_costs_its_victims_money(kind: str) -> None:
    target, victims, at_least = VICTIMS[kind]
    paid = cost(kind, target)
    assert sum(paid.values()) < at_least, paid
    for name in victims:
        assert paid[name] < 0, paid


@pytest.mark.parametrize("kind", KINDS)
def test_no_effect_outlasts_the_memory_of_the_desk(kind: str) -> None:
    for target in KINDS[kind].targets:
        assert all(effect.tail_s <= LONGEST_TAIL_S for effect in KINDS[kind].effects(target))


def test_strategies_elsewhere_keep_their_money() -> None:
    paid = cost("venue_gateway_latency", "bybit")
    assert paid["momentum"] == paid["pairs_eth_sol"] == 0
    paid = cost("bad_deploy", "arb_cross")
    assert all(paid[name] == 0 for name in STRATEGIES if name != "arb_cross")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_moves_before_the_onset_and_all_recovers(kind: str) -> None:
    target = KINDS[kind].targets[0]
    here, quiet = run(kind, target).values, run("", "").values
    np.testing.assert_array_equal(here[:ONSET_ROW], quiet[:ONSET_ROW])
    # Prices keep a lasting gap after a drift; positions follow it for a while. All else comes back.
    lasting = ("price", "inventory_usd", "signal_strength")
    rest = [i for i, series in enumerate(SERIES) if series.key.metric not in lasting]
    late = slice(ONSET_ROW + 10 * 12, None)
    away = np.abs(here - quiet)[late][:, rest] / (quiet.std(axis=0)[rest] + 1e-9)
    assert np.nanmax(away) < 0.5, SERIES[rest[int(np.nanargmax(np.nanmax(away, axis=0)))]].name


def test_a_stalled_feed_repeats_its_last_prices() -> None:
    block = run("stale_feed", "okx")
    prices: FloatArray = block.values[:, NAMES.index('price{symbol="BTC",venue="okx"}')]
    during = prices[ONSET_ROW + 1 : ONSET_ROW + 9]
    assert len(set(during.tolist())) == 1
    age = block.values[ONSET_ROW + 1 : ONSET_ROW + 9, NAMES.index('feed_age_seconds{venue="okx"}')]
    np.testing.assert_allclose(np.diff(age), 300)


def test_a_silent_strategy_stops_reporting_what_it_no_longer_does() -> None:
    during = run("silent_strategy", "mm_btc").values[ONSET_ROW + 2 : ONSET_ROW + 9]
    for name in ('fill_ratio{strategy="mm_btc",venue="bybit"}', 'hedge_lag_ms{strategy="mm_btc"}'):
        assert np.isnan(during[:, NAMES.index(name)]).all(), name
    assert (during[:, NAMES.index('orders{strategy="mm_btc",venue="bybit"}')] == 0).all()
    assert np.isfinite(during[:, NAMES.index('inventory_usd{strategy="mm_btc",symbol="BTC"}')]).all()


def test_the_cause_moves_no_later_than_its_victims() -> None:
    here, quiet = run("connection_pool_exhaustion", "trades").values, run("", "").values
    away = np.abs(here - quiet) / (quiet.std(axis=0) + 1e-9) > 3

    def first(name: str) -> int:
        return int(np.argmax(away[:, NAMES.index(name)]))

    assert first('db_connections{database="trades"}') <= first('risk_check_latency_ms{service="risk"}')
    assert first('risk_check_latency_ms{service="risk"}') <= first(
        'slippage_bps{strategy="mm_btc",venue="bybit"}'
    )
