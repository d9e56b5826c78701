"""An answer that is given up before its turn comes is ended all the same."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from chat_rig import Talk, serving

from api.service_port import RunEvent
from db.chat import ChatStore
from db.records import ChatMessage, Run
from domain.errors import Overloaded
from service.chat import WORKERS, Chat
from service.chat_turn import ChatStores


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    with serving(tmp_path_factory.mktemp("turns")) as served:
        yield served


@pytest.fixture
def chat(talk: Talk) -> Iterator[Chat]:
    """A chat of its own, which can be closed."""
    stores = talk.service.parts.stores
    data = talk.service.analyst._chat._data
    chat = Chat(data, ChatStores(stores.chats, stores.runs), talk.service.parts.clock, lambda: None)
    yield chat
    chat.close()


def _runs(talk: Talk, author: str) -> list[Run]:
    stores = talk.service.parts.stores
    threads = stores.chats.list(author).items
    return [run for thread in threads for run in stores.runs.of_subject(thread.id)]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def _drain(events: AsyncIterator[RunEvent]) -> list[str]:
    return [one.event async for one in events]


async def test_who_leaves_while_the_question_is_stored_finds_its_answer_later(
    chat: Chat, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, goes_on = threading.Event(), threading.Event()
    whole = ChatStore.append

    def slow(self: ChatStore, thread: str, message: ChatMessage) -> ChatMessage:
        if message.role == "user":
            reached.set()
            assert goes_on.wait(10)
        return whole(self, thread, message)

    monkeypatch.setattr(ChatStore, "append", slow)
    asking = asyncio.ensure_future(_drain(chat.events("status?", None, "leaver", "viewer")))
    await asyncio.to_thread(reached.wait, 10)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    goes_on.set()
    await asyncio.to_thread(_until, lambda: [one.status for one in _runs(talk, "leaver")] == ["done"])
    assert chat._stops == {}


def test_an_answer_is_stopped_though_its_question_is_still_being_stored(
    chat: Chat, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []
    whole = ChatStore.append

    def stopping(self: ChatStore, thread: str, message: ChatMessage) -> ChatMessage:
        if message.role == "user":
            stopped.append(chat.cancel(thread))
        return whole(self, thread, message)

    monkeypatch.setattr(ChatStore, "append", stopping)
    said = chat.answer("what happened today?", None, "stopper", "viewer")
    assert (stopped, said.answer) == ([1], "Stopped.")
    assert [one.status for one in _runs(talk, "stopper")] == ["cancelled"]


async def test_what_waits_when_the_service_stops_is_ended(chat: Chat, talk: Talk) -> None:
    busy = threading.Event()
    for _ in range(WORKERS):
        chat._pool.submit(busy.wait, 10)
    asking = asyncio.ensure_future(_drain(chat.events("status?", None, "waiter", "viewer")))
    await asyncio.to_thread(_until, lambda: bool(chat._stops))
    closing = threading.Thread(target=chat.close)
    closing.start()
    assert (await asyncio.wait_for(asking, 10))[-1] == "run.finished"
    busy.set()
    closing.join(10)
    assert [one.status for one in _runs(talk, "waiter")] == ["failed"]
    assert chat._stops == {}


async def test_a_question_that_comes_too_late_is_refused_and_ended(chat: Chat, talk: Talk) -> None:
    chat.close()
    with pytest.raises(Overloaded, match="stopping"):
        await _drain(chat.events("status?", None, "late", "viewer"))
    assert [one.status for one in _runs(talk, "late")] == ["failed"]
