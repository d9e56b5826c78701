"""The clock over slots: once per slot, missed ones recorded, whatever the clock does."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from domain.cycle import Cycle
from service.scheduler import Scheduler

NOON = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class MemorySlots:
    """Slots as the database keeps them: one row per scheduled time."""

    rows: dict[datetime, Cycle] = field(default_factory=dict)

    def claim_slot(
        self, scheduled_for: datetime, owner: str, now: datetime, missed: Sequence[datetime] = ()
    ) -> Cycle | None:
        if scheduled_for in self.rows:
            return None
        claimed = Cycle(id=len(self.rows) + 1, scheduled_for=scheduled_for, started_at=now)
        self.rows[scheduled_for] = claimed
        for slot in missed:
            self.rows.setdefault(slot, Cycle(scheduled_for=slot, status="missed", covered_by=claimed.id))
        return claimed

    def latest_slot(self) -> datetime | None:
        return max(self.rows, default=None)


@dataclass
class Lock:
    mine: bool = True

    def acquire(self) -> bool:
        return self.mine

    def held(self) -> bool:
        return self.mine


class Desk:
    """A scheduler with a clock that the test sets."""

    def __init__(
        self, slots: MemorySlots | None = None, lock: Lock | None = None, settle_s: float = 0
    ) -> None:
        self.now = NOON
        self.ran: list[datetime] = []
        self.led = 0
        self.slots = slots or MemorySlots()
        self.scheduler = Scheduler(
            interval_s=300,
            settle_s=settle_s,
            speed=1,
            clock=lambda: self.now,
            slots=self.slots,
            leader=lock or Lock(),
            owner="test",
            run=self._run,
            led=self._lead,
        )

    def _run(self, cycle: Cycle, now: datetime) -> Cycle:
        self.ran.append(cycle.scheduled_for)
        return cycle

    def _lead(self) -> None:
        self.led += 1

    def tick_at(self, now: datetime) -> None:
        self.now = now
        self.scheduler.tick()


def at(minutes: float) -> datetime:
    return NOON.replace(second=0) + minutes * MINUTE


def test_a_slot_runs_once_however_often_the_clock_ticks() -> None:
    desk = Desk()
    for minutes in (0.1, 1, 2, 4.9, 5.1, 6):
        desk.tick_at(at(minutes))
    assert desk.ran == [at(0), at(5)]


def test_a_cycle_waits_until_what_ended_with_its_slot_can_be_read() -> None:
    desk = Desk(settle_s=2)
    for seconds in (3, 299, 300, 301.9, 302, 303, 601, 602):
        desk.tick_at(at(0) + timedelta(seconds=seconds))
    assert desk.ran == [at(0), at(5), at(10)]
    # A replica that starts right after a slot has the one before to look at, not nothing.
    late = Desk(settle_s=2)
    late.tick_at(at(5) + timedelta(seconds=1))
    assert late.ran == [at(0)]


def test_slots_that_nobody_ran_are_recorded_with_the_cycle_that_covers_them() -> None:
    desk = Desk()
    desk.tick_at(at(0.1))
    desk.tick_at(at(30.1))
    missed = [slot for slot, cycle in sorted(desk.slots.rows.items()) if cycle.status == "missed"]
    assert missed == [at(5), at(10), at(15), at(20), at(25)]
    assert {desk.slots.rows[slot].covered_by for slot in missed} == {2}
    assert desk.ran == [at(0), at(30)]


def test_slots_after_a_cycle_out_of_turn_are_recorded_too() -> None:
    desk = Desk()
    desk.slots.claim_slot(at(2), "by hand", at(2))
    desk.tick_at(at(15.1))
    missed = [slot for slot, cycle in sorted(desk.slots.rows.items()) if cycle.status == "missed"]
    assert missed == [at(5), at(10)]


def test_two_replicas_never_run_one_slot_twice() -> None:
    slots = MemorySlots()
    first, second = Desk(slots), Desk(slots)
    for minutes in range(0, 60, 2):
        first.tick_at(at(minutes))
        second.tick_at(at(minutes + 0.01))
    ran = first.ran + second.ran
    assert len(ran) == len(set(ran)) == 12


def test_only_the_leader_runs_cycles_and_a_new_one_takes_over_first() -> None:
    lock = Lock(mine=False)
    desk = Desk(lock=lock)
    desk.tick_at(at(0.1))
    assert (desk.ran, desk.led) == ([], 0)
    lock.mine = True
    desk.tick_at(at(5.1))
    desk.tick_at(at(10.1))
    assert (desk.ran, desk.led) == ([at(5), at(10)], 1)


def test_a_clock_set_back_an_hour_repeats_no_slot_and_blinds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.tick_at(at(60.1))
    desk.tick_at(at(0.1))
    assert desk.ran == [at(60)]
    # Five real minutes later data must have been looked at, although the slot is in the past.
    later = time.monotonic() + 301
    monkeypatch.setattr("service.scheduler.time.monotonic", lambda: later)
    desk.tick_at(at(5.1))
    assert desk.ran == [at(60), at(5.1)]


def test_a_stopped_scheduler_starts_no_cycle() -> None:
    desk = Desk()
    assert desk.scheduler.stop(1)
    desk.tick_at(at(0.1))
    assert desk.ran == []
