"""The inbox: a delivery is kept once, worked off in the order of its lane, and never by two at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from db.database import Database
from db.inbox import Delivery, InboxStore

NOW = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
LEASE = timedelta(minutes=1)


def delivery(name: str, lane: str = "a", after_s: float = 0, channel: str = "slack") -> Delivery:
    return Delivery(channel, name, lane, {"said": name}, NOW + timedelta(seconds=after_s))


def test_a_delivery_is_kept_once_whoever_takes_it(database: Database) -> None:
    store = InboxStore(database)
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: store.receive(delivery("Ev1")), range(8)))
    assert kept.count(True) == 1
    assert store.receive(delivery("Ev1", channel="github"))
    first = store.claim("slack", NOW, LEASE)
    assert first is not None
    store.done(first, NOW)
    assert not store.receive(delivery("Ev1"))
    with database.read() as connection:
        kept = connection.execute(text("SELECT payload FROM inbox WHERE channel = 'slack'")).scalar_one()
    assert "Ev1" not in str(kept)
    assert store.claim("slack", NOW + 2 * LEASE, LEASE) is None


def test_a_lane_is_worked_off_in_order_and_others_go_on(database: Database) -> None:
    store = InboxStore(database)
    for one in (delivery("2", after_s=1), delivery("1"), delivery("other", "b", 2)):
        store.receive(one)
    first, second = store.claim("slack", NOW, LEASE), store.claim("slack", NOW, LEASE)
    assert (first and first.delivery_id, second and second.delivery_id) == ("1", "other")
    assert store.claim("slack", NOW, LEASE) is None
    assert first is not None
    store.done(first, NOW)
    third = store.claim("slack", NOW, LEASE)
    assert third is not None
    assert (third.delivery_id, third.payload, third.attempts) == ("2", {"said": "2"}, 1)
    assert store.waiting("slack") == 2


def test_what_a_dead_worker_began_comes_again_and_says_so(database: Database) -> None:
    store = InboxStore(database)
    store.receive(delivery("1"))
    assert store.claim("slack", NOW, LEASE) is not None
    assert store.claim("slack", NOW + LEASE / 2, LEASE) is None
    again = store.claim("slack", NOW + LEASE, LEASE)
    assert again is not None
    assert again.attempts == 2
    store.retry(again, NOW + 5 * LEASE, "database away")
    assert store.claim("slack", NOW + 4 * LEASE, LEASE) is None
    assert store.claim("slack", NOW + 5 * LEASE, LEASE) is not None


def test_a_claim_that_ran_out_has_no_say_any_more(database: Database) -> None:
    store = InboxStore(database)
    store.receive(delivery("1"))
    old, new = store.claim("slack", NOW, LEASE), store.claim("slack", NOW + LEASE, LEASE)
    assert old is not None
    assert new is not None
    store.retry(old, NOW, "too late")
    assert store.claim("slack", NOW + LEASE, LEASE) is None
    store.done(old, NOW + LEASE, "too late")
    assert store.waiting("slack") == 1
    store.done(new, NOW + LEASE)
    store.retry(old, NOW, "too late")
    assert store.waiting("slack") == 0
    with database.read() as connection:
        assert connection.execute(text("SELECT error FROM inbox")).scalar_one() is None


def test_two_workers_never_hold_one_delivery(database: Database) -> None:
    store = InboxStore(database)
    for n in range(40):
        store.receive(delivery(str(n), lane=str(n % 7), after_s=n))

    def work(_: int) -> list[str]:
        mine = []
        while (one := store.claim("slack", NOW + LEASE, LEASE)) is not None:
            mine.append(one.delivery_id)
            store.done(one, NOW + LEASE)
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [name for names in pool.map(work, range(4)) for name in names]
    assert len(taken) == len(set(taken))
    assert store.waiting("slack") == 40 - len(taken)
