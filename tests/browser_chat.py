"""A chat whose answer a test tells word by word, stored as the service stores it."""

import asyncio
import queue
from collections.abc import AsyncIterator

from api_desk import NOW, Desk

from api.service_port import RunEvent
from api.settings import Role
from db.records import ChatMessage


class Teller:
    """Takes the place of the chat of a desk: streams what `tell` is given, until `end`."""

    def __init__(self, desk: Desk) -> None:
        self._stores = desk.stores
        self._events: queue.Queue[RunEvent | None] = queue.Queue()
        self.cancelled: list[str] = []
        desk.service.chat_events = self._answer  # type: ignore[method-assign]
        desk.service.cancel_chat = self._cancel  # type: ignore[method-assign]

    def tell(self, event: str, **data: object) -> None:
        """The next event of the answer."""
        self._events.put(RunEvent(event, data))

    def words(self, text: str) -> None:
        """The next piece of its text."""
        self.tell("token", text=text)

    def end(self) -> None:
        """That was all."""
        self._events.put(None)

    def _cancel(self, thread_id: str) -> int:
        self.cancelled.append(thread_id)
        self.end()
        return 1

    async def _answer(
        self, message: str, thread_id: str | None, author: str, role: Role = "viewer"
    ) -> AsyncIterator[RunEvent]:
        chats, runs = self._stores.chats, self._stores.runs
        thread = thread_id or chats.start(author, message[:80], NOW).id
        run = runs.start("chat", thread, NOW)
        chats.append(thread, ChatMessage(0, "user", message, NOW, run_id=run.id))
        yield RunEvent("run.started", {"kind": "chat", "thread_id": thread, "model": None}, 1)
        text = ""
        while (event := await asyncio.to_thread(self._events.get)) is not None:
            text += str(event.data.get("text", ""))
            runs.append(run.id, event.event, event.data, NOW)
            yield event
        cited = {"kind": "anomaly", "id": "A-1"}
        chats.append(thread, ChatMessage(0, "assistant", text, NOW, run_id=run.id, citations=(cited,)))
        runs.append(run.id, "usage", {"input_tokens": 700, "output_tokens": 112, "cost_usd": 0.0031}, NOW)
        ended = {"status": "done", "thread_id": thread, "ms": 640.0}
        runs.finish(run.id, "done", NOW, ("run.finished", ended))
        yield RunEvent("run.finished", ended)
