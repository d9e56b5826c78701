"""Tables scored row by row."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.settings import DetectionSettings
from detectors.table import RowScore, TableScorer, score_tables
from domain.series import FloatArray
from domain.timestamps import to_microseconds

START = to_microseconds(datetime(2026, 3, 1, tzinfo=UTC))
STEP = 300_000_000


def score(values: FloatArray, config: DetectionSettings | None = None) -> list[RowScore]:
    scorer = TableScorer(values.shape[1], config or DetectionSettings())
    with np.errstate(all="ignore"):
        return [scorer.step(START + i * STEP, row) for i, row in enumerate(values)]


def noise(rows: int, columns: int = 3, seed: int = 0) -> FloatArray:
    return 10.0 + np.random.default_rng(seed).normal(size=(rows, columns))


def test_the_future_never_changes_a_score() -> None:
    values = noise(400)
    poisoned = values.copy()
    poisoned[300:] = np.random.default_rng(1).normal(size=(100, 3)) * 1e6
    assert score(values)[:300] == score(poisoned)[:300]


def test_a_spike_scores_above_everything_before_and_names_its_column() -> None:
    values = noise(600)
    values[500, 2] += 15.0
    found = score(values)
    assert found[500].score > max(one.score for one in found[50:500])
    assert found[500].column == 2
    assert found[500].is_anomaly


def test_a_weak_joint_change_scores_more_than_the_noise_around_it() -> None:
    values = noise(900, columns=6, seed=4)
    values[800:830, :5] += 2.5
    found = score(values)
    before = [one.score for one in found[500:800]]
    assert max(one.score for one in found[800:830]) > np.quantile(before, 0.995)


def test_an_excursion_alarms_once_unless_it_grows() -> None:
    values = noise(600, columns=1)
    values[500:520, 0] += 20.0
    flags = [one.is_anomaly for one in score(values)[500:560]]
    assert 1 <= sum(flags) <= 4


def test_a_row_without_any_value_is_no_anomaly() -> None:
    values = noise(300)
    values[200:220] = np.nan
    found = score(values)
    assert all(one.score == 0.0 and not one.is_anomaly for one in found[200:220])


def test_constant_columns_are_silent_and_a_step_on_them_is_found() -> None:
    values = np.full((400, 2), 5.0)
    values[300:, 1] = 6.0
    found = score(values)
    assert not any(one.is_anomaly for one in found[:300])
    assert found[300].is_anomaly
    assert found[300].column == 1


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_an_offset_does_not_hide_a_change(offset: float) -> None:
    values = noise(500, columns=1)
    values[400, 0] += 12.0
    assert score(values + offset)[400].is_anomaly == score(values)[400].is_anomaly


def test_scores_do_not_depend_on_the_unit() -> None:
    values = noise(300, columns=2) * 100.0
    plain = np.array([one.score for one in score(values)])
    scaled = np.array([one.score for one in score(values * 1024.0)])
    np.testing.assert_allclose(plain, scaled, rtol=1e-6, atol=1e-9)


def test_the_order_of_columns_does_not_matter() -> None:
    values = noise(300, columns=4, seed=8)
    forward = np.array([one.score for one in score(values)])
    backward = np.array([one.score for one in score(values[:, ::-1])])
    np.testing.assert_allclose(forward, backward, rtol=1e-9)


def test_two_alternating_values_raise_no_storm() -> None:
    values = np.tile([[0.0], [1.0]], (500, 1))
    assert sum(one.is_anomaly for one in score(values)) <= 3


def test_repeated_and_backward_times_are_read_as_they_come() -> None:
    scorer = TableScorer(1, DetectionSettings())
    times = [START, START, START - STEP, START + STEP]
    assert [scorer.step(at, np.array([1.0])).score for at in times] == [0.0] * 4


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(-1e12, 1e12), st.just(float("nan")), st.sampled_from([0.0, 1e-300, 1e299, -1e299])
        ),
        min_size=1,
        max_size=80,
    )
)
def test_every_score_is_a_finite_number_and_every_p_value_a_probability(column: list[float]) -> None:
    for one in score(np.array(column)[:, None]):
        assert np.isfinite(one.score)
        assert one.score >= 0
        assert 0 < one.p_value <= 1


def test_false_alarms_on_noise_stay_near_the_budget() -> None:
    from detectors.alarms import Alarms  # noqa: PLC0415
    from detectors.monitor import Monitor  # noqa: PLC0415
    from detectors.seasonal import Moment  # noqa: PLC0415

    days, n = 6, 150
    values = np.random.default_rng(2).normal(size=(days * 288, n))
    monitor, alarms = Monitor(48), Alarms(n, 0.33, 300.0, 50)
    monitor.grow(n)
    raised = 0
    with np.errstate(all="ignore"):
        for t, row in enumerate(values):
            moment = Moment((t % 288) // 6, (t % 6) / 6, (t // 288) % 7 >= 5)
            raised += int(alarms.judge(monitor.step(row, moment).strength)[0].sum())
    assert 0.33 / 2 <= raised / (days * n) <= 0.33 * 2


def test_tables_side_by_side_get_the_scores_they_get_row_by_row() -> None:
    seeds = ((400, 1), (150, 4), (260, 2))
    tables = [noise(rows, columns, seed=rows) for rows, columns in seeds]
    tables[0][300:310] += 9.0
    tables[1][60:80, 2] = np.nan
    tables[2][200] = np.nan
    steps = (STEP, STEP // 5, 12 * STEP)
    times = [START + step * np.arange(len(values)) for step, values in zip(steps, tables, strict=True)]
    found = dict(score_tables(list(zip(times, tables, strict=True)), DetectionSettings()))
    for i, (at, values) in enumerate(zip(times, tables, strict=True)):
        scorer = TableScorer(values.shape[1], DetectionSettings())
        with np.errstate(all="ignore"):
            alone = [scorer.step(int(one), row) for one, row in zip(at, values, strict=True)]
        assert [found[i].row(t) for t in range(len(values))] == alone


def test_no_table_learns_from_its_neighbour() -> None:
    at = START + STEP * np.arange(200, dtype=np.int64)
    quiet, loud = noise(200, 2, seed=1), 1e6 * noise(200, 2, seed=2)
    together = dict(score_tables([(at, quiet), (at, loud)], DetectionSettings()))[0]
    alone = dict(score_tables([(at, quiet)], DetectionSettings()))[0]
    np.testing.assert_array_equal(together.score, alone.score)


def test_tables_without_rows_have_no_scores() -> None:
    found = dict(score_tables([(np.zeros(0, dtype=np.int64), np.zeros((0, 2)))], DetectionSettings()))
    assert found[0].score.shape == (0,)
    assert dict(score_tables([], DetectionSettings())) == {}


def test_an_alarm_that_lasts_costs_less_of_the_budget_than_one_that_comes_back_at_once() -> None:
    from detectors.alarms import Alarms  # noqa: PLC0415

    def raised(length: int) -> float:
        alarms = Alarms(1, 0.33, 300.0, 50)
        strength = np.random.default_rng(3).exponential(1.0, 800)
        strength[600 : 600 + length] = 12.0
        for one in strength[:640]:
            alarms.judge(np.array([one]))
        return float(alarms._budget.raised[0])

    assert raised(30) < raised(1)


def test_an_anomaly_of_hours_teaches_a_series_less_than_a_new_regime_of_days() -> None:
    values = noise(1_400, columns=1, seed=9)
    values[600:, 0] += 8.0
    scores = np.array([one.score for one in score(values)])
    assert scores[600:660].min() > np.quantile(scores[300:600], 0.9)
    assert np.median(scores[1_250:]) < np.median(scores[600:660])
