"""The runner: sources fail alone, come back by themselves, and lose nothing meanwhile."""

import gc
import random
import threading
import time
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from collectors.collector import Collected, Position
from collectors.runner import SourceResult, SourceRunner
from collectors.settings import HostSource
from domain.cycle import SourceState
from domain.errors import SourceError
from domain.event import Event
from domain.series import SampleBatch, Series, SeriesKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CYCLE = timedelta(seconds=300)
Script = Callable[[Position, datetime], Collected]


def page(at: datetime, value: float = 1.0, *, more: bool = False) -> Collected:
    samples = SampleBatch.of([(Series(0, SeriesKey.of("x")), at, value)])
    return Collected(samples, (), Position(at), more=more)


class ScriptedSource:
    """A source whose behaviour is a function; keeps the positions it was asked from."""

    kind = "scripted"

    def __init__(self, script: Script, name: str = "one") -> None:
        self.name = name
        self.script = script
        self.asked: list[Position] = []

    def collect(self, since: Position, now: datetime) -> Collected:
        self.asked.append(since)
        return self.script(since, now)


class MemoryStates:
    def __init__(self) -> None:
        self.states: dict[str, SourceState] = {}

    def get(self, name: str) -> SourceState | None:
        return self.states.get(name)

    def put(self, state: SourceState) -> None:
        self.states[state.name] = state


def settings(name: str = "one", **more: object) -> HostSource:
    values = {
        "kind": "host",
        "name": name,
        "deadline_seconds": 0.3,
        "retries": 0,
        "step_seconds": 300,
        **more,
    }
    return HostSource.model_validate(values)


def runner_of(*sources: ScriptedSource, states: MemoryStates | None = None, **more: object) -> SourceRunner:
    pairs = [(settings(source.name, **more), source) for source in sources]
    return SourceRunner(pairs, states, random.Random(7))


def fail(reason: str = "down", *, permanent: bool = False, retry_after: float | None = None) -> Script:
    def script(since: Position, now: datetime) -> Collected:
        raise SourceError("one", reason, permanent=permanent, retry_after=retry_after)

    return script


def good(since: Position, now: datetime) -> Collected:
    return page(now)


def only(results: list[SourceResult]) -> SourceResult:
    (result,) = results
    return result


def test_a_source_that_hangs_delays_neither_the_others_nor_later_cycles() -> None:
    release = threading.Event()

    def hang(since: Position, now: datetime) -> Collected:
        release.wait(20)
        return page(now)

    runner = runner_of(ScriptedSource(hang, "slow"), ScriptedSource(good, "fast"))
    began = time.monotonic()
    slow, fast = runner.run(NOW)
    assert (len(slow.samples), len(fast.samples)) == (0, 1)
    assert slow.health.last_error == "no answer within 0.3 s; still waiting"
    slow, _ = runner.run(NOW + CYCLE)
    assert slow.health.status == "failed"
    assert time.monotonic() - began < 2
    release.set()


def test_a_read_that_never_ends_is_given_up_for_lost_a_few_times() -> None:
    release = threading.Event()
    seconds = [0.0]

    def hang(since: Position, now: datetime) -> Collected:
        release.wait(60)
        return page(now)

    source = ScriptedSource(hang)
    pairs = [(settings(deadline_seconds=0.01, breaker_max_seconds=1), source)]
    runner = SourceRunner(pairs, None, random.Random(7), lambda: seconds[0])
    for cycle in range(12):
        runner.run(NOW + cycle * CYCLE)
        seconds[0] += 1
    assert len(source.asked) == 4
    source.script = good
    release.set()
    time.sleep(0.1)
    assert "still waiting" not in str(only(runner.run(NOW + 20 * CYCLE)).health.last_error)


def test_an_answer_that_came_late_is_in_the_next_cycle() -> None:
    release = threading.Event()

    def late(since: Position, now: datetime) -> Collected:
        release.wait(20)
        return page(now)

    source = ScriptedSource(late)
    runner = runner_of(source)
    assert not len(only(runner.run(NOW)).samples)
    release.set()
    time.sleep(0.1)
    result = only(runner.run(NOW + CYCLE))
    assert [at for _, at, _ in result.samples] == [NOW]
    assert result.health.status == "ok"
    assert len(source.asked) == 1


