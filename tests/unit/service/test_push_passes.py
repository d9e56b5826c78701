"""Pushed samples are judged between the slots, by the leader alone, and a failed pass is not the last."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from domain.errors import StoreUnavailable
from domain.incident import Incident
from service.streaming import PushPasses


def _within(seconds: float, what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.005)
    return what()


class Desk:
    """A journal of which a pass reads everything."""

    def __init__(self, *, leading: bool = True, failures: int = 0) -> None:
        self.leading = leading
        self.failures = failures
        self.pushed = threading.Event()
        self.passes = 0
        self.changed: list[Incident] = []
        self.explained: list[tuple[str, ...]] = []
        self.patience = threading.Event()
        self.patience.set()

    def judge(self) -> Sequence[Incident]:
        self.passes += 1
        if self.passes <= self.failures:
            raise StoreUnavailable("locked")
        self.pushed.clear()
        return self.changed

    def diagnose(self, incidents: Sequence[Incident]) -> None:
        self.explained.append(tuple(one.title for one in incidents))
        assert self.patience.wait(10)
        if len(self.explained) == 1:
            raise StoreUnavailable("locked")

    def push(self, *changed: Incident) -> None:
        self.changed = [*changed]
        self.pushed.set()
        assert _within(5, lambda: not self.pushed.is_set()), "nobody judged it"

    def started(self, delay_s: float = 0.01) -> PushPasses:
        passes = PushPasses(delay_s, self.pushed.is_set, lambda: self.leading, self.judge, self.diagnose)
        passes.start()
        return passes


def test_a_push_is_judged_once_and_nothing_is_judged_without_one() -> None:
    desk = Desk()
    passes = desk.started()
    time.sleep(0.05)
    assert desk.passes == 0
    desk.pushed.set()
    assert _within(5, lambda: not desk.pushed.is_set())
    time.sleep(0.05)
    passes.stop()
    assert desk.passes == 1


def test_who_does_not_lead_judges_nothing() -> None:
    desk = Desk(leading=False)
    passes = desk.started()
    desk.pushed.set()
    time.sleep(0.1)
    passes.stop()
    assert desk.passes == 0


def test_a_pass_that_failed_is_tried_again() -> None:
    desk = Desk(failures=2)
    passes = desk.started()
    desk.pushed.set()
    assert _within(5, lambda: not desk.pushed.is_set())
    passes.stop()
    assert desk.passes == 3


def test_without_a_delay_pushes_wait_for_the_cycle() -> None:
    desk = Desk()
    passes = desk.started(0)
    desk.pushed.set()
    time.sleep(0.05)
    passes.stop()
    assert desk.passes == 0


def test_what_is_pushed_next_is_judged_while_the_last_is_explained() -> None:
    desk = Desk()
    desk.patience.clear()
    passes = desk.started()
    first, second, later = (
        _incident(*one) for one in (("I-1", "one"), ("I-2", "two"), ("I-2", "two, worse"))
    )
    desk.push(first)
    assert _within(5, lambda: desk.explained == [("one",)])
    desk.push(second)
    desk.push(later, first)
    assert desk.explained == [("one",)], "only one is explained at a time"
    desk.patience.set()
    passes.stop()
    assert desk.explained == [("one",), ("two, worse", "one")], "each as it is by its turn, the last included"


def _incident(identifier: str, title: str) -> Incident:
    return Incident(id=identifier, title=title, severity="high", started_at=datetime(2026, 3, 2, tzinfo=UTC))
