"""Each store keeps what it was given, once, and gives it back as it was."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from db.chat import ChatStore
from db.cycles import CycleStore
from db.database import Database
from db.events import EventStore
from db.feedback import FeedbackStore
from db.idempotency import DeliveryStore, IdempotencyStore
from db.records import Appended, ChatMessage, ModelCall, SourceState, StoredResponse, UsageDay
from db.rules import RuleStore
from db.runs import RunStore
from db.series import SeriesStore
from db.sources import SourceStateStore
from db.usage import UsageStore
from domain.cycle import DetectorState, SourceHealth, StepTime
from domain.errors import Conflict, NotFound, Overloaded
from domain.event import Event
from domain.feedback import Feedback
from domain.rule import Rule, SeverityThresholds
from domain.series import Series, SeriesKey

NOW = datetime(2026, 3, 1, 6, 10, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = "'; DROP TABLE rule; -- <script>{{7*7}} =cmd \u202e"


def test_a_series_is_registered_once_and_found_by_metric_and_labels(database: Database) -> None:
    store = SeriesStore(database)
    pnl = Series(0, SeriesKey.of("pnl", {"venue": "bybit", "symbol": HOSTILE[:40]}), unit="")
    price = Series(0, SeriesKey.of("price", {"venue": "bybit"}), "market_data", "USD", 60, "counter")
    first = store.register([pnl, price, pnl])
    assert [one.id for one in first] == [1, 2, 1]
    assert SeriesStore(database).register([price])[0] == first[1]
    named = SeriesStore(database).register([Series(0, pnl.key, unit="USD", step_s=7)])[0]
    assert (named.unit, named.step_s) == ("USD", 300)
    assert [one.id for one in SeriesStore(database).find(labels={"venue": "bybit"}).items] == [1, 2]
    assert store.find(metric="price", labels={"venue": "bybit"}).items == (first[1],)
    assert store.find(metric="pri%").items == ()
    page = store.find(limit=1)
    assert store.find(limit=1, cursor=page.next_cursor).items == (first[1],)
    assert store.named([price.name, "unknown"]) == {price.name: first[1]}
    assert SeriesStore(database).get(2) == first[1]
    assert len(SeriesStore(database).all()) == store.count() == 2
    with pytest.raises(NotFound):
        store.get(99)


def test_an_event_is_stored_once_however_often_it_is_read(database: Database) -> None:
    store = EventStore(database)
    deploy = Event(timestamp=NOW, source="events", text=HOSTILE, labels={"kind": "deploy"})
    log = Event(timestamp=NOW + MINUTE, source="system_logs", text="x", dedupe_key="file:1")
    assert store.append([deploy, log, deploy]) == Appended(3, 1)
    assert store.append([deploy, log.model_copy(update={"text": "again"})]) == Appended(2, 2)
    found = store.between(NOW, NOW + 2 * MINUTE)
    assert [(one.text, one.timestamp, dict(one.labels)) for one in found] == [
        (HOSTILE, NOW, {"kind": "deploy"}),
        ("x", NOW + MINUTE, {}),
    ]
    assert store.between(NOW, NOW + 2 * MINUTE, source="system_logs") == found[1:]
    assert store.between(NOW, NOW + MINUTE) == found[:1]
    assert store.since(found[0].id) == found[1:]
    assert store.between(NOW, NOW + 2 * MINUTE, limit=1) == found[1:]
    assert [one.id for one in store.list(limit=1).items] == [found[1].id]


def test_rules_are_kept_by_name(database: Database) -> None:
    store = RuleStore(database)
    severity = SeverityThresholds(low=3, medium=4, high=5, critical=6)
    rule = Rule(name="pnl_drop", metric="pnl", labels={"strategy": "mm_*"}, severity_thresholds=severity)
    assert store.add(rule) == rule
    with pytest.raises(Conflict):
        store.add(rule)
    changed = rule.model_copy(update={"enabled": False})
    store.put(changed)
    store.put(Rule(name="a", metric="x"))
    assert [one.name for one in store.all()] == ["a", "pnl_drop"]
    assert store.get("pnl_drop") == changed
    store.delete("a")
    for missing in (store.get, store.delete):
        with pytest.raises(NotFound):
            missing("a")


def test_built_in_rules_are_offered_once_whatever_became_of_them(database: Database) -> None:
    store = RuleStore(database)
    mine = Rule(name="orders", metric="orders", enabled=False)
    store.add(mine)
    first = [Rule(name=name, metric=name) for name in ("cpu", "memory", "orders")]
    assert store.offer(first) == ["cpu", "memory"]
    store.delete("memory")
    assert store.offer([*first, Rule(name="disk", metric="disk")]) == ["disk"]
    assert [one.name for one in store.all()] == ["cpu", "disk", "orders"]
    assert store.get("orders") == mine


def test_a_run_is_replayed_from_any_event_on(database: Database) -> None:
    store = RunStore(database)
    run = store.start("diagnosis", "D-1", NOW)
    assert store.append(run.id, "run.started", {"kind": "diagnosis", "score": float("nan")}, NOW) == 1
    assert store.append_many(run.id, [("token", {"text": HOSTILE}), ("token", {"text": "b"})], NOW) == 3
    assert [one.id for one in store.unfinished()] == [run.id]
    store.finish(run.id, "done", NOW + MINUTE, ("run.finished", {"status": "done"}))
    assert store.unfinished() == []
    assert [(one.seq, one.type) for one in store.after(run.id, 2)] == [(3, "token"), (4, "run.finished")]
    assert store.after(run.id)[0].data == {"kind": "diagnosis", "score": None}
    assert store.of_subject("D-1")[0].finished_at == NOW + MINUTE
    with pytest.raises(NotFound):
        store.append(99, "token", {}, NOW)


def test_events_of_one_run_are_numbered_without_gap_by_concurrent_writers(database: Database) -> None:
    store = RunStore(database)
    run = store.start("chat", "T-1", NOW)
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda i: store.append(run.id, "token", {"i": i}, NOW), range(30)))
    assert sorted(numbers) == list(range(1, 31))


def test_a_chat_keeps_its_messages_in_order(database: Database) -> None:
    store = ChatStore(database)
    thread = store.start("mk", "What moved?", NOW)
    question = store.append(thread.id, ChatMessage(0, "user", HOSTILE, NOW))
    answer = ChatMessage(
        0, "assistant", "pnl", NOW, 1, ({"kind": "anomaly", "id": "A-1"},), ({"name": "read"},)
    )
    assert store.append(thread.id, answer).n == 2
    assert store.messages(thread.id)[0] == question
    assert store.messages(thread.id)[1].citations == ({"kind": "anomaly", "id": "A-1"},)
    assert store.list("mk").items == (store.thread("T-1"),)
    assert store.list("other").items == ()
    with pytest.raises(NotFound):
        store.append("T-9", answer)


def test_feedback_is_withdrawn_and_still_counted(database: Database) -> None:
    store = FeedbackStore(database)

    def said(verdict: str, author: str) -> Feedback:
        values = {
            "kind": "anomaly",
            "target_id": "A-1",
            "verdict": verdict,
            "author": author,
            "created_at": NOW,
        }
        return store.add(Feedback.model_validate(values))

    first, second = said("true_positive", "mk"), said("false_positive", "ab")
    assert store.of("anomaly", "A-1") == [first, second]
    assert store.withdraw_last("anomaly", "A-1", "ab", NOW) == second
    assert store.withdraw_last("anomaly", "A-1", "ab", NOW) is None
    assert store.of_many("anomaly", ["A-1", "A-2"]) == {"A-1": [first]}
    assert store.since(NOW, "anomaly") == [first]
    assert store.since(NOW + MINUTE) == []
    assert store.count_by("ab", NOW) == 1


def test_usage_adds_up_by_day_and_an_unknown_price_stays_unknown(database: Database) -> None:
    store = UsageStore(database)
    late = NOW.replace(hour=23, minute=59)
    for at, model, cost in ((NOW, "a", 0.25), (late, "a", 0.5), (NOW, "b", None), (late + MINUTE, "a", 1.0)):
        store.add(ModelCall(at, model, 100, 10, cost, "D-1", "v1", "asked", "answered"))
    assert store.by_day(NOW, NOW + timedelta(days=2)) == [
        UsageDay("2026-03-01", "a", 2, 200, 20, 0.75),
        UsageDay("2026-03-01", "b", 1, 100, 10, None),
        UsageDay("2026-03-02", "a", 1, 100, 10, 1.0),
    ]
    assert store.spent(late) == 1.5
    assert store.spent(NOW, "D-2") == 0.0
    assert len(store.calls("D-1")) == 4
    assert store.calls("D-1")[0].answer == "answered"


def test_a_slot_is_claimed_once_by_many(database: Database) -> None:
    store = CycleStore(database)
    with ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda owner: store.claim_slot(NOW, str(owner), NOW), range(6)))
    [cycle] = [one for one in claims if one is not None]
    assert store.claim_slot(NOW, "late", NOW) is None
    done = cycle.model_copy(
        update={
            "status": "done",
            "finished_at": NOW + MINUTE,
            "series": 7,
            "detectors": (DetectorState(name="zscore", status="failed", error="x"),),
            "steps": (StepTime(name="collect", ms=1.5),),
        }
    )
    store.finish(done)
    assert store.get(cycle.id) == done
    assert not store.heartbeat(cycle.id, "0", NOW)


def test_missed_and_interrupted_slots_leave_a_trace(database: Database) -> None:
    store = CycleStore(database)
    first = store.claim_slot(NOW, "a", NOW)
    assert first is not None
    assert store.heartbeat(first.id, "a", NOW + MINUTE)
    assert store.interrupt_stale(NOW + MINUTE) == []
    cover = store.claim_slot(NOW + 10 * MINUTE, "b", NOW + 10 * MINUTE, [NOW, NOW + 5 * MINUTE])
    assert cover is not None
    [missed] = [one for one in store.list().items if one.status == "missed"]
    assert (missed.scheduled_for, missed.covered_by) == (NOW + 5 * MINUTE, cover.id)
    [interrupted] = store.interrupt_stale(NOW + 2 * MINUTE, cover.id)
    assert (interrupted.id, interrupted.status, interrupted.covered_by) == (first.id, "interrupted", cover.id)
    assert [one.status for one in store.list().items] == ["running", "missed", "interrupted"]
    assert store.latest_slot() == NOW + 10 * MINUTE
    assert not store.heartbeat(first.id, "a", NOW + 3 * MINUTE)


def test_a_source_remembers_where_it_was(database: Database) -> None:
    store = SourceStateStore(database)
    assert store.get("prom") == SourceState("prom")
    health = SourceHealth(name="prom", kind="prometheus", status="ok", last_success_at=NOW, lag_seconds=0.5)
    state = SourceState("prom", {"at": "2026"}, {"failures": 2}, health)
    store.put(state, NOW)
    store.put(state, NOW + MINUTE)
    assert store.all() == [state]


def test_a_repeated_request_gets_the_same_answer_for_a_day(database: Database) -> None:
    store = IdempotencyStore(database)
    assert store.begin("k", "one", NOW) is None
    with pytest.raises(Overloaded):
        store.begin("k", "one", NOW)
    answer = StoredResponse(202, b'{"id":"D-1"}', {"Location": "/x"})
    store.finish("k", answer)
    assert store.begin("k", "one", NOW + timedelta(hours=23)) == answer
    with pytest.raises(Conflict):
        store.begin("k", "other", NOW)
    assert store.begin("k", "other", NOW + timedelta(hours=24)) is None
    store.release("k")
    assert store.begin("k", "third", NOW + timedelta(hours=24)) is None
    assert store.begin("k", "third", NOW + timedelta(hours=25)) is None


def test_a_delivery_counts_once(database: Database) -> None:
    store = DeliveryStore(database)
    with ThreadPoolExecutor(4) as pool:
        first = list(pool.map(lambda _: store.first_time("slack", "Ev1", NOW), range(8)))
    assert sum(first) == 1
    assert store.first_time("github", "Ev1", NOW)
    store.forget("slack", "Ev1")
    assert store.first_time("slack", "Ev1", NOW)