def test_what_was_not_stored_is_read_again() -> None:
    source = ScriptedSource(good)
    runner = runner_of(source)
    runner.run(NOW)
    runner.acknowledge(only(runner.run(NOW + CYCLE)))
    runner.run(NOW + 2 * CYCLE)
    assert [position.watermark for position in source.asked] == [None, None, NOW + CYCLE]


def test_after_an_outage_a_source_is_asked_for_everything_since_its_last_success() -> None:
    states = MemoryStates()
    source = ScriptedSource(good)
    runner = runner_of(source, states=states)
    runner.acknowledge(only(runner.run(NOW)))
    source.script = fail()
    runner.run(NOW + CYCLE)
    runner.run(NOW + 2 * CYCLE)
    source.script = good
    restarted = runner_of(source, states=states)
    result = only(restarted.run(NOW + 3 * CYCLE))
    assert source.asked[-1].watermark == NOW
    assert result.health.status == "ok"


def test_a_backfill_comes_in_pages_until_nothing_is_left() -> None:
    def paged(since: Position, now: datetime) -> Collected:
        at = (since.watermark or NOW) + timedelta(minutes=1)
        return page(at, more=at < NOW + timedelta(minutes=5))

    source = ScriptedSource(paged)
    result = only(runner_of(source, deadline_seconds=5).run(NOW + CYCLE))
    assert len(result.samples) == 5
    assert result.position == Position(NOW + timedelta(minutes=5))
    assert not result.more


def test_pages_before_a_failure_are_kept() -> None:
    def breaks_on_the_second(since: Position, now: datetime) -> Collected:
        if since.watermark is None:
            return page(NOW, more=True)
        raise SourceError("one", "reset")

    result = only(runner_of(ScriptedSource(breaks_on_the_second)).run(NOW))
    assert len(result.samples) == 1
    assert result.position == Position(NOW)
    assert result.health.last_error == "reset"


def test_a_failing_source_turns_from_stale_to_failed_and_is_left_alone_for_a_while() -> None:
    source = ScriptedSource(good)
    runner = runner_of(source)
    assert only(runner.run(NOW)).health.status == "ok"
    source.script = fail()
    seen = [only(runner.run(NOW + k * timedelta(seconds=1))).health for k in range(1, 6)]
    assert [health.status for health in seen] == ["stale", "failed", "failed", "failed", "failed"]
    assert len(source.asked) == 4
    assert seen[-1].next_try_at is not None
    source.script = good
    assert only(runner.run(NOW + timedelta(seconds=60))).health.status == "ok"


def test_a_half_open_breaker_tries_once() -> None:
    source = ScriptedSource(fail())
    runner = runner_of(source, retries=2, breaker_failures=1, deadline_seconds=10)
    runner.run(NOW)
    assert len(source.asked) == 3
    runner.run(NOW + timedelta(seconds=60))
    assert len(source.asked) == 4


def test_a_source_is_not_called_while_it_asked_to_be_left_alone() -> None:
    source = ScriptedSource(fail("HTTP 429", retry_after=120))
    runner = runner_of(source, retries=5)
    first = only(runner.run(NOW)).health
    assert first.next_try_at == NOW + timedelta(seconds=120)
    runner.run(NOW + timedelta(seconds=119))
    assert len(source.asked) == 1
    runner.run(NOW + timedelta(seconds=121))
    assert len(source.asked) == 2


def test_a_passing_fault_is_retried_within_the_same_read() -> None:
    source = ScriptedSource(fail())

    def second_time_lucky(since: Position, now: datetime) -> Collected:
        if len(source.asked) < 2:
            raise SourceError("one", "reset")
        return page(now)

    source.script = second_time_lucky
    result = only(runner_of(source, retries=2, deadline_seconds=5).run(NOW))
    assert len(result.samples) == 1
    assert result.health.status == "ok"


def test_a_hopeless_fault_is_not_retried_within_the_same_read() -> None:
    source = ScriptedSource(fail("HTTP 401", permanent=True))
    assert only(runner_of(source, retries=5).run(NOW)).health.last_error == "HTTP 401"
    assert len(source.asked) == 1


