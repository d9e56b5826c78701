"""Series that go silent, freeze or run away are told within two cycles by the default rules."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly, severity_rank
from domain.series import FloatArray, Series, SeriesKey, Window

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
PAST, MORE = 288, 24
LABELS = {"strategy": "maker", "component": "strategy:maker"}


def life(metric: str, rng: np.random.Generator) -> FloatArray:
    """What a healthy series of this name looks like."""
    n = PAST + MORE
    known: Mapping[str, FloatArray] = {
        "heartbeat_total": np.cumsum(np.full(n, 300.0) + rng.integers(-3, 4, n)),
        "heartbeat_timestamp_seconds": 1.7e9 + 300.0 * np.arange(n) + rng.uniform(0, 2, n),
        "venue_clock_offset_ms": rng.normal(3, 1, n),
        "position_mismatch_usd": np.abs(rng.normal(0, 5, n)),
        "feed_sequence_gaps": rng.poisson(0.3, n).astype(float),
        "feed_duplicates": rng.poisson(0.5, n).astype(float),
        "feed_messages": rng.poisson(9_000, n).astype(float),
        "price": 50_000 * np.exp(np.cumsum(rng.normal(0, 1e-3, n))),
        "volume_usd": 2e6 * rng.lognormal(0, 0.4, n),
        "orders": rng.poisson(60, n).astype(float),
    }
    return known[metric]


def found(metric: str, values: FloatArray, cycles: int) -> list[Anomaly]:
    """What the engine tells in the cycles after the past, as the service calls it."""
    series = (Series(1, SeriesKey.of(metric, LABELS)),)
    rules = [rule for rule in default_rules() if rule.matches(series[0].key) and rule.metric != "*"]
    engine = DetectionEngine(rules, DetectionSettings())
    told: dict[str, Anomaly] = {}
    first = PAST
    for cycle in range(cycles + 1):
        until = PAST + cycle
        # The cell of now has only begun.
        seen = np.append(values[:until], np.nan)[None, :]
        window = Window(series, 300, START, seen)
        result = engine.detect(window, 0 if cycle == 0 else first, START + until * STEP)
        first = until
        told |= {one.key: one for one in result.anomalies if one.detected_at > START + PAST * STEP}
    return [one for one in told.values() if one.timestamp >= START + (PAST - 1) * STEP]


def silent(values: FloatArray) -> FloatArray:
    return np.where(np.arange(len(values)) >= PAST, np.nan, values)


def stuck(values: FloatArray) -> FloatArray:
    return np.where(np.arange(len(values)) >= PAST, values[PAST - 1], values)


def zero(values: FloatArray) -> FloatArray:
    return np.where(np.arange(len(values)) >= PAST, 0.0, values)


def high(values: FloatArray) -> FloatArray:
    return np.where(np.arange(len(values)) >= PAST, values + 1_000.0, values)


CASES = [
    ("heartbeat_total", silent, "stale-heartbeat"),
    ("heartbeat_timestamp_seconds", silent, "stale-heartbeat"),
    ("heartbeat_total", stuck, "frozen-heartbeat"),
    ("heartbeat_timestamp_seconds", stuck, "frozen-heartbeat"),
    ("feed_messages", silent, "stale-feed"),
    ("price", silent, "stale-price"),
    ("price", stuck, "frozen-price"),
    ("volume_usd", stuck, "frozen-volume"),
    ("orders", silent, "stale-orders"),
    ("orders", zero, "no-orders"),
    ("feed_sequence_gaps", high, "feed-gaps"),
    ("feed_duplicates", high, "feed-duplicates"),
    ("venue_clock_offset_ms", high, "clock"),
    ("position_mismatch_usd", high, "mismatch"),
]


@pytest.mark.parametrize(("metric", "failure", "rule"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_it_is_told_within_two_cycles_and_loudly(metric: str, failure: object, rule: str) -> None:
    assert callable(failure)
    values = failure(life(metric, np.random.default_rng(7)))
    told = {one.rule: one for one in found(metric, values, 2)}
    assert rule in told, told.keys()
    assert severity_rank(told[rule].severity) >= severity_rank("medium")


@pytest.mark.parametrize("metric", sorted({metric for metric, _, _ in CASES}))
def test_ordinary_life_is_not(metric: str) -> None:
    values = life(metric, np.random.default_rng(8))
    vital = {
        "stale-heartbeat",
        "frozen-heartbeat",
        "stale-feed",
        "stale-price",
        "stale-orders",
        "no-orders",
        "frozen-price",
        "frozen-volume",
    }
    assert not [one for one in found(metric, values, MORE - 1) if one.rule in vital]


def test_a_strategy_that_often_rests_is_not_silent() -> None:
    rng = np.random.default_rng(9)
    values = rng.poisson(60, PAST + MORE) * (rng.random(PAST + MORE) < 0.3)
    assert not [one for one in found("orders", values.astype(float), MORE - 1) if one.rule == "no-orders"]


def test_silence_begins_with_its_first_missing_cell() -> None:
    values = silent(life("feed_messages", np.random.default_rng(7)))
    (one,) = [one for one in found("feed_messages", values, 4) if one.rule == "stale-feed"]
    assert one.timestamp == START + PAST * STEP


def told_of(metric: str, labels: Mapping[str, str], values: FloatArray) -> list[Anomaly]:
    """What all default rules tell of one series in the two cycles after its past."""
    series = (Series(1, SeriesKey.of(metric, labels)),)
    engine = DetectionEngine(default_rules(), DetectionSettings())
    told: dict[str, Anomaly] = {}
    for cycle in range(3):
        until = PAST + cycle
        window = Window(series, 300, START, np.append(values[:until], np.nan)[None, :])
        result = engine.detect(window, 0 if cycle == 0 else until - 1, START + until * STEP)
        told |= {one.key: one for one in result.anomalies if one.timestamp >= START + PAST * STEP}
    return list(told.values())


@pytest.mark.parametrize("metric", ["fill_ratio", "fills", "slippage_bps", "fee_bps"])
def test_where_nothing_is_filled_no_feed_is_called_stale(metric: str) -> None:
    values = silent(1.0 + np.random.default_rng(3).normal(0, 0.05, PAST + MORE))
    told = told_of(metric, LABELS, values)
    assert {one.anomaly_type for one in told} == {"silent_strategy"}


@pytest.mark.parametrize(("level", "wakes"), [("INFO", False), ("DEBUG", False), ("ERROR", True), ("", True)])
def test_many_lines_wake_somebody_only_where_they_may_be_trouble(level: str, wakes: bool) -> None:
    values = np.random.default_rng(4).poisson(20, PAST + MORE).astype(float)
    values[PAST:] += 400
    told = told_of("log_lines", {"component": "strategy:maker"} | ({"level": level} if level else {}), values)
    novel = [one for one in told if one.anomaly_type == "log_novelty"]
    assert novel
    assert any(severity_rank(one.severity) >= severity_rank("medium") for one in novel) == wakes
