"""Statistics, comparisons and movers over arrays."""

from datetime import UTC, datetime

import numpy as np

from agent.chat.figures import co_movers_of, comparison_of, movers_of, statistics_of
from domain.series import Series, SeriesKey, Window

LATENCY = Series(1, SeriesKey.of("order_ack_latency_ms", {"venue": "bybit"}), unit="ms")
OTHER = Series(2, SeriesKey.of("hedge_lag_ms", {"strategy": "mm"}), unit="ms")
START = datetime(2026, 3, 1, tzinfo=UTC)


def test_statistics_leave_gaps_out_and_name_the_time_of_extremes() -> None:
    times = np.arange(4, dtype=np.int64) * 300_000_000
    found = statistics_of(LATENCY, times, np.array([1.0, np.nan, 5.0, 3.0]))
    assert (found.n, found.mean, found.sum, found.max) == (3, 3.0, 9.0, 5.0)
    assert found.max_at == datetime(1970, 1, 1, 0, 10, tzinfo=UTC)


def test_nothing_but_gaps_has_no_figures() -> None:
    found = statistics_of(LATENCY, np.zeros(1, dtype=np.int64), np.array([np.nan]))
    assert (found.n, found.mean) == (0, None)


def test_a_comparison_with_several_days_says_how_unusual_it_is() -> None:
    days = [np.full(12, level) for level in (9.0, 10.0, 11.0, 10.0)]
    found = comparison_of(LATENCY, np.full(12, 30.0), days, total=False)
    assert (found.value, found.other, found.windows) == (30.0, 10.0, 4)
    assert found.z is not None
    assert found.z > 10


def test_the_series_that_moved_leads_and_a_noisy_one_does_not() -> None:
    rng = np.random.default_rng(1)
    values = np.vstack([10 + rng.normal(0, 0.5, 100), 10 + rng.normal(0, 8, 100)])
    values[0, 90:] += 20
    window = Window((LATENCY, OTHER), 300, START, values)
    found = movers_of(window, 90, 100, 5)
    assert found[0].series == LATENCY.name
    assert found[0].z > abs(found[1].z)


def test_what_moves_first_has_a_positive_lag() -> None:
    rng = np.random.default_rng(2)
    walk = rng.normal(size=200).cumsum()
    values = np.vstack([np.concatenate([np.zeros(2), walk[:-2]]), walk])
    found = co_movers_of(Window((LATENCY, OTHER), 300, START, values), 0, 3)
    assert found[0].lag_seconds == 600.0
    assert found[0].correlation > 0.95
