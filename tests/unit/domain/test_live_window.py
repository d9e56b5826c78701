"""The live window: every sample in its cell, whatever its order of arrival."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.live_window import LiveWindow, increases
from domain.series import SampleBatch, Series, SeriesKey

START = datetime(2026, 3, 1, tzinfo=UTC)
PNL = Series(1, SeriesKey.of("pnl", {"strategy": "mm"}))
CPU = Series(2, SeriesKey.of("cpu_percent"), kind="gauge")
REQUESTS = Series(3, SeriesKey.of("requests_total"), kind="counter")


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_samples_land_in_the_cell_that_holds_their_time() -> None:
    window = LiveWindow(300, 4, at(0))
    change = window.advance(
        SampleBatch.of([(PNL, at(0), 1.0), (PNL, at(9.99), 2.0), (PNL, at(15), 4.0)]), at(16)
    )
    view = window.view()
    assert view.start == at(0)
    np.testing.assert_array_equal(view.row('pnl{strategy="mm"}'), [1.0, 2.0, np.nan, 4.0])
    assert change.first_column == 0


def test_a_late_sample_reopens_only_the_columns_from_its_own_on() -> None:
    window = LiveWindow(300, 10, at(0))
    window.advance(SampleBatch.of([(PNL, at(0), 1.0)]), at(40))
    change = window.advance(SampleBatch.of([(CPU, at(35), 7.0)]), at(45))
    assert window.view().time_at(change.first_column) == at(35)


def test_writing_the_same_sample_again_reopens_nothing() -> None:
    window = LiveWindow(300, 10, at(0))
    window.advance(SampleBatch.of([(PNL, at(35), 1.0)]), at(45))
    assert window.advance(SampleBatch.of([(PNL, at(35), 1.0)]), at(45)).first_column == window.n_steps


def test_of_several_samples_in_a_cell_the_latest_time_wins_whatever_arrives_last() -> None:
    window = LiveWindow(300, 2, at(0))
    window.advance(SampleBatch.of([(PNL, at(4), 4.0), (PNL, at(1), 1.0), (PNL, at(4), 5.0)]), at(4))
    assert window.view().row('pnl{strategy="mm"}')[-1] == 5.0


def test_a_counter_reset_is_no_negative_spike_and_a_gap_hides_no_jump() -> None:
    raw = np.array([[10.0, 14.0, 3.0, np.nan, 9.0, 11.0]])
    np.testing.assert_array_equal(increases(raw), [[4.0, 3.0, np.nan, np.nan, 2.0]])


def test_the_cell_before_the_window_serves_the_first_increase() -> None:
    window = LiveWindow(300, 2, at(10))
    window.advance(
        SampleBatch.of([(REQUESTS, at(m), v) for m, v in ((0, 5.0), (5, 9.0), (10, 10.0))]), at(10)
    )
    np.testing.assert_array_equal(window.view().row("requests_total"), [4.0, 1.0])


def test_data_outside_the_window_are_left_to_storage() -> None:
    window = LiveWindow(300, 2, at(100))
    assert window.advance(SampleBatch.of([(PNL, at(0), 1.0), (PNL, at(300), 1.0)]), at(100)).cells == 0


@given(st.permutations(range(24)), st.integers(1, 5))
def test_the_order_of_arrival_does_not_matter(order: list[int], parts: int) -> None:
    samples = [(PNL if i % 2 else CPU, at(2.4 * i), float(i)) for i in order]
    window = LiveWindow(300, 12, at(0))
    for part in range(parts):
        window.advance(SampleBatch.of(samples[part::parts]), at(55))
    direct = LiveWindow(300, 12, at(0))
    direct.advance(SampleBatch.of(sorted(samples, key=lambda one: one[1])), at(55))
    np.testing.assert_array_equal(window.view().values, direct.view().values)
