"""Failures without an error: alerted within two cycles, with the right cause first.

The real service on a clock of the test's own. In the first half it reads a venue through ccxt and a bot's
exporter by HTTP and sends its alerts to a webhook; in the second a whole desk pushes over REST.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from silent_rig import SilentDesk, metric_of, since
from silent_sources import SETTLED, SYMBOL, LiveDesk, live_desk, milliseconds

from collectors.exchange.venue import Pace
from domain.anomaly import severity_rank
from domain.diagnosis import Diagnosis
from domain.incident import Incident

ALERTING = severity_rank("medium")
SEEDS = range(1, 7)
CYCLES = 2


class Failure(NamedTuple):
    """What breaks, and what the diagnosis says first; how long the service lived before."""

    begin: Callable[[LiveDesk], None]
    cause: str
    components: tuple[str, ...]
    lived: int = 3


def dead_websocket(desk: LiveDesk) -> None:
    """The process lives and answers, its counters stand still, and so does what it computes from prices."""
    desk.bot.websocket_dead = True


def no_orders(desk: LiveDesk) -> None:
    """The process lives, its feed and its signal too; it only sends no orders."""
    desk.bot.no_orders = True


def no_new_candles(desk: LiveDesk) -> None:
    """The venue goes on answering, with the same old candles."""
    desk.venue.no_bars_since = milliseconds(desk.now)


def repeated_candles(desk: LiveDesk) -> None:
    """Candles come in time, with the same numbers again and again."""
    desk.venue.same_bars_since = milliseconds(desk.now - SETTLED)


def lost_candles(desk: LiveDesk) -> None:
    """Every third candle is missing; those that come, come in time."""
    desk.venue.gaps_since = milliseconds(desk.now - SETTLED)


def doubled_messages(desk: LiveDesk) -> None:
    """The bot subscribed twice and counts every message that it knows already."""
    desk.bot.subscribed_twice = True


def wrong_clock(desk: LiveDesk) -> None:
    """The venue's clock and the host's are 40 seconds apart."""
    desk.venue_ahead_ms = 40_000


def unbooked_position(desk: LiveDesk) -> None:
    """The venue shows a position that no fill explains."""
    desk.bot.unbooked_usd = 25_000.0


def stopped_heartbeat(desk: LiveDesk) -> None:
    """The bot's loop hangs while its exporter goes on serving what it last knew."""
    desk.bot.hung = True


def dead_exporter(desk: LiveDesk) -> None:
    """The bot's exporter answers with an error; all that it measured ends."""
    desk.exporter_down = True


