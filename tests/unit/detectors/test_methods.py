"""The methods as pure functions: known answers, slow oracles and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detectors.budget import discoveries
from detectors.changepoint import best_splits, cells_since, change_points, confirmed, shift_z
from detectors.frozen import frozen_scores, trailing_run
from detectors.iqr import iqr_scores
from detectors.past_range import range_scores
from detectors.pca import fit_axes, pca_scores, projection, usable_columns
from detectors.recurrence import Recurrence
from detectors.residual import residual_scores
from detectors.robust_zscore import robust_zscores
from detectors.scored import sorted_quantiles
from detectors.severity import confidence, severity
from detectors.stale import stale_scores, trailing_gap
from detectors.tail import Tail
from detectors.zscore import zscores
from domain.series import FloatArray

WINDOWED = (zscores, robust_zscores, iqr_scores, range_scores, residual_scores)


def baseline(seed: int = 0, n: int = 4, steps: int = 200) -> FloatArray:
    return np.random.default_rng(seed).normal(50.0, 2.0, size=(n, steps))


@pytest.mark.parametrize("method", WINDOWED)
def test_scores_do_not_change_with_the_unit(method) -> None:  # type: ignore[no-untyped-def]
    past, x = baseline(), np.array([50.0, 60.0, 30.0, 51.0])
    np.testing.assert_allclose(method(past * 8.0, x * 8.0).score, method(past, x).score, rtol=1e-6)


@pytest.mark.parametrize("method", WINDOWED)
def test_the_input_is_left_alone_and_the_answer_repeats(method) -> None:  # type: ignore[no-untyped-def]
    past, x = baseline(), np.full(4, 55.0)
    copy = past.copy()
    first, second = method(past, x).score, method(past, x).score
    np.testing.assert_array_equal(past, copy)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", WINDOWED)
def test_too_few_points_are_not_judged(method) -> None:  # type: ignore[no-untyped-def]
    assert np.isnan(method(baseline(steps=5), np.zeros(4)).score).all()


@pytest.mark.parametrize("method", WINDOWED)
def test_leaving_a_constant_is_infinite_and_staying_is_zero(method) -> None:  # type: ignore[no-untyped-def]
    with np.errstate(all="ignore"):
        score = method(np.full((2, 60), 3.0), np.array([3.0, 4.0])).score
    assert score[0] == 0.0
    assert score[1] == np.inf or score[1] > 1e6


@pytest.mark.parametrize("method", [zscores, robust_zscores, residual_scores])
def test_a_huge_offset_cancels(method) -> None:  # type: ignore[no-untyped-def]
    past = np.round(baseline() * 8) / 8
    x = np.full(4, 58.0)
    np.testing.assert_allclose(method(past + 2.0**40, x + 2.0**40).score, method(past, x).score, rtol=1e-3)


def test_zscores_are_the_textbook_formula() -> None:
    past, x = baseline(seed=3), np.array([40.0, 50.0, 55.0, 60.0])
    naive = [(x[i] - past[i].mean()) / past[i].std(ddof=1) for i in range(4)]
    np.testing.assert_allclose(zscores(past, x).score, naive)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (3, 25), elements=st.floats(-1e6, 1e6)))
def test_quantiles_agree_with_numpy(values: FloatArray) -> None:
    for share, found in zip((0.25, 0.5, 0.9), sorted_quantiles(values, (0.25, 0.5, 0.9)), strict=True):
        np.testing.assert_allclose(found, np.quantile(values, share, axis=1), rtol=1e-9, atol=1e-6)


def naive_split(x: FloatArray) -> int:
    """The split with the largest reduction of squares, by trying all."""
    best, where = -1.0, 0
    for k in range(5, len(x) - 4):
        gain = k * (len(x) - k) / len(x) * (x[:k].mean() - x[k:].mean()) ** 2
        if gain > best:
            best, where = gain, k
    return where


@pytest.mark.parametrize("seed", range(20))
def test_the_fast_split_is_the_naive_split(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=120)
    x[70:] += 2.0
    assert best_splits(x[None]).column[0] == naive_split(x)


def test_the_exact_search_confirms_a_shift_and_refuses_noise() -> None:
    values = baseline(seed=5, n=6, steps=288)
    values[2, 200:] += 8.0
    splits = best_splits(values)
    assert confirmed(values, splits, 4.0, 2_000).tolist() == [2]
    assert abs(change_points(values[2])[-1] - 200) <= 2
    assert (np.abs(shift_z(splits, 288))[[0, 1, 3, 4, 5]] < 4.0).all()


def test_a_very_long_series_is_searched_in_bounded_size() -> None:
    x = np.random.default_rng(1).normal(size=100_000)
    x[60_000:] += 3.0
    found = change_points(x, longest=1_000)
    assert any(abs(one - 60_000) <= 300 for one in found)


def test_frozen_and_stale_count_what_a_loop_counts() -> None:
    values = np.array([[1.0, 2.0, 2.0, 2.0], [1.0, 1.0, np.nan, np.nan], [np.nan] * 4])
    assert trailing_run(values).tolist() == [2.0, 1.0, 0.0]
    assert trailing_gap(values).tolist() == [0.0, 2.0, 4.0]
    assert stale_scores(np.array([6.0]), np.array([1.0])).tolist() == [3.0]
    assert frozen_scores(np.array([5.0]), np.array([2.0]), np.array([0.1]))[0] == pytest.approx(3.0)


def test_pca_names_the_column_that_broke_the_pattern() -> None:
    rng = np.random.default_rng(6)
    factor = rng.normal(size=(300, 1))
    rows = factor @ np.ones((1, 5)) + 0.1 * rng.normal(size=(300, 5))
    model = fit_axes(rows)
    assert model is not None
    broken = np.ones(5)
    broken[3] = -1.0
    ratio, contribution = pca_scores(model, broken)
    assert ratio > 1.0
    assert int(contribution.argmax()) == 3
    assert projection(model, rows).shape == (300, 2)


def test_pca_survives_duplicates_constants_and_empty_columns() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(50, 1))
    rows = np.concatenate([x, x, np.full((50, 1), 3.0), np.full((50, 1), np.nan)], axis=1)
    assert usable_columns(rows).tolist() == [True, True, False, False]
    model = fit_axes(rows)
    assert model is not None
    assert np.isfinite(pca_scores(model, rows[0])[0])
    assert fit_axes(rows[:, 2:]) is None


def test_the_tail_gives_the_frequency_it_promises() -> None:
    rng = np.random.default_rng(8)
    tail = Tail.empty((200,))
    passed = 0
    for t in range(3_000):
        x = rng.exponential(0.4, size=200)
        if t >= 1_000:
            passed += int((tail.surprise(x) >= 2.0).sum())
        tail.learn(x, np.ones(200, dtype=bool))
    assert passed / (2_000 * 200) == pytest.approx(0.01, rel=0.3)


def test_benjamini_hochberg_accepts_what_the_definition_accepts() -> None:
    p = np.array([0.001, 0.02, 0.8, 0.03, np.nan])
    assert discoveries(p, 0.05) == 0.03
    assert discoveries(np.array([0.5, 0.9]), 0.05) == 0.0
    assert discoveries(np.array([]), 0.05) == 0.0


def test_a_peak_that_keeps_coming_back_counts_less() -> None:
    memory = Recurrence(1)
    first = memory.discounted(np.array([9.0]))[0]
    for t in range(48 * 20):
        memory.learn(np.array([9.0 if t % 48 == 10 else 0.1]))
    assert memory.discounted(np.array([9.0]))[0] < first
    assert memory.discounted(np.array([20.0]))[0] == 20.0


def test_severity_grows_with_surprise_and_lasting_and_small_moves_stay_medium() -> None:
    assert [severity(s, 3.0, 9.0, 1) for s in (3.0, 4.0, 5.5, 7.5)] == ["low", "medium", "high", "critical"]
    assert severity(3.6, 3.0, 9.0, 5) == "medium"
    assert severity(50.0, 3.0, 2.0, 9) == "medium"
    assert 0 < confidence(3.0, 500) < confidence(6.0, 500) < 1
    assert confidence(6.0, 10) < confidence(6.0, 1_000)


@pytest.mark.parametrize("age", [1, 2, 3, 4, 5, 6, 9, 20])
def test_a_large_shift_is_dated_to_its_first_cell_also_when_it_is_new(age: int) -> None:
    values = np.random.default_rng(3).normal(size=(50, 288))
    values[::2, -age:] += 30.0
    values[1::2, -age:] -= 30.0
    assert (cells_since(values, best_splits(values)) == age - 1).all()
