"""The door of detection, as the service uses it."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine, DetectionResult
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly
from domain.errors import DetectorError
from domain.rule import Rule
from domain.series import FloatArray, Series, SeriesKey, Window

START = datetime(2026, 11, 2, tzinfo=UTC)
STEP = timedelta(seconds=300)


def noise(n: int, steps: int, seed: int = 0) -> FloatArray:
    return 100.0 + np.random.default_rng(seed).normal(size=(n, steps))


def window(values: FloatArray, metric: str = "queue_depth", start: datetime = START) -> Window:
    series = tuple(Series(i, SeriesKey.of(metric, {"i": str(i)})) for i in range(len(values)))
    return Window(series, 300, start, values)


def run(
    values: FloatArray, rules: tuple[Rule, ...] | None = None, metric: str = "queue_depth"
) -> DetectionResult:
    one = window(values, metric)
    engine = DetectionEngine(default_rules() if rules is None else rules, DetectionSettings())
    return engine.detect(one, 0, one.end)


def about(result: DetectionResult, row: int) -> list[Anomaly]:
    return [one for one in result.anomalies if f'i="{row}"' in one.affected_metrics[0]]


def test_a_jump_is_found_at_its_time_with_direction_and_expected_band() -> None:
    values = noise(4, 600)
    values[1, 400:] += 25.0
    found = [one for one in about(run(values), 1) if one.method == "combined"]
    assert found[0].timestamp == START + 400 * STEP
    assert found[0].direction == "up"
    assert found[0].value is not None
    assert found[0].expected.high is not None
    assert found[0].expected.high < found[0].value
    assert found[0].anomaly_type == "execution_delay"


def test_an_anomaly_is_plain_json_and_says_why() -> None:
    values = noise(2, 500)
    values[0, 450:] += 30.0
    found = about(run(values), 0)[0]
    raw = json.loads(json.dumps(dict(found.raw_data)))
    assert raw["method_scores"]
    assert raw["baseline"]
    for name in ("score", "z_score", "p_value", "value", "threshold_exceeded", "confidence"):
        assert getattr(found, name) is None or type(getattr(found, name)) is float


def test_constant_series_are_silent() -> None:
    assert run(np.full((3, 400), 7.0)).anomalies == ()


def test_a_step_on_a_constant_series_is_found() -> None:
    values = np.full((2, 400), 7.0)
    values[1, 300:] = 8.0
    assert about(run(values), 1)


def test_too_few_points_are_a_state_and_never_an_anomaly() -> None:
    result = run(noise(2, 10))
    assert result.anomalies == ()
    assert len(result.warming_up) == 2
    assert {one.status for one in result.states} == {"insufficient_data"}


def test_a_feed_that_stops_is_found_as_silence() -> None:
    values = noise(2, 400)
    values[1, 350:] = np.nan
    found = [one for one in about(run(values), 1) if one.method == "stale"]
    assert found
    assert found[0].status == "open"


def test_while_nobody_collected_no_series_is_silent() -> None:
    values = noise(3, 420)
    values[:, 350:400] = np.nan
    values[1, 400:] = np.nan
    one = window(values, "queue_depth")
    absence = (one.time_at(350), one.time_at(400))

    def silent(*absences: tuple[datetime, datetime]) -> list[str]:
        engine = DetectionEngine(default_rules(), DetectionSettings())
        found = engine.detect(one, 0, one.end, absences).anomalies
        return [one.affected_metrics[0] for one in found if one.method == "stale"]

    assert len(silent()) == 3
    assert silent(absence) == [one.series[1].name]


def test_column_by_column_gives_the_same_anomalies_as_one_call() -> None:
    values = noise(5, 500, seed=3)
    values[2, 450:470] += 12.0
    at_once = {one.key: one for one in run(values).anomalies}
    engine = DetectionEngine(default_rules(), DetectionSettings())
    in_steps: dict[str, Anomaly] = {}
    for end in range(1, 501):
        part = window(values[:, :end])
        for one in engine.detect(part, end - 1, START).anomalies:
            in_steps[one.key] = one
    plain = {key for key, one in at_once.items() if one.method != "pca"}
    assert plain <= set(in_steps)
    for key in plain:
        assert in_steps[key].score == at_once[key].score


def test_late_data_change_only_what_they_touch() -> None:
    values = noise(3, 432, seed=5)
    engine = DetectionEngine(default_rules(), DetectionSettings())
    engine.detect(window(values), 0, START)
    corrected = values.copy()
    corrected[1, 428:] += 40.0
    found = engine.detect(window(corrected), 428, START).anomalies
    assert {one.affected_metrics[0] for one in found if one.method == "combined"} == {'queue_depth{i="1"}'}


def test_the_order_of_series_does_not_matter() -> None:
    values = noise(6, 400, seed=7)
    values[4, 380:] -= 20.0
    forward = window(values)
    order = [3, 1, 5, 4, 0, 2]
    engine = DetectionEngine(default_rules(), DetectionSettings())
    other = DetectionEngine(default_rules(), DetectionSettings())
    first = engine.detect(forward, 0, START).anomalies
    second = other.detect(forward.select(order), 0, START).anomalies
    assert [one.key for one in first if one.method != "pca"] == [
        one.key for one in second if one.method != "pca"
    ]


def test_a_rule_that_breaks_is_a_failed_state_and_the_others_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    from detectors import methods  # noqa: PLC0415

    def broken(_view: object) -> object:
        raise ValueError("no")

    monkeypatch.setitem(methods.METHODS, "frozen", broken)
    values = noise(2, 400)
    values[0, 390:] += 30.0
    rules = (Rule(name="broken", metric="*", method="frozen"), Rule(name="good", metric="*"))
    result = run(values, rules)
    assert {one.name: one.status for one in result.states} == {"broken": "failed", "good": "ok"}
    assert about(result, 0)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(DetectorError, match="Mars"):
        DetectionEngine((), DetectionSettings(timezone="Mars/Olympus"))


METHODS = ("zscore", "robust_zscore", "iqr", "range", "residual", "isolation_forest", "combined")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_a_jump_of_twenty_deviations(method: str) -> None:
    values = noise(3, 400, seed=11)
    values[1, 350] += 20.0
    rule = Rule.model_validate({"name": "r", "metric": "*", "method": method})
    found = about(run(values, (rule,)), 1)
    assert any(one.timestamp <= START + 350 * STEP <= (one.ended_at or START + 400 * STEP) for one in found)


@pytest.mark.parametrize("method", [*METHODS, "seasonal", "changepoint", "pca", "frozen", "stale"])
def test_no_method_storms_on_noise(method: str) -> None:
    rule = Rule.model_validate({"name": "r", "metric": "*", "method": method})
    assert len(run(noise(8, 576, seed=13), (rule,)).anomalies) <= 6


def test_a_changed_level_is_found_as_a_change_point() -> None:
    values = noise(3, 500, seed=17)
    values[0, 420:] += 3.0
    found = about(run(values, (Rule(name="shift", metric="*", method="changepoint"),)), 0)
    assert found
    assert abs(found[0].timestamp - (START + 420 * STEP)) <= 4 * STEP


def test_thresholds_of_a_rule_decide_where_they_are_given() -> None:
    values = np.full((1, 100), 50.0)
    values[0, 60:70] = 95.0
    rule = Rule(name="cpu", metric="*", method="threshold", threshold=90.0, direction="up")
    found = run(values, (rule,)).anomalies
    assert [one.timestamp for one in found] == [START + 60 * STEP]
    assert found[0].ended_at == START + 70 * STEP
