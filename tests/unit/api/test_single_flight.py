"""Equal requests at the same time are one piece of work."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.single_flight import KeyLocks, SingleFlight


def test_thirty_twins_start_one_run() -> None:
    flights, started = SingleFlight(), []

    def start() -> str:
        started.append(1)
        time.sleep(0.02)
        return f"D-{len(started)}"

    with ThreadPoolExecutor(30) as pool:
        found = list(pool.map(lambda _: flights.join("same", start), range(30)))
    assert set(found) == {"D-1"}
    assert len(started) == 1


def test_another_request_and_a_later_one_start_their_own() -> None:
    now = [0.0]
    flights = SingleFlight(seconds=10, clock=lambda: now[0])
    assert flights.join("a", lambda: "D-1") == "D-1"
    assert flights.join("b", lambda: "D-2") == "D-2"
    now[0] = 11.0
    assert flights.join("a", lambda: "D-3") == "D-3"


def test_a_start_that_fails_is_tried_again_by_the_next() -> None:
    flights = SingleFlight()

    def fail() -> str:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError):
        flights.join("a", fail)
    assert flights.join("a", lambda: "D-1") == "D-1"


def test_one_holder_per_key_and_nothing_kept_afterwards() -> None:
    locks, inside, most = KeyLocks(), [0], [0]
    guard = threading.Lock()

    def work(_: int) -> None:
        with locks.held("key"):
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.001)
            with guard:
                inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(20)))
    assert most == [1]
    assert locks._held == {}
