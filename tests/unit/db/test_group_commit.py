"""Concurrent requests share commits, and each gets its own answer or its own error."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from db.group_commit import GroupCommit
from db.sqlite import WriterTurn
from domain.errors import Overloaded, StoreUnavailable


def test_waiting_requests_are_committed_together_and_answered_apart() -> None:
    groups: list[list[int]] = []
    first_began, may_go_on = threading.Event(), threading.Event()

    def flush(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        first_began.set()
        may_go_on.wait(5)
        return [item * 10 for item in items]

    commits = GroupCommit[int, int](flush)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(commits.submit, 0)]
        first_began.wait(5)
        answers += [pool.submit(commits.submit, i) for i in range(1, 8)]
        while len(commits._queue) < 7:
            threading.Event().wait(0.001)
        may_go_on.set()
        assert [one.result() for one in answers] == [i * 10 for i in range(8)]
    assert [len(group) for group in groups] == [1, 7]


def test_a_failed_commit_tells_everybody_who_was_in_it() -> None:
    def flush(items: Sequence[int]) -> list[int]:
        raise StoreUnavailable("the disk is full", 30.0)

    commits = GroupCommit[int, int](flush)
    with pytest.raises(StoreUnavailable, match="disk is full") as caught:
        commits.submit(1)
    assert caught.value.retry_after == 30.0


def test_a_defect_does_not_leave_anybody_waiting() -> None:
    def flush(items: Sequence[int]) -> list[int]:
        raise ZeroDivisionError

    commits = GroupCommit[int, int](flush)
    with pytest.raises(ZeroDivisionError):
        commits.submit(1)
    assert not commits._queue


def test_beyond_the_bound_a_request_is_sent_away() -> None:
    commits = GroupCommit[int, int](list, waiting=0)
    with pytest.raises(Overloaded):
        commits.submit(1)


def test_writers_take_turns_in_the_order_in_which_they_came() -> None:
    turn = WriterTurn()
    order: list[int] = []

    def write(n: int) -> None:
        with turn.taken(5):
            order.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]
    with turn.taken(1):
        for n, thread in enumerate(threads):
            thread.start()
            while len(turn._waiting) <= n:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_turn_that_does_not_come_is_an_answer_and_not_a_hang() -> None:
    turn = WriterTurn()
    with turn.taken(1), pytest.raises(StoreUnavailable):
        turn._acquire(0.01)
    with turn.taken(0.01):
        pass