FAILURES = {
    "a dead websocket": Failure(dead_websocket, "stale_feed", ("feed:bybit",)),
    "a bot without orders": Failure(no_orders, "silent_strategy", ("strategy:maker",)),
    "no new candles": Failure(no_new_candles, "stale_feed", ("feed:bybit", f"market:bybit:{SYMBOL}")),
    "repeated candles": Failure(repeated_candles, "stale_feed", (f"market:bybit:{SYMBOL}",)),
    "lost candles": Failure(lost_candles, "market_data_gap", ("feed:bybit", f"market:bybit:{SYMBOL}")),
    "doubled messages": Failure(doubled_messages, "duplicated_feed", ("feed:bybit",)),
    "a wrong clock": Failure(wrong_clock, "clock_drift", ("venue:bybit",)),
    "an unbooked position": Failure(unbooked_position, "books_mismatch", ("strategy:maker",)),
    "a dead exporter": Failure(dead_exporter, "source_down", ("source:bot",), lived=12),
    "a stopped heartbeat": Failure(stopped_heartbeat, "silent_strategy", ("strategy:maker",)),
}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace of the real venue is kept elsewhere."""
    monkeypatch.setattr(Pace, "wait", lambda _self, _seconds: None)


def live_through(desk: LiveDesk, failure: Failure) -> datetime:
    """Break it; returns when. There may have been an alert by chance before, there has to be one after it."""
    began, before = desk.now - SETTLED, len(desk.alerts)
    failure.begin(desk)
    for _ in range(CYCLES):
        desk.step()
    assert len(desk.alerts) > before, [(one.rule, one.severity) for one in desk.anomalies()]
    return began


def said_first(desk: LiveDesk, began: datetime) -> Diagnosis:
    """The diagnosis of the incident that the alerts are about; a weak one before may have grown into it."""
    told = {
        one.id
        for one in desk.anomalies()
        if one.timestamp >= began and severity_rank(one.severity) >= ALERTING
    }
    (incident,) = [one for one in desk.incidents() if told & set(one.anomaly_ids) and one.status == "open"]
    return desk.diagnosis(incident)


@pytest.mark.parametrize("name", FAILURES)
def test_it_is_alerted_with_the_right_cause_first(name: str, tmp_path: Path) -> None:
    failure = FAILURES[name]
    with live_desk(tmp_path, seed=1) as desk:
        desk.remember(56)
        for _ in range(failure.lived - 3):
            desk.step()
        began = live_through(desk, failure)
        first = said_first(desk, began).primary_hypothesis
        assert first is not None
        assert first.cause == failure.cause
        assert first.component in failure.components
        assert json.dumps(desk.alerts[-1]).count(first.title)


@pytest.mark.endurance
@pytest.mark.parametrize("cells", [60, 288])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAILURES)
def test_it_is_alerted_after_a_short_and_a_long_past(
    name: str, seed: int, cells: int, tmp_path: Path
) -> None:
    failure = FAILURES[name]
    with live_desk(tmp_path, seed) as desk:
        desk.remember(cells)
        for _ in range(failure.lived):
            desk.step()
        began = live_through(desk, failure)
        diagnosis = said_first(desk, began)
        first = diagnosis.primary_hypothesis
        assert first is not None
        assert diagnosis.outcome == "cause_found"
        assert (first.cause, first.component in failure.components) == (failure.cause, True), first


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_hours_without_orders_stay_one_incident_that_grows(seed: int, tmp_path: Path) -> None:
    with live_desk(tmp_path, seed) as desk:
        desk.remember(72)
        began = live_through(desk, FAILURES["a bot without orders"])
        for _ in range(36):
            desk.step()
        first = said_first(desk, began).primary_hypothesis
        assert first is not None
        assert (first.cause, first.component) == ("silent_strategy", "strategy:maker")
        orders = [one for one in desk.anomalies() if one.rule == "no-orders"]
        assert {one.severity for one in orders} == {"critical"}


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_bot_whose_signal_rests_is_left_alone(seed: int, tmp_path: Path) -> None:
    with live_desk(tmp_path, seed) as desk:
        desk.remember(72)
        desk.bot.quiet_signal = True
        for _ in range(12):
            desk.step()
        # That the signal fell is told, not that nothing is done without one.
        assert not [one for one in desk.anomalies() if one.anomaly_type == "silent_strategy"]
        said = [desk.diagnosis(one) for one in desk.incidents() if one.diagnosis_id]
        assert "silent_strategy" not in {
            one.primary_hypothesis.cause for one in said if one.primary_hypothesis
        }


@pytest.fixture(params=SEEDS)
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SilentDesk]:
    with SilentDesk(tmp_path, seed=request.param) as rig:
        rig.remember()
        rig.step()
        rig.step()
        yield rig


def told(desk: SilentDesk, first: int, metrics: set[str]) -> tuple[Incident, Diagnosis]:
    """The incident that alerts about these metrics after two cycles, and what was said about it."""
    for _ in range(2):
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


@pytest.mark.endurance
def test_a_dead_websocket_of_a_desk_is_told(desk: SilentDesk) -> None:
    """The process lives, nothing fails, and nothing comes any more from one venue."""
    keys = [key for key in desk.of("binance") if desk.desk.series[key].source == "market_data"]
    first = desk.silence(keys, 0)
    _, diagnosis = told(desk, first, {"feed_messages", "feed_age_seconds", "feed_latency_ms"})
    primary = diagnosis.primary_hypothesis
    assert diagnosis.outcome == "cause_found"
    assert primary is not None
    assert (primary.cause, primary.component) == ("stale_feed", "feed:binance")


@pytest.mark.endurance
def test_a_bot_without_orders_on_a_desk_is_told(desk: SilentDesk) -> None:
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


@pytest.mark.endurance
def test_stale_candles_of_a_desk_are_told(desk: SilentDesk) -> None:
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
