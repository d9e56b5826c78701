"""Who a line speaks of, what a still market means, and what lateness does not mean."""

import dataclasses
from datetime import timedelta

import numpy as np
from small_desk import START, add_decoys, case_of, incident, quiet_desk

from agent.evidence.case import Case, LogSummary, PastIncident
from agent.evidence.ledger import gather
from agent.evidence.logs import about, template_shifts
from agent.evidence.onset import estimate
from agent.evidence.record import Ledger
from agent.evidence.settings import EvidenceSettings
from domain.event import Event
from domain.series import Window

COMPONENTS = ("strategy:momentum", "service:risk", "gateway:okx", "feed:okx")


def ledger_of(case: Case) -> Ledger:
    return gather(case, EvidenceSettings())


def test_a_line_that_names_one_other_component_speaks_of_that_one() -> None:
    rows = [
        LogSummary("service:risk", "ERROR", "order <*> of momentum above size limit", 9, 5, 0, 300),
        LogSummary("service:risk", "WARN", "limit of okx breached", 9, 5, 0, 300),
        LogSummary("service:risk", "WARN", "risk check of momentum failed twice", 9, 5, 0, 300),
        LogSummary("strategy:momentum", "WARN", "momentum paused", 9, 5, 0, 300),
    ]
    told = about(template_shifts(rows, START, START, START), COMPONENTS, {})
    assert [one.component for one in told] == [
        "strategy:momentum",
        "service:risk",
        "strategy:momentum",
        "strategy:momentum",
    ]


def test_a_market_that_stands_still_is_its_feeds_doing() -> None:
    case = incident("stale_feed", 3)
    values = case.window.values.copy()
    first = case.window.n_steps - 6
    for i, one in enumerate(case.window.series):
        if one.key.label("venue") == "okx" and one.key.label("symbol") and one.source == "market_data":
            values[i, first:] = values[i, first - 1]
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    found = ledger_of(dataclasses.replace(case, window=window))
    assert found.components[0].component == "feed:okx"


def test_columns_that_have_not_reported_yet_are_no_silence() -> None:
    case = case_of(quiet_desk(5), "maker", 282)
    values = case.window.values.copy()
    values[:, -2:] = np.nan
    values[3, -2:] = 1.0
    late = Window(case.window.series, case.window.step_s, case.window.start, values)
    found = ledger_of(dataclasses.replace(case, window=late))
    assert not [one for one in found.signals if one.state == "silent"]


def test_an_event_on_a_victim_is_a_coincidence() -> None:
    case = incident("venue_gateway_latency", 2)
    deploy = Event(
        timestamp=case.start - timedelta(minutes=25),
        source="events",
        text="maker 1.0 released",
        labels={"kind": "deploy", "component": "strategy:maker"},
    )
    found = ledger_of(dataclasses.replace(case, events=(deploy,)))
    assert found.events[0].supports is None


def test_log_lines_are_not_told_twice_as_events() -> None:
    line = Event(timestamp=START + timedelta(hours=23, minutes=40), source="system_logs", text="x")
    case = dataclasses.replace(incident("stale_feed", 1), events=(line,))
    assert not ledger_of(case).events


def test_events_long_before_or_after_are_left_out() -> None:
    desk = quiet_desk(3)
    add_decoys(desk, 20)
    assert not ledger_of(case_of(desk, "maker", 280)).events


def test_a_similar_incident_of_the_past_is_named_with_its_cause() -> None:
    case = incident("liquidity_drain", 2)
    shifted = tuple(one.series for one in ledger_of(case).signals)
    past = PastIncident(
        "I-7", "liquidity_drain", "market:binance:BTC", shifted, case.start - timedelta(days=3)
    )
    other = PastIncident("I-8", "disk_full", "host:h", ("something else",), case.start - timedelta(days=2))
    found = ledger_of(dataclasses.replace(case, past=(past, other)))
    assert found.similar == ("liquidity_drain",)
    (fact,) = [one for one in found.evidence if one.kind == "similar_incident"]
    assert "I-7" in fact.statement


