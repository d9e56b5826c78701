"""Derived metrics of a desk: they hold for every series, and never look ahead."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from domain.market import (
    basis_bps,
    book_imbalance,
    divergence_bps,
    ratio_to_usual,
    realized_volatility_bps,
    returns_bps,
    trailing_correlation,
)
from domain.series import FloatArray

values = st.one_of(st.floats(0.01, 1e6), st.sampled_from([math.nan, 0.0, -1.0, math.inf]))
some = arrays(np.float64, st.integers(0, 40), elements=values)
pairs = st.integers(0, 40).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=values)] * 2))

CAUSAL: dict[str, Callable[[FloatArray], FloatArray]] = {
    "returns": returns_bps,
    "volatility": lambda one: realized_volatility_bps(returns_bps(one), 5),
    "ratio": lambda one: ratio_to_usual(one, 7),
    "correlation": lambda one: trailing_correlation(returns_bps(one), returns_bps(np.abs(one) ** 1.5), 6),
}


@pytest.mark.parametrize("name", CAUSAL)
@given(series=some, cut=st.integers(0, 40))
def test_a_value_does_not_depend_on_later_ones(name: str, series: FloatArray, cut: int) -> None:
    whole = CAUSAL[name](series)
    assert whole.shape == series.shape
    np.testing.assert_array_equal(CAUSAL[name](series[:cut]), whole[:cut])


@given(series=some)
def test_returns_are_what_a_loop_would_find_and_gaps_stay_gaps(series: FloatArray) -> None:
    found = returns_bps(series)
    for i, value in enumerate(found):
        before, now = (series[i - 1] if i else math.nan), series[i]
        usable = all(math.isfinite(x) and x > 0 for x in (before, now))
        assert math.isnan(value) != usable
        if usable:
            assert value == pytest.approx((now / before - 1) * 1e4)


@given(series=some, scale=st.floats(0.01, 100))
def test_returns_do_not_depend_on_the_currency(series: FloatArray, scale: float) -> None:
    np.testing.assert_allclose(returns_bps(series * scale), returns_bps(series), rtol=1e-6, atol=1e-6)


@given(returns=arrays(np.float64, 30, elements=st.floats(-500, 500)), window=st.integers(2, 10))
def test_volatility_is_the_root_mean_square_of_the_window(returns: FloatArray, window: int) -> None:
    found = realized_volatility_bps(returns, window)
    for i in range(window - 1, 30):
        expected = math.sqrt(float(np.mean(returns[i - window + 1 : i + 1] ** 2)))
        assert found[i] == pytest.approx(expected, abs=1e-9)


def test_a_volume_is_compared_with_those_before_it_alone() -> None:
    volumes = np.array([10.0, 10, 10, 10, 100, 10])
    found = ratio_to_usual(volumes, 4)
    assert found[4] == 10
    assert found[5] == 1
    assert np.isnan(found[:2]).all()


def test_no_usual_volume_gives_no_ratio() -> None:
    assert np.isnan(ratio_to_usual(np.zeros(10), 4)).all()


@given(pair=pairs)
def test_the_basis_is_zero_against_oneself_and_changes_sign_with_the_side(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    perp, spot = pair
    own = basis_bps(perp, perp)
    assert np.all(own[np.isfinite(own)] == 0)
    there, back = basis_bps(perp, spot), basis_bps(spot, perp)
    known = np.isfinite(there)
    assert np.array_equal(known, np.isfinite(back))
    assert np.all(np.sign(there[known]) == -np.sign(back[known]))


@given(prices=arrays(np.float64, (3, 12), elements=values))
def test_divergence_is_never_negative_and_blind_to_the_order_of_venues(prices: FloatArray) -> None:
    found = divergence_bps(prices)
    known = np.isfinite(found)
    assert np.all(found[known] >= 0)
    np.testing.assert_array_equal(found, divergence_bps(prices[::-1]))
    usable = (np.isfinite(prices) & (prices > 0)).sum(axis=0)
    assert np.array_equal(known, usable >= 2)


@given(pair=pairs, window=st.integers(3, 12))
def test_correlation_stays_within_its_bounds_and_is_symmetric(
    pair: tuple[FloatArray, FloatArray], window: int
) -> None:
    first, second = (np.where(np.isfinite(one), one, np.nan) for one in pair)
    there, back = trailing_correlation(first, second, window), trailing_correlation(second, first, window)
    np.testing.assert_array_equal(np.isnan(there), np.isnan(back))
    known = np.isfinite(there)
    assert np.all(np.abs(there[known]) <= 1)
    np.testing.assert_allclose(there[known], back[known], atol=1e-9)


def test_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=50), rng.normal(size=50)
    found = trailing_correlation(a, b, 20)
    for i in range(19, 50):
        assert found[i] == pytest.approx(np.corrcoef(a[i - 19 : i + 1], b[i - 19 : i + 1])[0, 1])
    assert np.isnan(found[:9]).all()


def test_what_stands_still_correlates_with_nothing() -> None:
    assert np.isnan(trailing_correlation(np.full(20, 7.1), np.arange(20.0), 10)).all()


@given(bid=st.floats(0, 1e9), ask=st.floats(0, 1e9))
def test_imbalance_lies_between_minus_one_and_one(bid: float, ask: float) -> None:
    found = book_imbalance(bid, ask)
    if bid + ask == 0:
        assert math.isnan(found)
    else:
        assert -1 <= found <= 1
        assert found == -book_imbalance(ask, bid)
