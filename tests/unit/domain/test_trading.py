"""The split of a book's gains: exact for every book, and right where it can be told by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from domain.trading import PARTS, Trades, drawdown, equity_change, rolling_sharpe, statement


def trades(*rows: tuple[int, float, float, float, float, float, float]) -> Trades:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 7
    arrays = [np.array(column, dtype=np.float64) for column in columns]
    return Trades(arrays[0].astype(np.int64), *arrays[1:])


prices = st.floats(1, 1e5)
maybe = st.one_of(prices, st.just(math.nan))
row = st.tuples(
    st.integers(0, 5), st.floats(-100, 100), prices, st.floats(-5, 5), st.floats(-5, 5), maybe, maybe
)


@given(
    rows=st.lists(row, max_size=30),
    marks=st.lists(prices, min_size=7, max_size=7),
    opening=st.floats(-50, 50),
)
def test_the_parts_add_up_to_the_change_of_equity(
    rows: list[tuple[int, float, float, float, float, float, float]], marks: list[float], opening: float
) -> None:
    book, at = trades(*sorted(rows)), np.array(marks)
    found = statement(book, at, opening)
    expected = equity_change(book, at, opening)
    size = (np.abs(book.amount).sum() + abs(opening) + 1) * 1e5
    assert float(found.pnl.sum()) == pytest.approx(expected, abs=1e-9 * size)
    assert found.position[-1] == pytest.approx(opening + book.amount.sum(), abs=1e-9 * size)
    assert set(found.parts) == set(PARTS)


@given(rows=st.lists(row, max_size=20), cut=st.integers(1, 6), opening=st.floats(-50, 50))
def test_a_cell_does_not_depend_on_later_ones(
    rows: list[tuple[int, float, float, float, float, float, float]], cut: int, opening: float
) -> None:
    marks = np.linspace(100, 130, 7)
    whole = statement(trades(*sorted(rows)), marks, opening)
    before = statement(trades(*sorted(one for one in rows if one[0] < cut)), marks[: cut + 1], opening)
    for name in PARTS:
        np.testing.assert_array_equal(before.parts[name], whole.parts[name][:cut])


def test_a_fill_is_split_as_one_would_by_hand() -> None:
    # Decided at 100, the mid was 101 when 2 units were bought at 101.5; the mark ends at 103.
    found = statement(
        trades((0, 2, 101.5, 0.3, 0, 101, 100), (1, 0, 0, 0, -0.7, math.nan, math.nan)),
        np.array([100.0, 103, 104]),
        0,
    )
    assert [float(found.parts[name][0]) for name in PARTS] == [6, -1, -2, -0.3, 0]
    assert [float(found.parts[name][1]) for name in PARTS] == [2, 0, 0, 0, -0.7]
    assert float(found.cost[0]) == 3
    assert float(found.turnover[0]) == float(found.measured[0]) == 203
    assert list(found.fills) == [1, 0]


def test_without_a_mid_price_the_move_counts_from_the_price_paid() -> None:
    found = statement(trades((0, -1, 99, 0, 0, math.nan, math.nan)), np.array([100.0, 98]), 0)
    assert found.parts["price"][0] == 1
    assert found.parts["spread"][0] == found.parts["slippage"][0] == found.measured[0] == 0


def test_a_flat_book_needs_no_marks() -> None:
    found = statement(trades(), np.full(4, np.nan), 0)
    assert np.all(found.pnl == 0)


@given(gains=st.lists(st.floats(-1e6, 1e6), max_size=40), cut=st.integers(0, 40))
def test_drawdown_is_never_negative_and_looks_back_alone(gains: list[float], cut: int) -> None:
    equity = np.cumsum(np.array(gains, dtype=np.float64))
    found = drawdown(equity, 0.0)
    assert np.all(found >= 0)
    for i, value in enumerate(found):
        assert value == pytest.approx(max(0.0, float(equity[: i + 1].max())) - equity[i], abs=1e-6)
    np.testing.assert_array_equal(drawdown(equity[:cut], 0.0), found[:cut])


def test_the_sharpe_ratio_is_mean_over_deviation_of_whole_windows() -> None:
    pnl = default_rng(3).normal(1, 2, 60)
    found = rolling_sharpe(pnl, 20, 365)
    assert np.isnan(found[:19]).all()
    last = pnl[40:]
    assert found[59] == pytest.approx(last.mean() / last.std(ddof=1) * math.sqrt(365))
    np.testing.assert_allclose(rolling_sharpe(pnl[:30], 20, 365), found[:30])
    assert np.isnan(rolling_sharpe(np.full(30, 1.7), 20, 365)).all()
    assert len(rolling_sharpe(np.empty(0), 20, 365)) == 0
