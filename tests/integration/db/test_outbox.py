"""The outbox: nothing lost, nothing handed out twice, messages of a subject in one hand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from db.database import Database
from db.outbox import OutboxStore
from db.records import AlertIntent
from domain.errors import NotFound

NOW = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def intent(key: str, subject: str = "s", receiver: str = "slack", due: datetime = NOW) -> AlertIntent:
    return AlertIntent(receiver, "opened", key, {"key": key, "score": float("inf")}, due, subject)


def test_a_decision_is_stored_once(database: Database) -> None:
    store = OutboxStore(database)
    assert store.add([intent("a"), intent("a"), intent("b")], None, NOW) == 2
    assert store.add([intent("b")], None, NOW) == 0
    assert [one.dedupe_key for one in store.about("slack", "s")] == ["a", "b"]


def test_a_claim_takes_all_due_messages_of_a_subject_and_keeps_others_away(database: Database) -> None:
    store = OutboxStore(database)
    store.add(
        [intent("a"), intent("b"), intent("later", due=NOW + 5 * MINUTE), intent("x", "other")], None, NOW
    )
    first = store.claim(NOW, MINUTE, limit=2)
    assert [one.dedupe_key for one in first] == ["a", "b"]
    store.add([intent("c")], None, NOW)
    assert [one.dedupe_key for one in store.claim(NOW, MINUTE)] == ["x"]
    for one in first:
        store.sent(one.id, "ts-1", NOW)
    assert [one.dedupe_key for one in store.claim(NOW, MINUTE)] == ["c"]
    assert store.remote_ref("slack", "s") == "ts-1"
    assert store.remote_ref("slack", "other") is None


def test_a_claim_that_ran_out_comes_back_as_a_possible_repeat(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("a")], None, NOW)
    [first] = store.claim(NOW, MINUTE)
    assert (first.attempts, first.possible_repeat) == (1, False)
    assert store.claim(NOW + MINUTE / 2, MINUTE) == []
    [second] = store.claim(NOW + MINUTE, MINUTE)
    assert (second.attempts, second.possible_repeat) == (2, True)
    store.retry(second.id, NOW + 9 * MINUTE, "HTTP 500")
    assert store.claim(NOW + 8 * MINUTE, MINUTE) == []
    [third] = store.claim(NOW + 9 * MINUTE, MINUTE)
    assert (third.attempts, third.possible_repeat, third.error) == (3, False, "HTTP 500")


def test_a_parked_message_waits_for_the_configuration(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("a"), intent("b", receiver="mail")], None, NOW)
    for one in store.claim(NOW, MINUTE):
        store.park(one.id, "channel_not_found")
    assert store.claim(NOW + MINUTE, MINUTE) == []
    assert store.counts() == {("slack", "parked"): 1, ("mail", "parked"): 1}
    assert store.unpark("slack", NOW) == 1
    assert [one.dedupe_key for one in store.claim(NOW, MINUTE)] == ["a"]
    assert [one.error for one in store.list(states=["parked"]).items] == ["channel_not_found"]


def test_messages_of_a_receiver_that_is_busy_are_left(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("a"), intent("b", receiver="mail")], None, NOW)
    assert [one.receiver for one in store.claim(NOW, MINUTE, but=["slack"])] == ["mail"]
    assert [(one.receiver, one.attempts) for one in store.claim(NOW, MINUTE)] == [("slack", 1)]


def test_a_message_once_sent_stays_sent(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("a")], None, NOW)
    [one] = store.claim(NOW, MINUTE)
    store.sent(one.id, None, NOW)
    store.retry(one.id, NOW, "late word of another worker")
    store.park(one.id, "late word of another worker")
    assert store.get(one.id).state == "sent"
    assert store.claim(NOW + MINUTE, MINUTE) == []
    with pytest.raises(NotFound):
        store.get(99)


def test_many_workers_never_get_the_same_message(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent(str(i), subject=str(i)) for i in range(40)], None, NOW)

    def work(_: int) -> list[int]:
        taken: list[int] = []
        while claimed := OutboxStore(database).claim(NOW, MINUTE, limit=3):
            taken += [one.id for one in claimed]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [one for found in pool.map(work, range(4)) for one in found]
    assert sorted(taken) == list(range(1, 41))


def test_decisions_of_the_last_hours_and_of_open_incidents_are_found(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("old", "incident:I-1")], "I-1", NOW - 60 * MINUTE)
    store.add([intent("older", "incident:I-2")], "I-2", NOW - 90 * MINUTE)
    store.add([intent("digest", "digest:1")], "I-1", NOW - 60 * MINUTE)
    store.add([intent("digest too", "digest:1")], "I-3", NOW - 60 * MINUTE)
    store.add([intent("new", "incident:I-4")], "I-4", NOW)
    keys = [one.dedupe_key for one in store.recent(NOW - MINUTE, ["I-1"])]
    assert keys == ["old", "digest", "digest too", "new"]
    assert [one.dedupe_key for one in store.recent(NOW - MINUTE)] == ["new"]
    assert store.decided_since("slack", "opened", NOW - 60 * MINUTE) == 4


def test_a_message_of_a_receiver_leads_back_to_what_it_told(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("a"), intent("b"), intent("c", "other", "slack:C2")], None, NOW)
    for one in store.claim(NOW, MINUTE):
        store.sent(one.id, "C1:1.1" if one.receiver == "slack" else "C2:1.1", NOW)
    assert [one.dedupe_key for one in store.behind("C1:1.1")] == ["a", "b"]
    assert [one.receiver for one in store.behind("C2:1.1")] == ["slack:C2"]
    assert store.behind("C1:2.2") == []


def test_a_cancelled_message_is_not_told_and_keeps_its_reason(database: Database) -> None:
    store = OutboxStore(database)
    store.add([intent("a")], None, NOW)
    store.cancel(1, "escalation_over: resolved")
    assert store.claim(NOW + MINUTE, MINUTE) == []
    assert store.get(1).error == "escalation_over: resolved"
    assert store.unpark("slack", NOW) == 0


def test_how_long_the_oldest_message_waits_counts_from_when_it_was_due(database: Database) -> None:
    store = OutboxStore(database)
    assert store.oldest_waiting(NOW) is None
    store.add([intent("later", due=NOW + MINUTE), intent("now")], None, NOW)
    assert store.oldest_waiting(NOW) == NOW
    [first] = store.claim(NOW, MINUTE)
    assert store.oldest_waiting(NOW) == NOW
    store.sent(first.id, None, NOW)
    assert store.oldest_waiting(NOW) is None
    assert store.oldest_waiting(NOW + MINUTE) == NOW + MINUTE
