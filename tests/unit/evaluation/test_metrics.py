"""What a person on call would have seen."""

import json
from pathlib import Path

import numpy as np
import pytest

from domain.errors import InvalidInput
from evaluation.avoidance import avoidance
from evaluation.desk import KINDS, simulate_desk
from evaluation.labels import read_labels, series_labels
from evaluation.metrics import Record, alert_starts, operate, random_control, refractory


def record(alerts: list[int], windows: tuple[tuple[int, int], ...] = ((500, 519),)) -> Record:
    return Record(np.array(alerts, dtype=np.int64), windows, 100, 1_000, 300.0)


def test_a_hit_inside_an_event_counts_once_and_outside_as_false() -> None:
    found = operate([record([50, 505, 510, 800])])
    assert found.events == 1
    assert found.event_recall == 1.0
    assert found.alert_precision == pytest.approx(2 / 3)
    assert found.false_alarms_per_day == pytest.approx(1 / (900 * 300 / 86_400))
    assert found.median_delay_s == 5 * 300.0


def test_nothing_found_is_zero_recall_and_no_delay() -> None:
    found = operate([record([])])
    assert found.event_recall == 0.0
    assert np.isnan(found.median_delay_s)
    assert np.isnan(found.alert_precision)


def test_a_run_of_alarmed_rows_is_one_alert() -> None:
    flagged = np.zeros(200, dtype=bool)
    flagged[10:20] = True
    flagged[100] = True
    assert alert_starts(flagged, quiet=48).tolist() == [10, 100]


def test_chance_is_far_below_a_perfect_detector() -> None:
    control = random_control([record([505])], seed=1)
    assert control.event_recall < 0.2
    assert random_control([record([505])], seed=1) == control


def test_the_refractory_keeps_only_what_exceeds_its_past() -> None:
    score = np.array([1.0, 2.0, 2.0, 3.0, 1.0])
    naive = [z if i == 0 or z > score[max(0, i - 3) : i].max() else 0.0 for i, z in enumerate(score)]
    assert refractory(score, 3).tolist() == naive


def test_avoiding_random_rows_shows_no_edge_and_avoiding_losses_does() -> None:
    rng = np.random.default_rng(3)
    pnl = rng.normal(size=2_000)
    flagged = np.zeros(2_000, dtype=bool)
    flagged[rng.choice(2_000, 20, replace=False)] = True
    assert 0.02 < avoidance("pnl", pnl, flagged, 12, 1).placebo_percentile < 0.98
    for row in np.flatnonzero(flagged):
        pnl[row + 1 : row + 13] -= 3.0
    assert avoidance("pnl", pnl, flagged, 12, 1).placebo_percentile > 0.95


def test_labels_are_found_by_path_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"series": {"nab/a.csv": {"windows": [[5, 9], [1, 2]], "probation": 1}}}))
    known = read_labels(path)
    assert series_labels(known, Path("a.csv"), 10).windows == ((1, 2), (5, 9))
    assert not series_labels(known, Path("b.csv"), 10).known
    with pytest.raises(InvalidInput, match="outside"):
        series_labels(known, Path("nab/a.csv"), 6)
    path.write_text("[]")
    with pytest.raises(InvalidInput, match="series"):
        read_labels(path)


def test_a_simulated_desk_follows_its_seed_and_holds_every_kind() -> None:
    first, again = simulate_desk(1, days=25), simulate_desk(1, days=25)
    np.testing.assert_array_equal(first.values, again.values)
    assert {event.kind for event in first.events} == set(KINDS)
    assert all(event.first >= first.probation for event in first.events)
    assert not np.array_equal(first.values, simulate_desk(2, days=25).values)