def test_a_crash_that_rebounds_is_told_as_a_fall() -> None:
    found = ledger_of(incident("flash_crash", 2))
    returns = [one for one in found.signals if one.kind == "return"]
    assert returns
    assert all(one.direction == "down" for one in returns)


def test_everything_in_a_ledger_is_plain_and_finite() -> None:
    for kind in ("silent_strategy", "stale_feed", "fat_finger"):
        found = ledger_of(incident(kind, 1))
        assert Ledger.model_validate_json(found.model_dump_json()) == found
        assert "NaN" not in found.model_dump_json()


def test_without_any_target_the_window_is_judged_from_its_start() -> None:
    case = incident("connection_pool_exhaustion", 1)
    found = ledger_of(dataclasses.replace(case, targets=()))
    assert found.components[0].component == "database:orders"


def test_windows_of_earlier_incidents_are_kept_out_of_the_reference() -> None:
    case = incident("venue_gateway_latency", 1)
    values = case.window.values.copy()
    row = next(
        i for i, one in enumerate(case.window.series) if "ack_latency" in one.name and "binance" in one.name
    )
    values[row, 60:200] *= 9
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    spoiled = dataclasses.replace(case, window=window)
    excluded = dataclasses.replace(spoiled, excluded=((window.time_at(60), window.time_at(200)),))
    plain, clean = (
        next((abs(s.z) for s in ledger_of(one).signals if s.series == window.series[row].name), 0.0)
        for one in (spoiled, excluded)
    )
    assert clean > plain


def test_a_line_that_names_what_several_share_speaks_of_the_odd_one() -> None:
    rows = [LogSummary("strategy:carry", "WARN", "funding on bybit outside model range", 9, 5, 0, 300)]
    shared = ("strategy:carry", "gateway:bybit", "feed:bybit", "market:bybit:ETH", "market:okx:ETH")
    shifts = template_shifts(rows, START, START, START)
    assert about(shifts, shared, {})[0].component == "strategy:carry"
    assert about(shifts, shared, {"market:okx:ETH": 9.0})[0].component == "strategy:carry"
    odd = {"market:bybit:ETH": 6.0, "gateway:bybit": 4.0, "market:okx:ETH": 9.0}
    assert about(shifts, shared, odd)[0].component == "market:bybit:ETH"


def test_a_target_that_fell_silent_tells_its_onset_by_its_first_gap() -> None:
    values = np.random.default_rng(4).normal(10, 1, 60)
    values[52:] = np.nan
    found = estimate(values, 40, -1)
    assert found is not None
    assert (found.low, found.column, found.high) == (52, 52, 52)
    values[52:] = 0.0
    found = estimate(values, 40, -1)
    assert found is not None
    assert found.column == 52


def test_gaps_that_are_usual_are_no_onset() -> None:
    values = np.random.default_rng(4).normal(10, 1, 60)
    values[1:56:3] = np.nan
    values[-1] = np.nan
    values[56:59] -= 30
    found = estimate(values, 40, -1)
    assert found is not None
    assert found.column == 56


def test_a_window_begins_where_the_trouble_was_seen_shortly_before_the_loss() -> None:
    case = incident("flash_crash", 2)
    row = case.window.positions[case.targets[0]]
    values = case.window.values.copy()
    first = case.window.column_of(case.start) - 1
    values[row, : first + 2] = np.random.default_rng(1).normal(40, 1, first + 2)
    values[row, first + 2 :] = -500.0
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    seen = window.time_at(first)
    found = ledger_of(dataclasses.replace(case, window=window, start=seen))
    assert found.onset == seen
    late = ledger_of(dataclasses.replace(case, window=window, start=window.time_at(first - 9)))
    assert late.onset == window.time_at(first + 2)
