"""A strategy without orders is told while its signal is live, and left alone while that is quiet."""

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
PAST, MORE = 150, 12
RULES = [one for one in default_rules() if one.anomaly_type == "silent_strategy" or one.name == "level-shift"]


def life(seed: int, orders_name: str) -> dict[SeriesKey, FloatArray]:
    """A strategy that orders in proportion to its signal, and another one whose signal never rests."""
    rng = np.random.default_rng(seed)
    signal = rng.lognormal(0, 0.3, PAST + MORE) * rng.choice([-1.0, 1.0], PAST + MORE)
    mine = {"strategy": "maker"}
    return {
        SeriesKey.of(orders_name, mine | {"venue": "bybit"}): rng.poisson(60, PAST + MORE).astype(float),
        SeriesKey.of("signal_strength", mine): signal,
        SeriesKey.of("signal_strength", {"strategy": "other"}): rng.lognormal(0, 0.3, PAST + MORE),
    }


def told(rows: dict[SeriesKey, FloatArray], settings: DetectionSettings | None = None) -> list[Anomaly]:
    keys = sorted(rows)
    series = tuple(Series(i + 1, key) for i, key in enumerate(keys))
    values = np.array([rows[key] for key in keys])
    engine = DetectionEngine(RULES, settings or DetectionSettings())
    found: dict[str, Anomaly] = {}
    for cycle in range(MORE + 1):
        until = PAST + cycle
        window = Window(series, 300, START, values[:, :until])
        result = engine.detect(window, until - 1 if cycle else 0, START + until * STEP)
        found |= {one.key: one for one in result.anomalies}
    return [
        one
        for one in found.values()
        if one.timestamp >= START + PAST * STEP and "signal" not in one.affected_metrics[0]
    ]


def stop(rows: dict[SeriesKey, FloatArray], metric: str, value: float) -> None:
    for key, values in rows.items():
        if key.metric == metric and key.label("strategy") == "maker":
            values[PAST:] = value


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("gone", [0.0, np.nan], ids=["nothing", "missing"])
def test_no_orders_on_a_live_signal_are_told(seed: int, gone: float) -> None:
    rows = life(seed, "orders")
    stop(rows, "orders", gone)
    loudest = max((severity_rank(one.severity) for one in told(rows)), default=0)
    assert loudest >= severity_rank("medium")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("gone", [0.0, np.nan], ids=["nothing", "missing"])
def test_no_orders_on_a_quiet_signal_are_no_trouble(seed: int, gone: float) -> None:
    rows = life(seed, "orders")
    stop(rows, "orders", gone)
    stop(rows, "signal_strength", 0.01)
    assert not told(rows)


def test_it_is_told_once_the_signal_is_back_and_the_orders_are_not() -> None:
    rows = life(4, "orders")
    stop(rows, "orders", 0.0)
    stop(rows, "signal_strength", 0.01)
    for key, values in rows.items():
        if key.metric == "signal_strength":
            values[PAST + 5 :] = 1.3
    assert [one for one in told(rows) if one.rule == "no-orders"]


def test_a_signal_that_is_not_known_by_now_excuses_nothing() -> None:
    rows = life(5, "orders")
    stop(rows, "orders", 0.0)
    stop(rows, "signal_strength", np.nan)
    assert told(rows)


def test_another_name_of_the_signal_can_be_given() -> None:
    rows = {
        SeriesKey.of("edge_bps", dict(key.labels)) if key.metric == "signal_strength" else key: values
        for key, values in life(6, "orders").items()
    }
    stop(rows, "orders", 0.0)
    stop(rows, "edge_bps", 0.01)
    assert told(rows)
    assert not told(rows, DetectionSettings(signals=("edge_*",)))


def test_a_heartbeat_is_due_whatever_the_signal_says() -> None:
    rows = life(7, "bot_heartbeat")
    stop(rows, "bot_heartbeat", np.nan)
    stop(rows, "signal_strength", 0.01)
    assert told(rows)
