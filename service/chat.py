"""The chat of the service: threads that last, answers as stored runs that stream, resume and stop."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from agent.chat.asked import Answer, Asked, Stopped
from agent.chat.conversation import Turn, answer_to, context_of
from agent.chat.data import DeskData
from agent.chat.desk_tools import Permissions, Tools
from agent.chat.grounding import marked
from agent.chat.lexicon import Lexicon
from agent.chat.reader import read
from api.service_port import ChatAnswer, Citation, RunEvent, ToolCall
from api.settings import Role
from db.chat import ChatStore
from db.records import ChatMessage
from db.runs import RunStore
from domain.errors import AnalystError
from service.clock import Clock

log = structlog.get_logger()
MAX_TITLE = 80
WORKERS = 4
_POLL_SECONDS = 0.03
_OPERATORS: frozenset[Role] = frozenset({"operator", "admin"})
STOPPED = "Stopped."


@dataclass(frozen=True, slots=True)
class Begun:
    """A question that is stored and waits for its answer."""

    thread_id: str
    run_id: int
    message: str
    turns: Sequence[Turn]
    permissions: Permissions


class Chat:
    """Answers questions; callable from any thread.

    Args:
        data: the stored desk.
        chats: where threads are kept.
        runs: where the events of answers are kept.
        clock: the service's clock.
        budget: what a model may still cost today.
    """

    def __init__(
        self,
        data: DeskData,
        chats: ChatStore,
        runs: RunStore,
        clock: Clock,
        budget: Callable[[], float | None],
    ) -> None:
        self._data = data
        self._chats = chats
        self._runs = runs
        self._clock = clock
        self._budget = budget
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="chat")
        self._guard = threading.Lock()
        self._stops: dict[int, threading.Event] = {}
        self._words: tuple[int, Lexicon] | None = None

    def answer(self, message: str, thread_id: str | None, author: str, role: Role) -> ChatAnswer:
        """Answer a question; raises NotFound for an unknown thread."""
        return self._answered(self._begin(message, thread_id, author, role))

    async def events(
        self, message: str, thread_id: str | None, author: str, role: Role
    ) -> AsyncIterator[RunEvent]:
        """The same as it comes into being; who goes away early finds the rest in the stored run."""
        begun = await asyncio.to_thread(self._begin, message, thread_id, author, role)
        future = self._pool.submit(self._answered, begun)
        position, done = 0, False
        while True:
            # Whether it ended is read first: what was stored before is then never missed.
            done = future.done()
            for event in await asyncio.to_thread(self._runs.after, begun.run_id, position):
                position = event.seq
                yield RunEvent(event.type, event.data, event.seq)
            if done:
                break
            await asyncio.sleep(_POLL_SECONDS)
        _raise_what_went_wrong(future)

    def cancel(self, thread_id: str) -> int:
        """Stop the answers of a thread that are under way here; how many."""
        running = [run.id for run in self._runs.of_subject(thread_id) if run.status == "running"]
        with self._guard:
            stops = [self._stops[one] for one in running if one in self._stops]
        for one in stops:
            one.set()
        return len(stops)

    def end_interrupted(self) -> int:
        """End the runs that an earlier process left behind; how many."""
        left = [run for run in self._runs.unfinished() if run.kind == "chat"]
        for run in left:
            why = {
                "code": "Interrupted",
                "message": "the service was restarted; ask again",
                "retryable": True,
            }
            self._runs.append(run.id, "error", why, self._clock())
            data = {"status": "failed", "outcome": "interrupted", "thread_id": run.subject}
            self._runs.finish(run.id, "failed", self._clock(), ("run.finished", data))
        return len(left)

    def close(self) -> None:
        """Take no more questions."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, message: str, thread_id: str | None, author: str, role: Role) -> Begun:
        now = self._clock()
        text = message.replace("\x00", "")
        turns = _turns(self._chats.messages(self._chats.thread(thread_id).id)) if thread_id else []
        thread = thread_id or self._chats.start(author, " ".join(text.split())[:MAX_TITLE], now).id
        run = self._runs.start("chat", thread, now)
        self._chats.append(thread, ChatMessage(0, "user", text, now, run_id=run.id))
        with self._guard:
            self._stops[run.id] = threading.Event()
        return Begun(thread, run.id, text, turns, Permissions(diagnose=role in _OPERATORS))

    def _answered(self, begun: Begun) -> ChatAnswer:
        started = time.perf_counter()
        self._emit(begun, "run.started", {"kind": "chat", "thread_id": begun.thread_id, "model": None})
        try:
            asked, answer = self._think(begun)
        except Stopped:
            return self._finished(begun, Answer([STOPPED], answered=False), (), "cancelled", started)
        except Exception as error:
            log.exception("chat failed", thread=begun.thread_id)
            told = {"code": type(error).__name__, "message": "the answer failed", "retryable": True}
            self._emit(begun, "error", told)
            sorry = Answer(["Something went wrong while I looked that up; it is in the service's log."])
            self._finished(begun, sorry, (), "failed", started)
            raise
        calls = tuple(ToolCall(name=one.name, arguments=one.arguments) for one in asked.calls)
        answer.lines = marked(answer.text, [one.result for one in asked.calls], begun.message).split("\n")
        return self._finished(begun, answer, calls, "done", started)

    def _think(self, begun: Begun) -> tuple[Asked, Answer]:
        lexicon, now = self._lexicon(), self._clock()
        question = read(begun.message, lexicon, now, context_of(begun.turns, lexicon))
        asked = Asked(
            question=question,
            tools=Tools(self._data, begun.permissions),
            lexicon=lexicon,
            now=now,
            emit=lambda event, data: self._emit(begun, event, data),
            stopped=self._stops[begun.run_id].is_set,
        )
        return asked, answer_to(asked)

    def _finished(
        self, begun: Begun, answer: Answer, calls: Sequence[ToolCall], status: Any, started: float
    ) -> ChatAnswer:
        now = self._clock()
        citations = tuple(Citation(kind=kind, id=identifier) for kind, identifier in answer.citations)
        stored = self._chats.append(
            begun.thread_id,
            ChatMessage(
                0,
                "assistant",
                answer.text,
                now,
                run_id=begun.run_id,
                citations=tuple(one.model_dump() for one in citations),
                tool_calls=tuple(one.model_dump(mode="json") for one in calls),
            ),
        )
        lines = answer.text.splitlines(keepends=True)
        usage = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "budget_left_usd": self._budget()}
        events: list[tuple[str, Mapping[str, Any]]] = [("token", {"text": line}) for line in lines]
        self._runs.append_many(begun.run_id, [*events, ("usage", usage)], now)
        ended = {
            "status": status,
            "outcome": "answered" if answer.answered else "unanswered",
            "fallback_reason": None,
            "thread_id": begun.thread_id,
            "message": stored.n,
            "answer": answer.text,
            "citations": [one.model_dump() for one in citations],
            "ms": round((time.perf_counter() - started) * 1000, 1),
        }
        self._runs.finish(begun.run_id, status, now, ("run.finished", ended))
        with self._guard:
            self._stops.pop(begun.run_id, None)
        return ChatAnswer(
            thread_id=begun.thread_id, answer=answer.text, citations=citations, tool_calls=tuple(calls)
        )

    def _emit(self, begun: Begun, event: str, data: Mapping[str, Any]) -> None:
        self._runs.append(begun.run_id, event, data, self._clock())

    def _lexicon(self) -> Lexicon:
        series = self._data.series()
        if self._words is None or self._words[0] != len(series):
            self._words = (len(series), Lexicon.of(series))
        return self._words[1]


def _turns(messages: Sequence[ChatMessage]) -> list[Turn]:
    """Questions with what their answers cited."""
    turns: list[Turn] = []
    for one in messages:
        if one.role == "user":
            turns.append(Turn(one.text, one.at))
        elif turns:
            cited = tuple((str(c.get("kind")), str(c.get("id"))) for c in one.citations)
            turns[-1] = Turn(turns[-1].text, turns[-1].at, cited)
    return turns


def _raise_what_went_wrong(future: "Future[ChatAnswer]") -> None:
    error = future.exception()
    if isinstance(error, AnalystError):
        raise error
