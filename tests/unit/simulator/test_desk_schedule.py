"""Incidents come on schedule and on request, logs and headlines tell of them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from collectors.simulator.clock import SimulatedClock
from collectors.simulator.headlines import harmless_items, incident_items, visible
from collectors.simulator.incidents import Incident
from collectors.simulator.kinds import KINDS
from collectors.simulator.layout import HOSTS, STRATEGIES
from collectors.simulator.loglines import QUIET, LogLine, LogWriter
from collectors.simulator.schedule import Schedule

START = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
EVERY = timedelta(minutes=100)
STEP = int(START.timestamp()) // 300


def incident(kind: str, target: str) -> Incident:
    return Incident(9, kind, target, START, START + timedelta(minutes=50), 1.0, "schedule")


def test_history_has_a_few_incidents_of_different_kinds_and_one_is_under_way() -> None:
    for seed in range(20):
        found = Schedule(seed, START, EVERY).incidents(START)
        past = [one for one in found if one.origin == "history"]
        assert 4 <= len(past) <= 6
        assert len({one.kind for one in past}) == len(past)
        assert all(START - timedelta(days=14) < one.start and one.end < START for one in past)
        (current,) = (one for one in found if one.origin == "ongoing")
        assert (current.kind, current.component) == ("venue_gateway_latency", "gateway:bybit")
        assert START - current.start == timedelta(minutes=25)
        assert current.end > START + timedelta(minutes=20)


def test_planned_incidents_leave_quiet_time_between_them_and_use_every_kind() -> None:
    found = Schedule(3, START, EVERY).incidents(START + timedelta(days=2))
    live = [one for one in found if one.origin != "history"]
    gaps = [b.start - a.end for a, b in pairwise(live)]
    assert min(gaps) >= timedelta(minutes=20)
    assert set(KINDS) == {one.kind for one in live}
    assert all(timedelta(minutes=30) <= one.end - one.start <= timedelta(minutes=120) for one in live)
    mean = (live[-1].start - live[0].start) / (len(live) - 1)
    assert timedelta(minutes=80) < mean < timedelta(minutes=125)


def test_how_far_one_looks_ahead_changes_nothing() -> None:
    a, b = Schedule(3, START, EVERY), Schedule(3, START, EVERY)
    a.incidents(START + timedelta(days=3))
    at = START + timedelta(hours=5)
    assert a.inject("stale_feed", at) == b.inject("stale_feed", at)
    until = START + timedelta(days=1)
    assert a.incidents(until) == b.incidents(until)


def test_a_request_puts_planned_incidents_off() -> None:
    schedule = Schedule(3, START, EVERY)
    at = START + timedelta(minutes=60)
    wanted = schedule.inject("pump_and_dump", at, timedelta(minutes=40))
    after = [one for one in schedule.incidents(START + timedelta(hours=12)) if one.start > at]
    assert after[0].start >= wanted.end + timedelta(minutes=20)


def test_no_schedule_means_quiet() -> None:
    schedule = Schedule(3, START, None, None)
    assert all(one.origin == "history" for one in schedule.incidents(START + timedelta(days=30)))


@pytest.mark.parametrize(
    ("kind", "target", "minutes"),
    [
        ("nonsense", None, None),
        ("stale_feed", "trades", None),
        ("stale_feed", "okx", 1),
        ("stale_feed", "okx", 999),
    ],
)
def test_an_impossible_request_is_refused(kind: str, target: str | None, minutes: float | None) -> None:
    duration = None if minutes is None else timedelta(minutes=minutes)
    with pytest.raises(ValueError, match=r"kind must be|can strike|duration_minutes"):
        Schedule(3, START, EVERY).inject(kind, START, duration, target)


def test_a_target_may_be_named_as_a_component() -> None:
    assert Schedule(3, START, EVERY).inject("stale_feed", START, None, "feed:okx").target == "okx"


def lines(kind: str | None, target: str = "", steps: int = 9) -> list[LogLine]:
    writer = LogWriter(5)
    incidents = [incident(kind, target)] if kind else []
    return [line for step in range(STEP, STEP + steps) for line in writer.lines(step, 0.0, incidents)]


def test_logs_are_the_same_twice_and_in_order_of_time() -> None:
    found = lines("bad_deploy", "arb_cross")
    assert found == lines("bad_deploy", "arb_cross")
    for step in range(STEP, STEP + 3):
        stamps = [line.seconds for line in LogWriter(5).lines(step, 0.0, ())]
        assert stamps == sorted(stamps)


def test_quiet_components_write_few_lines_and_hardly_an_error() -> None:
    found = lines(None, steps=288)
    assert {line.component for line in found} == set(QUIET)
    levels = Counter(line.level for line in found)
    assert levels["ERROR"] == 0
    assert levels["WARN"] < 0.1 * levels["INFO"]
    assert 10 < len(found) / 288 < 40


@pytest.mark.parametrize("kind", KINDS)
def test_an_incident_shows_in_the_logs_while_it_lasts(kind: str) -> None:
    target = KINDS[kind].targets[0]
    quiet, troubled = lines(None), lines(kind, target)
    if kind == "silent_strategy":
        own = [line for line in troubled if line.component == f"strategy:{target}"]
        assert len(own) < 0.2 * len([line for line in quiet if line.component == f"strategy:{target}"]) + 1
        return
    loud = [line for line in troubled if line.level != "INFO"]
    assert len(loud) > 5 * len([line for line in quiet if line.level != "INFO"])
    writer = LogWriter(5)
    assert writer.lines(STEP + 20, 0.0, [incident(kind, target)]) == writer.lines(STEP + 20, 0.0, ())


def test_a_line_reads_like_a_log() -> None:
    line = LogLine(1_793_491_200.5, "WARN", "gateway:bybit", "slow")
    assert line.render() == "2026-11-01T00:00:00.500Z WARN gateway:bybit slow"


def test_feeds_carry_harmless_news_and_deploys_every_day() -> None:
    items = harmless_items(3, 20_000, 20_029)
    kinds = Counter(item.kind for item in items)
    assert 6 * 30 < kinds["news"] < 16 * 30
    assert 30 < kinds["deploy"] + kinds["config_change"] < 120
    assert len({item.id for item in items}) == len(items)
    known = {f"strategy:{name}" for name in STRATEGIES} | {f"host:{name}" for name in HOSTS}
    assert known & {item.component for item in items}


def test_a_bad_deploy_is_announced_before_it_hurts_and_rolled_back_after() -> None:
    items = [item for item in incident_items(3, incident("bad_deploy", "arb_cross")) if "item-" in item.id]
    assert [item.component for item in items] == ["strategy:arb_cross"] * 2
    assert items[0].timestamp <= START < items[1].timestamp


def test_the_feeds_show_nothing_of_the_future() -> None:
    items = harmless_items(3, 20_000, 20_002)
    now = items[5].timestamp
    assert all(item.timestamp <= now for item in visible(items, now, now - timedelta(days=9)))


def test_the_clock_runs_at_its_speed() -> None:
    wall = [1_000.0]
    clock = SimulatedClock(START, 60.0, 1_000.0, lambda: wall[0])
    assert clock.now() == START
    wall[0] += 10
    assert clock.now() == START + timedelta(minutes=10)
    assert clock.wall_seconds_until(START + timedelta(minutes=20)) == 10
    ready = {"clock": {"start": "2026-11-10T12:00:00Z", "speed": 60.0, "wall_start": 1_000.0}}
    assert SimulatedClock.from_ready(ready, clock.wall).now() == clock.now()
