"""The statistics under a ledger: honest on noise, sharp on faults, the same in other units."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evidence.case import LogCounts, LogSummary
from agent.evidence.leadlag import lead_of
from agent.evidence.logs import template_shifts
from agent.evidence.onset import estimate
from agent.evidence.rank_test import rank_test
from agent.evidence.settings import EvidenceSettings
from agent.evidence.shift import Shifts, measure, peer_groups
from agent.evidence.stillness import stillness
from agent.evidence.symptom import correlation
from agent.evidence.tails import false_discovery_rate
from domain.series import FloatArray

SETTINGS = EvidenceSettings()
START = datetime(2026, 3, 1, tzinfo=UTC)


def noise(seed: int, rows: int, columns: int, memory: float = 0.5) -> FloatArray:
    rng = np.random.default_rng(seed)
    values = rng.standard_t(5, (rows, columns))
    for i in range(1, columns):
        values[:, i] += memory * values[:, i - 1]
    return 50 + values


def measured(values: FloatArray, first: int) -> Shifts:
    rows = len(values)
    return measure(
        values[:, :first],
        values[:, first:],
        np.arange(rows, dtype=np.int64),
        np.zeros(rows, dtype=bool),
        SETTINGS,
    )


@pytest.mark.parametrize("width", [3, 6, 20])
@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_of_noise_hardly_a_series_is_called_shifted(width: int, memory: float) -> None:
    shifts = measured(noise(1, 600, 300, memory), 300 - width)
    assert (shifts.p < 0.05).mean() <= 0.08
    assert (false_discovery_rate(shifts.p) < 0.05).mean() <= 0.015


def test_a_shift_is_found_with_its_direction_size_and_time() -> None:
    values = noise(2, 50, 300)
    values[7, 285:] += 15
    values[9, 288:] -= 15
    shifts = measured(values, 280)
    q = false_discovery_rate(shifts.p)
    assert set(np.flatnonzero(q < 0.05)) == {7, 9}
    assert shifts.z[7] > 5
    assert shifts.z[9] < -5
    assert (shifts.change[7], shifts.change[9]) == (5, 8)
    assert shifts.persistence[7] >= 0.7


def test_a_spike_of_one_sample_is_found_as_a_spike() -> None:
    values = noise(3, 50, 300)
    values[4, 292] -= 60
    shifts = measured(values, 285)
    assert false_discovery_rate(shifts.p)[4] < 0.05
    assert (shifts.spike[4], shifts.change[4]) == (-1, 7)
    assert shifts.extreme[4] < 0


@given(st.floats(1e-3, 1e6), st.floats(-1e6, 1e6))
@settings(max_examples=30)
def test_units_do_not_matter_where_the_level_is_far_from_its_floor(scale: float, shift: float) -> None:
    values = noise(4, 5, 120)
    values[2, 110:] += 12
    loose = SETTINGS.model_copy(update={"level_floor": 0.0, "peer_floor": 0.0})
    groups = np.arange(5, dtype=np.int64)
    falls = np.zeros(5, dtype=bool)
    first = measure(values[:, :110], values[:, 110:], groups, falls, loose)
    other = values * scale + shift
    second = measure(other[:, :110], other[:, 110:], groups, falls, loose)
    assert np.allclose(first.z, second.z, rtol=1e-3, atol=1e-3)
    assert np.array_equal(np.sign(first.z), np.sign(second.z))


def test_constants_gaps_and_short_histories_are_harmless() -> None:
    values = np.full((4, 60), 5.0)
    values[1] = np.nan
    values[2, :55] = np.nan
    values[3, ::2] = np.nan
    shifts = measured(values, 50)
    assert not (shifts.p < 0.05).any()
    assert list(shifts.tested) == [True, False, False, True]
    assert np.isfinite([shifts.z, shifts.p, shifts.baseline, shifts.value, shifts.peak]).all()


def test_a_step_on_a_constant_is_found() -> None:
    values = np.full((3, 60), 5.0)
    values[1, 55:] = 9.0
    assert list(measured(values, 55).p < 0.001) == [False, True, False]


def test_ties_count_half_in_the_rank_test() -> None:
    auc, p = rank_test(np.ones((1, 30)), np.ones((1, 5)))
    assert (auc[0], p[0]) == (0.5, 0.5)
    auc, _ = rank_test(np.zeros((1, 30)), np.ones((1, 5)))
    assert auc[0] == 1.0


def naive_q(p: FloatArray) -> FloatArray:
    order = sorted(range(len(p)), key=lambda i: p[i])
    out = np.ones(len(p))
    for rank, i in enumerate(order, start=1):
        later = [p[j] * len(p) / k for k, j in enumerate(order, start=1) if k >= rank]
        out[i] = min(1.0, *later)
    return out


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_q_values_equal_the_slow_definition(p: list[float]) -> None:
    assert np.allclose(false_discovery_rate(np.array(p)), naive_q(np.array(p)))


def test_peers_share_a_number() -> None:
    assert list(peer_groups(["a", "b", "a"])) == [0, 1, 0]


def test_a_series_that_went_still_is_named_by_how() -> None:
    values = np.abs(noise(5, 5, 100))
    values[0, 94:] = np.nan
    values[1, 94:] = 0.0
    values[2, 94:] = values[2, 93]
    values[3] = np.round(values[3] / 100)
    found = stillness(values[:, :93], values[:, 93:])
    assert list(found.silent) == [True, False, False, False, False]
    assert list(found.stopped) == [False, True, False, False, False]
    assert list(found.frozen) == [False, False, True, False, False]
    assert (found.p[:3] < 1e-4).all()
    assert found.since[0] == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_onset_lies_in_its_interval_and_near_the_truth(seed: int) -> None:
    values = noise(seed, 1, 200, 0.2)[0]
    values[180:] -= 6
    onset = estimate(values, 150, -1)
    assert onset is not None
    assert onset.low <= onset.column <= onset.high
    assert abs(onset.column - 180) <= 3


def test_wider_swings_are_an_onset_where_both_directions_count() -> None:
    values = noise(11, 1, 200, 0.0)[0]
    values[185:] = 50 + (values[185:] - 50) * 8
    onset = estimate(values, 150, 0)
    assert onset is not None
    assert abs(onset.column - 185) <= 4


def test_without_samples_there_is_no_onset() -> None:
    assert estimate(np.full(50, np.nan), 40, -1) is None
    assert estimate(np.ones(3), 5, -1) is None


def test_order_is_claimed_only_where_the_interval_excludes_zero() -> None:
    rng = np.random.default_rng(6)
    source = rng.standard_normal(200).cumsum()
    behind = np.concatenate([np.zeros(4), source[:-4]]) + 0.1 * rng.standard_normal(200)
    lead = lead_of(source, behind, np.random.default_rng(0))
    assert lead is not None
    assert lead.known
    assert lead.columns == 4
    unrelated = lead_of(rng.standard_normal(200), rng.standard_normal(200), np.random.default_rng(0))
    assert unrelated is None or not unrelated.known
    together = lead_of(source, source + 0.1 * rng.standard_normal(200), np.random.default_rng(0))
    assert together is not None
    assert not together.known


def test_a_constant_or_short_series_has_no_lead() -> None:
    assert lead_of(np.ones(100), np.arange(100.0), np.random.default_rng(0)) is None
    assert lead_of(np.arange(10.0), np.arange(10.0), np.random.default_rng(0)) is None


def test_correlation_is_that_of_common_samples() -> None:
    x = np.arange(20.0)
    y = -x
    y[3] = np.nan
    assert correlation(x, y) == pytest.approx(-1.0)
    assert correlation(x, np.ones(20)) == 0.0
    assert correlation(x[:4], y[:4]) == 0.0


def test_a_template_that_appears_bursts_or_vanishes_is_told_apart() -> None:
    rows = [
        LogSummary("a", "ERROR", "new failure", 9, 3, 0, 80),
        LogSummary("b", "INFO", "busy", 120, 3, 400, 80),
        LogSummary("c", "INFO", "lost path", 0, 3, 2000, 80),
        LogSummary("c", "INFO", "other path", 74, 3, 2000, 80),
        LogSummary("d", "INFO", "less called", 20, 3, 2000, 80),
        LogSummary("d", "INFO", "less called too", 21, 3, 2000, 80),
    ]
    found = {one.template: one for one in template_shifts(rows, START, START, START)}
    assert found["new failure"].is_new
    assert found["new failure"].q_value < 0.01
    assert found["busy"].g > 10
    assert found["lost path"].g < -10
    assert abs(found["less called"].g) < 2


def test_lines_that_always_come_in_bursts_are_no_finding() -> None:
    times = np.arange(0, 288, dtype=np.int64) * 300_000_000 + int(START.timestamp()) * 1_000_000
    counts = np.zeros(288, dtype=np.int64)
    counts[::24] = 40
    counts[282] = 40
    calm = np.zeros(288, dtype=np.int64)
    calm[282:] = 7
    onset, end = START + timedelta(seconds=281 * 300), START + timedelta(days=1)
    bursty, steady = template_shifts(
        [LogCounts("a", "WARN", "gc", times, counts), LogCounts("a", "WARN", "new", times, calm)],
        START,
        onset,
        end,
    )
    assert bursty.g < 0.2 * steady.g
