"""An anomaly ends when its series is back, or has settled at a new level."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from detectors.settling import Level
from domain.anomaly import Anomaly
from domain.rule import Rule
from domain.series import FloatArray, Series, SeriesKey, Window

START = datetime(2026, 11, 2, tzinfo=UTC)
STEP = timedelta(seconds=300)
ONSET = 400
CELLS = 620


def quiet(seasonal: bool) -> FloatArray:
    x = 100.0 + np.random.default_rng(21).normal(size=CELLS)
    return x + (6.0 * np.sin(2 * np.pi * np.arange(CELLS) / 288) if seasonal else 0.0)


def disturbed(kind: str, *, seasonal: bool) -> FloatArray:
    x, after = quiet(seasonal), np.arange(CELLS) - ONSET
    change = {
        "spike": np.where(after == 0, 25.0, 0.0),
        "shift that recovers": np.where((after >= 0) & (after < 15), 20.0, 0.0),
        "shift that stays": np.where(after >= 0, 20.0, 0.0),
        "drift that stops": 0.5 * np.clip(after, 0, 40),
    }
    return np.asarray(x + change[kind])


def found(values: FloatArray, method: str = "combined", *, again: int = 0) -> list[Anomaly]:
    """What the service would have stored: the last word on every anomaly, one cell at a time.

    With late data, the last `again` cells before the newest are looked at again each time.
    """
    series = (Series(1, SeriesKey.of("queue_depth")),)
    rule = Rule.model_validate({"name": "r", "metric": "*", "method": method})
    engine = DetectionEngine((rule,), DetectionSettings())
    known: dict[str, Anomaly] = {}
    for end in range(ONSET - 20, len(values) + 1):
        window = Window(series, 300, START, values[None, :end])
        for one in engine.detect(window, end - 1 - again, window.end).anomalies:
            known[one.key] = one
    return [one for one in known.values() if (one.ended_at or window.end) > START + (ONSET - 2) * STEP]


def cells_open(one: Anomaly) -> float:
    return ((one.ended_at or START + CELLS * STEP) - (START + ONSET * STEP)) / STEP


@pytest.mark.parametrize("seasonal", [False, True])
@pytest.mark.parametrize(
    ("kind", "longest", "reasons"),
    [
        ("spike", 8, {"recovered"}),
        ("shift that recovers", 15 + 8, {"recovered"}),
        ("shift that stays", 24 + 16, {"new_normal"}),
        ("drift that stops", 40 + 24 + 24, {"new_normal", "recovered"}),
    ],
)
def test_an_anomaly_is_not_open_for_longer_than_it_lasts(
    kind: str, longest: int, reasons: set[str], seasonal: bool
) -> None:
    about = found(disturbed(kind, seasonal=seasonal))
    assert about
    assert all(one.status == "resolved" for one in about)
    assert max(cells_open(one) for one in about) <= longest
    assert {one.raw_data["ended_because"] for one in about} <= reasons


@pytest.mark.parametrize("method", ["zscore", "robust_zscore", "iqr", "range", "seasonal", "residual"])
def test_every_method_of_one_series_lets_go_of_a_new_normal(method: str) -> None:
    about = found(disturbed("shift that stays", seasonal=False), method)
    assert about
    assert max(cells_open(one) for one in about) <= 24 + 16


def test_leaving_the_new_normal_is_news() -> None:
    values = disturbed("shift that stays", seasonal=False)
    values[560:] += 40.0
    onsets = [one.timestamp for one in found(values)]
    assert max(onsets) >= START + 559 * STEP


def test_all_default_rules_let_go() -> None:
    series = tuple(Series(i, SeriesKey.of("queue_depth", {"host": "a", "i": str(i)})) for i in range(4))
    values = 100.0 + np.random.default_rng(4).normal(size=(4, CELLS))
    values[0, ONSET:] += 15.0
    engine = DetectionEngine(default_rules(), DetectionSettings())
    known: dict[str, Anomaly] = {}
    for end in range(ONSET - 1, CELLS + 1):
        window = Window(series, 300, START, values[:, :end])
        known |= {one.key: one for one in engine.detect(window, end - 1, window.end).anomalies}
    assert known
    assert [one.rule for one in known.values() if one.status == "open"] == []


def test_a_level_knows_where_it_came_from_and_where_it_stays() -> None:
    level = Level.at(30.0, 10.0, None, 1.0)
    assert level.left
    assert not level.is_back(30.0, None)
    assert level.is_back(11.0, None)
    for _ in range(24):
        assert not level.settle(24)
        level.take(30.0, None)
    assert level.settle(24)
    assert level.is_back(31.0, None)
    assert not level.is_back(20.0, None)


def test_the_time_of_the_day_is_no_movement_of_the_level() -> None:
    level = Level.at(30.0, 10.0, 10.0, 1.0)
    for season in range(10, 60):
        level.take(20.0 + season, float(season))
    assert level.settle(24)
    assert level.is_back(60.0, 60.0)


@pytest.mark.parametrize("again", [0, 1, 5])
@pytest.mark.parametrize("method", ["changepoint", "combined"])
def test_an_anomaly_is_over_when_the_series_is_back_also_with_late_data(method: str, again: int) -> None:
    values = quiet(seasonal=False)
    values[ONSET : ONSET + 12] += 150.0
    shifts = found(values[: ONSET + 60], method, again=again)
    shifts = [one for one in shifts if one.timestamp < START + (ONSET + 12) * STEP]
    assert shifts
    for one in shifts:
        assert (one.status, one.raw_data["ended_because"]) == ("resolved", "recovered")
        assert cells_open(one) <= 12 + 16
