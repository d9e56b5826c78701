"""Impact is observed minus expected, its parts add up, and its interval is honest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evidence.book import Book, decompose
from agent.evidence.money import deviation, impact_of, largest_parts
from domain.series import FloatArray, Series, SeriesKey

NAMES = st.sampled_from(["a", "b", "c"])


def _leaf(strategy: str, venue: str, symbol: str, n: int) -> Series:
    labels = {"strategy": strategy, "venue": venue, "symbol": symbol, "account": str(n)}
    return Series(0, SeriesKey.of("pnl", labels), "pnl_data", "USD", 60)


def test_attribution_adds_up_on_ten_thousand_random_books() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10_000):
        n = int(rng.integers(1, 7))
        labels = rng.choice(["a", "b", "c"], size=(n, 3))
        series = [_leaf(str(one[0]), str(one[1]), str(one[2]), i) for i, one in enumerate(labels)]
        values = rng.standard_t(3, (n, 24)) * 10.0 ** rng.integers(0, 6)
        impact = impact_of(series, values, (16, 24), 1.0)
        assert impact is not None
        for label in ("strategy", "venue", "symbol"):
            total = sum(part.amount for part in impact.by if part.label == label) + impact.unexplained
            assert abs(total - impact.amount) <= 1e-4 * max(abs(impact.amount), 1e-6)


def test_what_the_leaves_do_not_explain_is_shown_as_unexplained() -> None:
    rng = np.random.default_rng(1)
    leaves = rng.standard_normal((2, 100)) * 5
    total = leaves.sum(axis=0)
    total[90:] -= 30.0
    desk = Series(0, SeriesKey.of("pnl"), "pnl_data", "USD", 60)
    series = [desk, _leaf("a", "x", "s", 0), _leaf("b", "x", "s", 1)]
    impact = impact_of(series, np.vstack([total, leaves]), (90, 100), 1.0, total=0)
    assert impact is not None
    assert impact.unexplained == pytest.approx(-300.0, abs=1e-6)


@given(st.lists(st.tuples(NAMES, NAMES, st.floats(-1e6, 1e6)), min_size=1, max_size=8))
def test_an_impact_of_flows_is_their_sum_beyond_the_recent_mean(rows: list[tuple[str, str, float]]) -> None:
    series = [_leaf(strategy, venue, "s", i) for i, (strategy, venue, _) in enumerate(rows)]
    values = np.zeros((len(rows), 40))
    for i, (_, _, amount) in enumerate(rows):
        values[i, 30:] = amount
    impact = impact_of(series, values, (30, 40), 1.0)
    assert impact is not None
    assert impact.amount == pytest.approx(10 * sum(row[2] for row in rows), rel=1e-6, abs=1e-3)


def test_a_gap_counts_as_expected_and_not_as_zero() -> None:
    values = np.full(60, 10.0)
    values[50:55] = np.nan
    values[55:] = 4.0
    assert deviation(values, 50, 60, 30).amount == pytest.approx(-30.0)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_the_interval_covers_what_it_says_for_noise_with_a_memory(memory: float) -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        noise = rng.standard_normal(400)
        for i in range(1, 400):
            noise[i] += memory * noise[i - 1]
        impact = impact_of([_leaf("a", "b", "c", 0)], noise[None, :], (380, 400), 1.3)
        assert impact is not None
        hits += impact.low <= 0.0 <= impact.high
    assert hits / 300 >= 0.88


def test_the_largest_parts_point_the_way_of_the_whole() -> None:
    values = np.zeros((2, 40))
    values[0, 30:], values[1, 30:] = -10.0, 4.0
    impact = impact_of([_leaf("a", "x", "s", 0), _leaf("b", "y", "s", 1)], values, (30, 40), 1.0)
    assert impact is not None
    assert largest_parts(impact)["strategy"].value == "a"
    assert largest_parts(impact)["venue"].value == "x"


def _random_book(rng: np.random.Generator, n: int) -> Book:
    mid = 100 * np.exp(np.cumsum(rng.standard_normal(n + 1) * 0.01))
    traded = rng.standard_normal(n) * (rng.random(n) < 0.5) * 10
    position = np.concatenate([[rng.standard_normal() * 5], traded]).cumsum()[:-1]
    cost = np.sign(traded) * rng.random(n)
    prices: FloatArray = np.where(traded != 0, mid[1:] + cost, np.nan)
    return Book(position, mid[:-1], mid[1:], traded, prices, rng.random(n), rng.standard_normal(n))


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_a_book_is_decomposed_exactly(seed: int, n: int) -> None:
    book = _random_book(np.random.default_rng(seed), n)
    parts = decompose(book)
    assert {part.value for part in parts} == {"price move", "spread and slippage", "fees", "funding"}
    assert sum(part.amount for part in parts) == pytest.approx(book.equity_change(), rel=1e-9, abs=1e-6)


def test_buying_above_the_mid_shows_as_a_trading_cost() -> None:
    one = np.ones(1)
    book = Book(0 * one, 100 * one, 100 * one, 2 * one, 101 * one, 0 * one, 0 * one)
    assert {part.value: part.amount for part in decompose(book)}["spread and slippage"] == -2.0
