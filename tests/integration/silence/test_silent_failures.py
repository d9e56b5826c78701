"""Failures without an error: told within two cycles, with the right cause first.

The real service on a clock of the test's own; what a desk measures comes over REST.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from silent_rig import SilentDesk, metric_of, since

from domain.anomaly import severity_rank
from domain.diagnosis import Diagnosis
from domain.incident import Incident

# A day of history is learned for each of them, which takes its time.
pytestmark = pytest.mark.endurance
CYCLES = 2
ALERTING = severity_rank("medium")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SilentDesk]:
    with SilentDesk(tmp_path, seed=4) as rig:
        rig.remember()
        rig.step()
        rig.step()
        yield rig


def told(desk: SilentDesk, first: int, metrics: set[str]) -> tuple[Incident, Diagnosis]:
    """The incident that alerts about these metrics after two cycles, and what was said about it."""
    for _ in range(CYCLES):
        desk.step()
    found = [
        one
        for one in desk.anomalies(min_severity="medium")
        if one.timestamp >= since(first) and metric_of(one.affected_metrics[0]) in metrics
    ]
    assert found, [(one.rule, one.severity) for one in desk.anomalies()]
    (incident,) = {
        one.id: one for one in desk.incidents() if {a.id for a in found} & set(one.anomaly_ids)
    }.values()
    assert severity_rank(incident.severity) >= ALERTING
    return incident, desk.diagnosis(incident)


def test_a_dead_websocket_is_told(desk: SilentDesk) -> None:
    """The process lives, nothing fails, and nothing comes any more from one venue."""
    keys = [key for key in desk.of("binance") if desk.desk.series[key].source == "market_data"]
    first = desk.silence(keys, 0)
    _, diagnosis = told(desk, first, {"feed_messages", "feed_age_seconds", "feed_latency_ms"})
    primary = diagnosis.primary_hypothesis
    assert diagnosis.outcome == "cause_found"
    assert primary is not None
    assert (primary.cause, primary.component) == ("stale_feed", "feed:binance")


def test_a_bot_without_orders_is_told(desk: SilentDesk) -> None:
    """Its signal is live and its process writes metrics; it only sends no orders."""
    first = desk.column
    for key in desk.of("maker"):
        if key[0] in {"orders", "pnl"}:
            desk.desk.values[key][first:] = 0
        elif key[0] == "inventory_usd":
            desk.desk.values[key][first:] = desk.desk.values[key][first - 1]
        elif key[0] != "signal_strength":
            desk.desk.values[key][first:] = np.nan
    incident, diagnosis = told(desk, first, {"orders"})
    primary = diagnosis.primary_hypothesis
    assert "silent strategy" in incident.title
    assert primary is not None
    assert (primary.cause, primary.component) == ("silent_strategy", "strategy:maker")


def test_stale_candles_are_told(desk: SilentDesk) -> None:
    """Candles come in time, with the same numbers again and again."""
    first = desk.column
    for key in desk.of("okx"):
        if key[0] in {"price", "volume_usd", "realized_volatility_bps"}:
            desk.desk.values[key][first:] = desk.desk.values[key][first - 1]
        elif key[0] == "return_bps":
            desk.desk.values[key][first:] = 0
    _, diagnosis = told(desk, first, {"price"})
    primary = diagnosis.primary_hypothesis
    assert diagnosis.outcome == "cause_found"
    assert primary is not None
    assert primary.cause == "stale_feed"
    assert "okx" in str(primary.component)
