"""What people do in Slack is kept first and done once: by this process, or by the one after it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from alerts.slack.inbound import Inbound, Said
from db.database import Database
from db.inbox import Delivery, InboxStore
from domain.errors import Conflict, NotifyError, Overloaded, StoreUnavailable
from service import slack_in
from service.slack_in import LEASE, MAX_ATTEMPTS, SlackIn, Slot

NOW = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)


class Killed(BaseException):
    """Ends a worker as kill -9 would: nothing after it runs."""


@dataclass
class RecordingEffects:
    """Keeps what it was asked for; `trouble` is met once each."""

    done: list[tuple[str, int]] = field(default_factory=list)
    apologies: list[str] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)

    def perform(self, said: Said, delivery: Delivery, slot: Slot | None) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.done.append((said.text, delivery.attempts))
        if slot is not None:
            slot.give({"text": f"answer to {said.text}"})

    def apologise(self, said: Said, delivery: Delivery, slot: Slot | None, why: str) -> None:
        self.apologies.append(why)


@dataclass
class Clock:
    instant: datetime = NOW

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def effects() -> RecordingEffects:
    return RecordingEffects()


@pytest.fixture
def build(database: Database, clock: Clock, effects: RecordingEffects) -> Callable[[], SlackIn]:
    """A process after the other."""
    return lambda: SlackIn(b"secret", InboxStore(database), effects, clock)


@pytest.fixture
def running(build: Callable[[], SlackIn]) -> Iterator[SlackIn]:
    one = build()
    one.start()
    yield one
    assert one.stop()


def asked(n: int, kind: str = "mention") -> Inbound:
    said = Said("command" if kind == "command" else "mention", "U1", "C1", f"{n}.0", text=f"question {n}")
    return Inbound(f"Ev{n}", said)


def test_what_was_kept_is_done_by_the_next_process(
    build: Callable[[], SlackIn], effects: RecordingEffects
) -> None:
    build().take(asked(1))
    after = build()
    assert after.work_once()
    assert not after.work_once()
    assert effects.done == [("question 1", 1)]


def test_redelivery_has_no_second_effect_whoever_takes_it(
    build: Callable[[], SlackIn], effects: RecordingEffects
) -> None:
    replicas = [build(), build()]
    for one in (*replicas, *replicas):
        one.take(asked(1))
    while any(one.work_once() for one in replicas):
        pass
    for one in replicas:
        one.take(asked(1))
        assert not one.work_once()
    assert effects.done == [("question 1", 1)]


def test_a_kill_in_the_middle_is_begun_anew_and_says_that_it_is_not_the_first_time(
    build: Callable[[], SlackIn], effects: RecordingEffects, clock: Clock
) -> None:
    one = build()
    one.take(asked(1))
    effects.trouble = [Killed()]
    with pytest.raises(Killed):
        one.work_once()
    assert not build().work_once()
    clock.instant += LEASE
    assert build().work_once()
    assert effects.done == [("question 1", 2)]


def test_a_worker_that_thinks_as_long_as_the_chat_may_keeps_its_claim(
    database: Database, effects: RecordingEffects, clock: Clock
) -> None:
    thought = timedelta(minutes=10)
    first, second = (
        SlackIn(b"secret", InboxStore(database), effects, clock, longest=thought) for _ in range(2)
    )
    first.take(asked(1))
    effects.trouble = [Killed()]
    with pytest.raises(Killed):
        first.work_once()
    clock.instant += thought + timedelta(minutes=1)
    assert not second.work_once()
    clock.instant += LEASE
    assert second.work_once()


@pytest.mark.parametrize("payload", [{"kind": "mention", "user": "U1", "mood": "x"}, {"user": "U1"}])
def test_what_another_version_kept_is_given_up_and_says_why(
    database: Database,
    build: Callable[[], SlackIn],
    effects: RecordingEffects,
    clock: Clock,
    payload: dict[str, str],
) -> None:
    one = build()
    InboxStore(database).receive(Delivery("slack", "Ev0", "C1:1.0", payload, clock()))
    clock.instant += timedelta(seconds=1)
    one.take(asked(1))
    while one.work_once():
        pass
    assert (effects.done, effects.apologies) == ([("question 1", 1)], [])
    with database.read() as connection:
        found = connection.execute(text("SELECT error FROM inbox WHERE done_at IS NOT NULL")).scalars()
        assert [one for one in found if one] == ["kept by another version, which said it otherwise"]


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (NotifyError("slack", "HTTP 429", retry_after=40), 40),
        (NotifyError("slack", "HTTP 503"), 2),
        (StoreUnavailable("locked", 5.0), 5),
    ],
)
def test_what_may_pass_is_tried_again_and_not_sooner_than_asked(
    build: Callable[[], SlackIn],
    effects: RecordingEffects,
    clock: Clock,
    error: NotifyError | StoreUnavailable,
    wait: float,
) -> None:
    one = build()
    one.take(asked(1))
    effects.trouble = [error]
    assert one.work_once()
    clock.instant += timedelta(seconds=wait - 0.5)
    assert not one.work_once()
    clock.instant += timedelta(seconds=1)
    assert one.work_once()
    assert effects.done == [("question 1", 2)]


def test_what_cannot_be_done_is_said_once(build: Callable[[], SlackIn], effects: RecordingEffects) -> None:
    one = build()
    for n, error in enumerate((Conflict("it is resolved already"), KeyError("x"))):
        one.take(asked(n))
        effects.trouble = [error]
        assert one.work_once()
    one.take(asked(5))
    effects.trouble = [NotifyError("slack", "invalid_auth", permanent=True)]
    assert one.work_once()
    assert not one.work_once()
    assert effects.apologies == ["it is resolved already", "something went wrong; it is in the log"]


def test_it_is_given_up_in_the_end(
    build: Callable[[], SlackIn], effects: RecordingEffects, clock: Clock
) -> None:
    one = build()
    one.take(asked(1))
    effects.trouble = [NotifyError("slack", "HTTP 500") for _ in range(50)]
    tries = 0
    for _ in range(50):
        tries += one.work_once()
        clock.instant += timedelta(hours=1)
    assert tries == MAX_ATTEMPTS


def test_a_command_that_is_quick_is_answered_where_it_was_asked(running: SlackIn) -> None:
    assert running.take(asked(1, "command")) == {"text": "answer to question 1"}
    assert running.take(asked(1, "command")) is None


def test_an_answer_that_comes_too_late_finds_nobody() -> None:
    slot = Slot()
    assert slot.wait(0.01) is None
    assert not slot.give({"text": "late"})


def test_more_than_can_be_answered_is_refused_and_not_forgotten(
    build: Callable[[], SlackIn], effects: RecordingEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_in, "MAX_WAITING", 3)
    one = build()
    for n in range(3):
        one.take(asked(n))
    with pytest.raises(Overloaded):
        one.take(asked(3))
    while one.work_once():
        pass
    one.take(asked(3))
    assert one.work_once()
    assert len(effects.done) == 4


def test_a_burst_is_worked_off_once_by_all_workers(running: SlackIn, effects: RecordingEffects) -> None:
    threads = [threading.Thread(target=running.take, args=(asked(n % 20),)) for n in range(60)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    deadline = threading.Event()
    for _ in range(200):
        if len(effects.done) == 20:
            break
        deadline.wait(0.05)
    assert sorted(effects.done) == sorted((f"question {n}", 1) for n in range(20))
