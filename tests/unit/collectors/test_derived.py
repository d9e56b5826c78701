"""Series that follow from others: right by hand, causal, and silent where nothing changed."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng
from pydantic import ValidationError

from collectors.derived import derive
from collectors.settings_derived import DerivedSettings
from domain.series import FloatArray, SampleBatch, Series, SeriesKey, Window

START = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = (
    'price{symbol="BTC",venue="bybit"}',
    'price{symbol="BTC",venue="binance"}',
    'price{symbol="ETH",venue="bybit"}',
    'spot{symbol="BTC"}',
)


def window(values: FloatArray, names: tuple[str, ...] = NAMES) -> Window:
    series = tuple(Series(i + 1, SeriesKey.parse(name)) for i, name in enumerate(names))
    return Window(series, 300, START, values)


def settings(**values: object) -> DerivedSettings:
    return DerivedSettings.model_validate({"metric": "x", "of": "price", **values})


def found(batch: SampleBatch) -> dict[str, list[float]]:
    result: dict[str, list[float]] = {}
    for series, _, value in batch:
        result.setdefault(series.name, []).append(value)
    return result


PRICES = np.array([[100.0, 101, 102], [100, 100, 104], [10, 11, 10], [99, 101, np.nan]])


def test_the_basis_stands_between_a_price_and_its_own_reference() -> None:
    one = settings(kind="basis", metric="basis_bps", against="spot", per=["symbol"])
    basis = found(derive(window(PRICES), 0, [one]))
    assert set(basis) == {
        'basis_bps{symbol="BTC",venue="bybit"}',
        'basis_bps{symbol="BTC",venue="binance"}',
    }
    assert basis['basis_bps{symbol="BTC",venue="bybit"}'] == pytest.approx([1e4 / 99, 0])


def test_venues_are_compared_per_symbol() -> None:
    one = settings(kind="divergence", metric="venue_divergence_bps", per=["symbol"])
    ((name, values),) = found(derive(window(PRICES), 0, [one])).items()
    assert name == 'venue_divergence_bps{symbol="BTC"}'
    assert values == pytest.approx([0, 1 / 100.5 * 1e4, 2 / 103 * 1e4])


def test_every_pair_is_correlated_once_and_named_by_what_differs() -> None:
    rng = default_rng(1)
    moves = rng.normal(0, 0.001, (3, 60))
    moves[1] = moves[0] + rng.normal(0, 0.0001, 60)
    prices = 100 * np.exp(np.cumsum(moves, axis=1))
    one = settings(kind="correlation", metric="pair_correlation", window=20)
    pairs = found(derive(window(prices, NAMES[:3]), 0, [one]))
    assert set(pairs) == {
        'pair_correlation{pair="binance~bybit"}',
        'pair_correlation{pair="BTC binance~ETH bybit"}',
        'pair_correlation{pair="BTC~ETH"}',
    }
    assert pairs['pair_correlation{pair="binance~bybit"}'][-1] > 0.95
    assert abs(pairs['pair_correlation{pair="BTC~ETH"}'][-1]) < 0.7
    narrow = settings(kind="correlation", of='price{venue="bybit"}', window=20)
    assert set(found(derive(window(prices, NAMES[:3]), 0, [narrow]))) == {'x{pair="BTC~ETH"}'}


@given(
    seed=st.integers(0, 1_000),
    cut=st.integers(1, 29),
    kind=st.sampled_from(
        ["return", "volatility", "ratio_to_usual", "basis", "difference", "divergence", "correlation"]
    ),
)
def test_a_column_does_not_depend_on_later_ones(seed: int, cut: int, kind: str) -> None:
    values = default_rng(seed).uniform(50, 150, (4, 30))
    one = settings(
        kind=kind, window=5, per=["symbol"], against="spot" if kind in {"basis", "difference"} else None
    )
    whole = derive(window(values), 0, [one])
    before = derive(window(values[:, :cut]), 0, [one])
    until = before.timestamps.max(initial=0)
    early = {(s.name, at): v for s, at, v in whole}
    assert all(early[s.name, at] == v for s, at, v in before)
    assert len(before) == int((whole.timestamps < int(START.timestamp() * 1e6) + cut * 300_000_000).sum())
    assert until <= whole.timestamps.max(initial=0)


def test_only_what_is_new_or_changed_is_given_again() -> None:
    one = settings(kind="return", metric="move")
    all_of_it = derive(window(PRICES), 0, [one])
    assert len(all_of_it) == 6
    assert len(derive(window(PRICES), 2, [one])) == 3
    names = (*NAMES, 'move{symbol="BTC",venue="bybit"}')
    held = np.vstack([PRICES, [np.nan, 100.0, 0.0]])
    again = found(derive(window(held, names), 0, [one]))
    assert again['move{symbol="BTC",venue="bybit"}'] == pytest.approx([(102 / 101 - 1) * 1e4])


def test_the_number_of_new_series_is_bounded() -> None:
    one = settings(kind="return", metric="move", max_series=2)
    assert len(derive(window(PRICES), 0, [one]).series) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "basis"},
        {"kind": "return", "against": "spot"},
        {"kind": "return", "of": "price{broken"},
        {"kind": "return", "metric": "price"},
        {"kind": "return", "metric": "a{b}"},
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)
