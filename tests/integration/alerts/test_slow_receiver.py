"""A receiver that takes its time holds up nobody else, and no escalation."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from alert_cases import NOW, intent, settings, story
from memory_outbox import MemoryOutbox, MemoryStories
from service_process import eventually

from alerts.notice import Notice, Updates
from alerts.worker import OutboxWorker

SECONDS = 10


@dataclass
class Listener:
    """Takes everything, once it is let."""

    name: str
    open: threading.Event
    updates: Updates = "in_place"
    pace_s: float = 0.0
    called: int = 0
    heard: list[str] = field(default_factory=list)

    def notify(self, notice: Notice) -> str | None:
        self.called += 1
        assert self.open.wait(SECONDS)
        self.heard += notice.fresh
        return f"{self.name}:{notice.key}"

    def check(self) -> str:
        return "it listens"

    def close(self) -> None:
        self.open.set()


class Desk:
    def __init__(self) -> None:
        self.slow, self.quick = Listener("slow", threading.Event()), Listener("quick", threading.Event())
        self.quick.open.set()
        self.outbox = MemoryOutbox()
        stories = MemoryStories({f"I-{n}": story(n) for n in range(1, 5)})
        self.worker = OutboxWorker(self.outbox, [self.slow, self.quick], stories, settings(), lambda: NOW)

    def tell(self, n: int) -> None:
        self.outbox.add([replace(intent(n), receiver=one.name) for one in (self.slow, self.quick)])
        self.worker.wake()


@pytest.fixture
def desk() -> Iterator[Desk]:
    one = Desk()
    yield one
    one.slow.open.set()
    assert one.worker.stop()


def test_the_next_message_reaches_the_others_meanwhile_and_the_slow_one_later(desk: Desk) -> None:
    desk.worker.start()
    for n in (1, 2, 3):
        desk.tell(n)
        eventually(lambda n=n: len(desk.quick.heard) == n, SECONDS, "the quick one had to wait")
    assert (desk.slow.called, desk.slow.heard) == (1, [])
    waiting = [row for row in desk.outbox.rows if row.receiver == "slow" and row.state == "pending"]
    assert [row.attempts for row in waiting] == [0, 0]
    desk.slow.open.set()
    eventually(lambda: len(desk.slow.heard) == 3, SECONDS, "the slow one was forgotten")
    assert desk.slow.heard == desk.quick.heard == ["I-1", "I-2", "I-3"]


def test_what_the_clock_asks_for_is_looked_at_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.worker.LOOK_EVERY_S", 0.05)
    looked: list[int] = []
    desk.worker.before_turn = lambda: looked.append(desk.slow.called)
    desk.tell(1)
    desk.worker.start()
    eventually(lambda: looked.count(1) > 2, SECONDS, "nobody looked while a receiver was slow")
    assert desk.slow.heard == []


def test_a_worker_ends_after_the_call_that_runs(desk: Desk) -> None:
    desk.tell(1)
    desk.worker.start()
    eventually(lambda: desk.slow.called == 1 and desk.quick.heard, SECONDS, "nothing was told")
    assert not desk.worker.stop(0.1)
    desk.slow.open.set()
    assert desk.worker.stop(SECONDS)
    assert desk.outbox.states() == ["sent", "sent"]
