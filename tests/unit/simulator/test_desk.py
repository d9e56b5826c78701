"""The desk as numbers: the same twice, money that adds up, and the statistics of a real market."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.simulator.books import PARTS
from collectors.simulator.desk import Block, Desk
from collectors.simulator.layout import CELLS, LINKS, PLANS, STEPS_PER_DAY, SYMBOLS, VENUES
from collectors.simulator.vocabulary import METRICS, SERIES
from domain.series import FloatArray

# 1 November 2026, a Sunday, 00:00 UTC.
FIRST_STEP = 1_793_491_200 // 300
FORTNIGHT = 14 * STEPS_PER_DAY


@pytest.fixture(scope="module")
def fortnight() -> Block:
    return Desk(11, FIRST_STEP).advance(FORTNIGHT, ())


def column(block: Block, name: str) -> FloatArray:
    names = [series.name for series in SERIES]
    values: FloatArray = block.values[:, names.index(name)]
    return values


def every(block: Block, metric: str) -> Iterator[FloatArray]:
    for i, series in enumerate(SERIES):
        if series.key.metric == metric:
            yield block.values[:, i]


def test_the_same_seed_gives_the_same_desk(fortnight: Block) -> None:
    again = Desk(11, FIRST_STEP).advance(FORTNIGHT, ())
    assert again.values.tobytes() == fortnight.values.tobytes()
    assert again.books.pnl.tobytes() == fortnight.books.pnl.tobytes()


def test_another_seed_gives_another_desk(fortnight: Block) -> None:
    other = Desk(12, FIRST_STEP).advance(STEPS_PER_DAY, ())
    assert not np.allclose(other.values, fortnight.values[:STEPS_PER_DAY])


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, 399))
def test_a_stretch_made_in_two_pieces_is_the_stretch_made_at_once(cut: int) -> None:
    whole = Desk(3, FIRST_STEP).advance(400, ())
    desk = Desk(3, FIRST_STEP)
    pieces = [desk.advance(cut, ()), desk.advance(400 - cut, ())]
    joined = np.concatenate([piece.values for piece in pieces])
    # Exported digits are rounded: one unit in the last place may differ.
    np.testing.assert_allclose(joined, whole.values, rtol=1e-9, atol=1e-4)


def test_live_steps_one_by_one_repeat_to_the_last_bit() -> None:
    runs = []
    for _ in range(2):
        desk = Desk(5, FIRST_STEP)
        desk.advance(500, ())
        runs.append(np.concatenate([desk.advance(1, ()).values for _ in range(50)]).tobytes())
    assert runs[0] == runs[1]


def test_the_parts_of_pnl_add_up_to_the_cent(fortnight: Block) -> None:
    cents = np.rint(fortnight.books.pnl * 100)
    parts = sum(np.rint(fortnight.books.parts[name] * 100) for name in PARTS)
    np.testing.assert_array_equal(cents, parts)
    np.testing.assert_allclose(fortnight.books.pnl * 100, cents, atol=1e-6)


def test_a_quiet_desk_exposes_every_series_all_the_time(fortnight: Block) -> None:
    assert fortnight.values.shape == (FORTNIGHT, len(SERIES))
    assert np.isfinite(fortnight.values).all()
    assert len({series.name for series in SERIES}) == len(SERIES)
    assert 120 <= len(SERIES) + len(CELLS) <= 200


def test_the_desk_has_the_size_of_a_desk() -> None:
    assert len(PLANS) == 6
    assert len(VENUES) == len(SYMBOLS) == 3
    assert {metric.source for metric in METRICS} == {"trading_metrics", "market_data", "system_metrics"}


def test_a_quiet_desk_earns_money_with_good_and_bad_hours(fortnight: Block) -> None:
    hours = fortnight.books.pnl.sum(axis=1).reshape(-1, 12).sum(axis=1)
    assert 1_000 < hours.mean() < 20_000
    assert (hours < 0).any()
    assert (hours > 0).mean() > 0.8


def test_returns_have_fat_tails_and_volatility_comes_in_clusters(fortnight: Block) -> None:
    for returns in every(fortnight, "return_bps"):
        standard = (returns - returns.mean()) / returns.std()
        assert (standard**4).mean() > 4.5
        size = np.abs(standard)
        assert np.corrcoef(size[:-12], size[12:])[0, 1] > 0.08
        assert abs(np.corrcoef(standard[:-1], standard[1:])[0, 1]) < 0.1


def test_venues_move_together_and_symbols_nearly_so(fortnight: Block) -> None:
    def returns(venue: str, symbol: str) -> FloatArray:
        return column(fortnight, f'return_bps{{symbol="{symbol}",venue="{venue}"}}')

    assert np.corrcoef(returns("binance", "BTC"), returns("okx", "BTC"))[0, 1] > 0.98
    across = np.corrcoef(returns("binance", "BTC"), returns("okx", "SOL"))[0, 1]
    assert 0.5 < across < 0.95


def test_volume_has_a_day_and_a_week(fortnight: Block) -> None:
    days = np.log(fortnight.market.volume.sum(axis=(1, 2))).reshape(14, STEPS_PER_DAY)
    hours = days.mean(axis=0).reshape(24, -1).mean(axis=1)
    assert hours[14] - hours[4] > 0.5
    weekend = np.isin(np.arange(14) % 7, (6, 0))  # the first day is a Sunday
    assert days[~weekend].mean() - days[weekend].mean() > 0.25


def test_spread_widens_and_depth_thins_with_volatility(fortnight: Block) -> None:
    volatility = np.log(fortnight.market.realized_bps.mean(axis=(1, 2)))
    spread = np.log(fortnight.market.spread_bps.mean(axis=(1, 2)))
    depth = np.log(fortnight.market.depth.mean(axis=(1, 2)))
    season = fortnight.market.season

    def beyond_season(x: FloatArray) -> FloatArray:
        rest: FloatArray = x - np.polyval(np.polyfit(season, x, 1), season)
        return rest

    assert np.corrcoef(beyond_season(volatility), beyond_season(spread))[0, 1] > 0.5
    assert np.corrcoef(beyond_season(volatility), beyond_season(depth))[0, 1] < -0.5


def test_machines_work_harder_when_the_market_does(fortnight: Block) -> None:
    load = fortnight.market.load
    for name in ("cpu_percent", "order_ack_latency_ms", "order_queue_depth", "feed_latency_ms"):
        for values in every(fortnight, name):
            assert np.corrcoef(load, values)[0, 1] > 0.25, name


def test_carry_is_paid_for_holding_the_dear_leg_short(fortnight: Block) -> None:
    bybit = [i for i, (s, v, _) in enumerate(CELLS) if (s, v) == ("carry_perp", "bybit")]
    funding = fortnight.books.parts["funding"]
    assert funding[:, bybit].sum() > 0
    others = [i for i, (s, _, _) in enumerate(CELLS) if s != "carry_perp"]
    assert not funding[:, others].any()


def test_inventory_explains_the_price_pnl_of_a_strategy(fortnight: Block) -> None:
    cell = CELLS.index(("momentum", "binance", "BTC"))
    held = column(fortnight, 'inventory_usd{strategy="momentum",symbol="BTC"}')
    returns = column(fortnight, 'return_bps{symbol="BTC",venue="binance"}') / 1e4
    np.testing.assert_allclose(
        fortnight.books.parts["price_pnl"][1:, cell], held[:-1] * returns[1:], atol=0.1
    )


def test_orders_are_whole_and_ratios_are_shares(fortnight: Block) -> None:
    for values in every(fortnight, "orders"):
        np.testing.assert_array_equal(values, np.round(values))
    for name in ("fill_ratio", "order_reject_ratio"):
        for values in every(fortnight, name):
            assert values.min() > 0
            assert values.max() < 1
    assert len(list(every(fortnight, "orders"))) == len(LINKS)
