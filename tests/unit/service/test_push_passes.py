"""Pushed samples are judged between the slots, by the leader alone, and a failed pass is not the last."""

import threading
import time
from collections.abc import Callable

from domain.errors import StoreUnavailable
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

    def judge(self) -> None:
        self.passes += 1
        if self.passes <= self.failures:
            raise StoreUnavailable("locked")
        self.pushed.clear()

    def started(self, delay_s: float = 0.01) -> PushPasses:
        passes = PushPasses(delay_s, self.pushed.is_set, lambda: self.leading, self.judge)
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
