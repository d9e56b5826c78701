"""The chat of the service: threads that last, answers as stored runs that stream, resume and stop."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog

from agent.chat.asked import Answer, Asked, Stopped
from agent.chat.conversation import answer_to, context_of
from agent.chat.data import DeskData
from agent.chat.desk_tools import Permissions, Tools
from agent.chat.grounding import marked
from agent.chat.lexicon import Lexicon
from agent.chat.reader import read
from api.service_port import ChatAnswer, Citation, RunEvent
from api.settings import Role
from db.records import ChatMessage, Run
from domain.errors import AnalystError, Overloaded, ReasonerError
from service.chat_model import ChatModel, Told
from service.chat_turn import Begun, ChatStores, Thought, calls_of, turns_of
from service.clock import Clock

log = structlog.get_logger()
MAX_TITLE = 80
WORKERS = 4
_POLL_SECONDS = 0.03
_OPERATORS: frozenset[Role] = frozenset({"operator", "admin"})
STOPPED = "Stopped."


class Chat:
    """Answers questions; callable from any thread.

    Args:
        data: the stored desk.
        stores: where threads and the events of answers are kept.
        clock: the service's clock.
        budget: what a model may still cost today.
        model: asked first, where there is one.
    """

    def __init__(
        self,
        data: DeskData,
        stores: ChatStores,
        clock: Clock,
        budget: Callable[[], float | None],
        model: ChatModel | None = None,
    ) -> None:
        self._data = data
        self._chats = stores.chats
        self._runs = stores.runs
        self._model = model
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
        begun, future = await asyncio.to_thread(self._queue, message, thread_id, author, role)
        position = 0
        while True:
            # Whether it ended is read first: what was stored before is then never missed.
            done = begun.run_id not in self._stops
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
            self._break_off(run, "Interrupted", "the service was restarted; ask again")
        return len(left)

    def close(self) -> None:
        """Take no more questions."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _break_off(self, run: Run, code: str, message: str) -> None:
        why = {"code": code, "message": message, "retryable": True}
        self._runs.append(run.id, "error", why, self._clock())
        data = {"status": "failed", "outcome": "interrupted", "thread_id": run.subject}
        self._runs.finish(run.id, "failed", self._clock(), ("run.finished", data))

    @contextlib.contextmanager
    def _ended(self, run_id: int) -> Iterator[None]:
        """Whatever goes wrong within, the run is not left as if it went on."""
        try:
            yield
        except Exception as error:
            # Where even this cannot be stored, the next start ends the run.
            with contextlib.suppress(AnalystError):
                run = self._runs.get(run_id)
                if run.status == "running":
                    self._break_off(run, type(error).__name__, "the answer failed; ask again")
            self._forget(run_id)
            raise

    def _begin(self, message: str, thread_id: str | None, author: str, role: Role) -> Begun:
        now = self._clock()
        text = message.replace("\x00", "")
        turns = turns_of(self._chats.messages(self._chats.thread(thread_id).id)) if thread_id else []
        thread = thread_id or self._chats.start(author, " ".join(text.split())[:MAX_TITLE], now).id
        run = self._runs.start("chat", thread, now)
        with self._guard:
            self._stops[run.id] = threading.Event()
        with self._ended(run.id):
            self._chats.append(thread, ChatMessage(0, "user", text, now, run_id=run.id))
        return Begun(thread, run.id, text, turns, Permissions(diagnose=role in _OPERATORS))

    def _queue(
        self, message: str, thread_id: str | None, author: str, role: Role
    ) -> tuple[Begun, Future[ChatAnswer]]:
        """Store a question and queue its answer in one go: who leaves in between leaves no half of it."""
        begun = self._begin(message, thread_id, author, role)
        with self._ended(begun.run_id):
            try:
                future = self._pool.submit(self._answered, begun)
            except RuntimeError:
                raise Overloaded("the service is stopping", retry_after=5) from None
        future.add_done_callback(lambda done: self._left(begun, done))
        return begun, future

    def _left(self, begun: Begun, future: Future[ChatAnswer]) -> None:
        """End what was still waiting when the service stopped."""
        if not future.cancelled():
            return
        with contextlib.suppress(AnalystError):
            self._break_off(self._runs.get(begun.run_id), "Interrupted", "the service is stopping; ask again")
        self._forget(begun.run_id)

    def _answered(self, begun: Begun) -> ChatAnswer:
        try:
            with self._ended(begun.run_id):
                return self._told(begun)
        finally:
            self._forget(begun.run_id)

    def _forget(self, run_id: int) -> None:
        with self._guard:
            self._stops.pop(run_id, None)

    def _told(self, begun: Begun) -> ChatAnswer:
        started = time.perf_counter()
        model = self._model.name if self._model else None
        self._emit(begun, "run.started", {"kind": "chat", "thread_id": begun.thread_id, "model": model})
        told = Told()
        try:
            thought = self._think(begun, told)
        except Stopped:
            stopped = Answer([f"{told.text.rstrip()} {STOPPED}".strip()], answered=False)
            return self._finished(begun, Thought(stopped, told=told), "cancelled", started)
        except Exception as error:
            log.exception("chat failed", thread=begun.thread_id)
            why = {"code": type(error).__name__, "message": "the answer failed", "retryable": True}
            self._emit(begun, "error", why)
            sorry = Answer(["Something went wrong while I looked that up; it is in the service's log."])
            self._finished(begun, Thought(sorry, told=told), "failed", started)
            raise
        return self._finished(begun, thought, "done", started)

    def _think(self, begun: Begun, told: Told) -> Thought:
        """The model's answer, else the reader's with the reason for it."""
        asked = self._asked(begun)
        if self._model is None:
            return self._read(asked, told)
        subject = f"{begun.thread_id}/{begun.run_id}"
        try:
            answer = self._model.answer(asked, begun.turns, subject, told)
        except ReasonerError as error:
            log.warning("the reader answers instead of the model", thread=begun.thread_id, reason=str(error))
            return self._read(self._asked(begun), told, str(error))
        except Stopped:
            raise
        except Exception as error:
            # Whatever a model sets off must not cost the answer.
            log.exception("the model's answer failed", thread=begun.thread_id)
            return self._read(self._asked(begun), told, f"internal error: {type(error).__name__}")
        return Thought(answer, calls_of(asked), told, told.model or self._model.name)

    def _asked(self, begun: Begun) -> Asked:
        lexicon, now = self._lexicon(), self._clock()
        return Asked(
            question=read(begun.message, lexicon, now, context_of(begun.turns, lexicon)),
            tools=Tools(self._data, begun.permissions),
            lexicon=lexicon,
            now=now,
            emit=lambda event, data: self._emit(begun, event, self._with_budget(event, data)),
            stopped=self._stops[begun.run_id].is_set,
        )

    @staticmethod
    def _read(asked: Asked, told: Told, reason: str | None = None) -> Thought:
        """The answer of the deterministic reader; what a model had said before it broke off stays above."""
        answer = answer_to(asked)
        results = [one.result for one in asked.calls]
        lines = marked(answer.text, results, asked.question.text).split("\n")
        if reason is not None and told.text.strip():
            lines = [
                *told.text.rstrip().split("\n"),
                f"(The model broke off: {reason}. By the reader:)",
                *lines,
            ]
        elif reason is not None:
            lines.append(f"(Answered without the model: {reason}.)")
        answer.lines = lines
        return Thought(answer, calls_of(asked), told, None, reason)

    def _with_budget(self, event: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**data, "budget_left_usd": self._budget()} if event == "usage" else data

    def _finished(self, begun: Begun, thought: Thought, status: Any, started: float) -> ChatAnswer:
        now, answer = self._clock(), thought.answer
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
                tool_calls=tuple(one.model_dump(mode="json") for one in thought.calls),
            ),
        )
        shown = thought.told.text.rstrip()
        rest = answer.text.removeprefix(shown).removeprefix(thought.told.text[len(shown) :])
        usage = {**thought.told.usage.model_dump(), "budget_left_usd": self._budget()}
        events: list[tuple[str, Mapping[str, Any]]] = [
            ("token", {"text": line}) for line in rest.splitlines(keepends=True)
        ]
        self._runs.append_many(begun.run_id, [*events, ("usage", usage)], now)
        ended = {
            "status": status,
            "outcome": "answered" if answer.answered else "unanswered",
            "fallback_reason": thought.reason,
            "model": thought.model,
            "thread_id": begun.thread_id,
            "message": stored.n,
            "answer": answer.text,
            "citations": [one.model_dump() for one in citations],
            "ms": round((time.perf_counter() - started) * 1000, 1),
        }
        self._runs.finish(begun.run_id, status, now, ("run.finished", ended))
        return ChatAnswer(
            thread_id=begun.thread_id,
            answer=answer.text,
            citations=citations,
            tool_calls=tuple(thought.calls),
        )

    def _emit(self, begun: Begun, event: str, data: Mapping[str, Any]) -> None:
        self._runs.append(begun.run_id, event, data, self._clock())

    def _lexicon(self) -> Lexicon:
        series = self._data.series()
        if self._words is None or self._words[0] != len(series):
            self._words = (len(series), Lexicon.of(series))
        return self._words[1]


def _raise_what_went_wrong(future: Future[ChatAnswer]) -> None:
    error = None if future.cancelled() else future.exception()
    if isinstance(error, AnalystError):
        raise error