def test_a_collector_that_breaks_is_a_failed_source_and_tells_no_secret() -> None:
    def broken(since: Position, now: datetime) -> Collected:
        raise RuntimeError("password=hunter2")

    health = only(runner_of(ScriptedSource(broken)).run(NOW)).health
    assert health.last_error == "unexpected RuntimeError while reading"


def test_an_answer_of_nonsense_is_a_failed_source_and_no_endless_wait() -> None:
    nonsense: Script = lambda since, now: None  # type: ignore[assignment, return-value] # noqa: E731
    health = only(runner_of(ScriptedSource(nonsense)).run(NOW)).health
    assert health.last_error == "unexpected AttributeError while reading"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e301])
def test_a_value_that_no_source_may_deliver_is_dropped_and_noted(value: float) -> None:
    result = only(runner_of(ScriptedSource(lambda since, now: page(now, value))).run(NOW))
    assert not len(result.samples)
    assert result.notes == ("1 samples refused: not finite or too large",)


def test_a_sample_of_tomorrow_is_dropped() -> None:
    result = only(runner_of(ScriptedSource(lambda since, now: page(now + timedelta(days=1)))).run(NOW))
    assert result.notes == ("1 samples refused: more than 10 minutes in the future",)


def test_a_source_without_new_data_is_stale() -> None:
    runner = runner_of(ScriptedSource(lambda since, now: page(NOW)))
    runner.acknowledge(only(runner.run(NOW)))
    later = only(runner.run(NOW + 4 * CYCLE)).health
    assert (later.status, later.lag_seconds) == ("stale", 1200.0)


def test_a_source_is_read_no_more_often_than_its_interval() -> None:
    source = ScriptedSource(good)
    runner = runner_of(source, interval_seconds=600)
    for k in range(4):
        runner.run(NOW + k * CYCLE + timedelta(seconds=k % 2))
    assert len(source.asked) == 2


def test_a_source_that_was_never_read_is_warming_up() -> None:
    (health,) = runner_of(ScriptedSource(good)).health(NOW)
    assert (health.status, health.last_success_at) == ("warming_up", None)


def test_events_are_handed_on() -> None:
    event = Event(timestamp=NOW, source="news", text="halt")
    empty = SampleBatch.of(())
    source = ScriptedSource(lambda since, now: Collected(empty, (event,), Position(now)))
    result = only(runner_of(source).run(NOW))
    assert result.events == (event,)
    assert result.health.events == 1


def test_what_a_failed_read_held_is_let_go_at_once() -> None:
    class Large:
        """Stands for a document of hundreds of megabytes."""

    held: list[weakref.ref[Large]] = []

    def broken(since: Position, now: datetime) -> Collected:
        document = Large()
        held.append(weakref.ref(document))
        try:
            int("no number")
        except ValueError:
            raise SourceError("one", "an unexpected shape") from None
        return page(now)

    runner = runner_of(ScriptedSource(broken))
    gc.disable()
    try:
        assert only(runner.run(NOW)).health.last_error == "an unexpected shape"
        assert [one() for one in held] == [None]
    finally:
        gc.enable()


def test_sources_that_bring_the_same_series_are_told_about_each_other() -> None:
    runner = runner_of(ScriptedSource(good, "one"), ScriptedSource(good, "two"))
    for cycle in range(2):
        first, second = runner.run(NOW + cycle * CYCLE)
        assert first.health.notes == ()
        assert second.health.notes == ("1 series are brought by one as well: give one of them `labels`",)


def test_a_source_that_failed_before_a_restart_says_so_until_it_is_tried() -> None:
    states = MemoryStates()
    runner = runner_of(ScriptedSource(fail()), states=states, breaker_failures=2)
    for cycle in range(2):
        runner.run(NOW + cycle * timedelta(seconds=1))
    restarted = runner_of(ScriptedSource(good), states=states, breaker_failures=2)
    now = NOW + timedelta(seconds=3)
    health = only(restarted.run(now)).health
    assert (health.status, health.next_try_at is not None) == ("failed", True)
    assert health.last_error == "2 failed reads in a row before this start; not tried again yet"
    assert only(restarted.run(NOW + CYCLE)).health.last_error is None
