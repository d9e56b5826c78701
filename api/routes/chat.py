"""The chat: questions about the desk, answered from stored facts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from api.auth import Caller
from api.doors import Door, Doors, Reader, errors
from api.feedback import Verdict, give
from api.json_body import SafeJSONResponse, StrictRoute
from api.paging import Cursor, Limit, Page, PlainNumber, page_of
from api.problem import printable
from api.service_port import ChatAnswer, Citation, RunEvent, ToolCall
from db.records import ChatMessage, ChatThread
from domain.errors import AnalystError, NotFound
from domain.feedback import Feedback

router = APIRouter(prefix="/api/v1/chat", tags=["chat"], route_class=StrictRoute)
ThreadId = Annotated[str, Path(max_length=200)]

LastEventId = Annotated[str | None, Header(max_length=20)]

_POLL_SECONDS = 0.05
# An answer that tells nothing for so long has been left behind by its process.
_SILENT_SECONDS = 300.0
_STREAM = {"X-Accel-Buffering": "no"}


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    message: str = Field(min_length=1, max_length=8_000)
    thread_id: str | None = Field(default=None, min_length=1, max_length=200)


class Message(BaseModel):
    """One message of a thread; `n` counts from 1."""

    n: int
    role: str
    text: str
    created_at: datetime
    citations: list[Citation]
    tool_calls: list[ToolCall]

    @classmethod
    def of(cls, stored: ChatMessage) -> "Message":
        """The outside form."""
        return cls(
            n=stored.n,
            role=stored.role,
            text=stored.text,
            created_at=stored.at,
            citations=[Citation.model_validate(one) for one in stored.citations],
            tool_calls=[ToolCall.model_validate(one) for one in stored.tool_calls],
        )


class Thread(BaseModel):
    """A thread without its messages."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: ChatThread) -> "Thread":
        """The outside form."""
        return cls(
            id=stored.id, title=stored.title, created_at=stored.created_at, updated_at=stored.updated_at
        )


class Stopped(BaseModel):
    """How many answers were stopped."""

    stopped: int


class ChatFeedback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Literal["correct", "incorrect"]
    comment: str | None = Field(default=None, max_length=5_000)


@router.post("", response_model=ChatAnswer, responses=errors(404, body=True))
async def ask(door: Door, caller: Reader, request: Request, body: Question) -> Response:
    """Answer a question; with `Accept: text/event-stream` as it comes into being."""
    if body.thread_id is not None:
        await run_in_threadpool(_check_owner, door, caller, body.thread_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        events = aiter(door.service.chat_events(body.message, body.thread_id, caller.name, caller.role))
        # What goes wrong before the first event is still an ordinary error.
        first = await anext(events)
        return StreamingResponse(_encoded(first, events), headers=_STREAM, media_type="text/event-stream")
    answer = await door.patiently(
        lambda: door.service.chat(body.message, body.thread_id, caller.name, caller.role)
    )
    return SafeJSONResponse(answer)


@router.get("/{thread_id}", responses=errors(404))
def messages(
    door: Door, caller: Reader, thread_id: ThreadId, limit: Limit = 100, cursor: Cursor = None
) -> Page[Message]:
    """The messages of a thread, oldest first."""
    found = _own(door, caller, thread_id)
    return page_of(found, limit, cursor, key=lambda message: f"{message.n:09d}")


@router.get("", responses=errors())
def threads(door: Door, caller: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[Thread]:
    """One's own threads, newest first."""
    found = door.stores.chats.list(caller.name, limit, cursor)
    return Page(items=[Thread.of(one) for one in found.items], next_cursor=found.next_cursor)


@router.get("/{thread_id}/events", responses=errors(404))
async def run_events(
    door: Door, caller: Reader, thread_id: ThreadId, last_event_id: LastEventId = None
) -> StreamingResponse:
    """The stored events of the newest answer of a thread from Last-Event-ID on, live until it ends."""
    await run_in_threadpool(_check_owner, door, caller, thread_id)
    after = int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0
    return StreamingResponse(_log_of(door, thread_id, after), headers=_STREAM, media_type="text/event-stream")


@router.post("/{thread_id}/cancel", responses=errors(404))
def cancel(door: Door, caller: Reader, thread_id: ThreadId) -> Stopped:
    """Stop what is being answered in a thread."""
    _check_owner(door, caller, thread_id)
    return Stopped(stopped=door.service.cancel_chat(thread_id))


@router.post("/{thread_id}/messages/{n}/feedback", status_code=201, responses=errors(404, body=True))
def give_feedback(
    door: Door,
    caller: Reader,
    thread_id: ThreadId,
    n: Annotated[int, PlainNumber, Path(ge=1, le=1_000_000)],
    body: ChatFeedback,
) -> Feedback:
    """Say whether an answer was right."""
    if n > len(_own(door, caller, thread_id)):
        raise NotFound("message", str(n))
    return give(door, caller, Verdict("chat", f"{thread_id}/{n}", body.verdict, comment=body.comment))


def _own(door: Doors, caller: Caller, thread_id: str) -> list[Message]:
    """The messages of a thread of the caller; another one's is as if it were not there."""
    _check_owner(door, caller, thread_id)
    return [Message.of(one) for one in door.stores.chats.messages(thread_id)]


def _check_owner(door: Doors, caller: Caller, thread_id: str) -> None:
    if door.stores.chats.thread(thread_id).owner != caller.name and caller.role != "admin":
        raise NotFound("thread", thread_id)


async def _log_of(door: Doors, thread_id: str, position: int) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    told_at = clock()
    while not door.service.live.closed and clock() - told_at < _SILENT_SECONDS:
        # The status is read first: what was stored before a run ended is never missed.
        runs = await run_in_threadpool(door.stores.runs.of_subject, thread_id)
        if not runs:
            return
        events = await run_in_threadpool(door.stores.runs.after, runs[-1].id, position)
        for event in events:
            position, told_at = event.seq, clock()
            yield _block(RunEvent(event.type, event.data, event.seq))
        if runs[-1].status != "running" and not events:
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _encoded(first: RunEvent, rest: AsyncIterator[RunEvent]) -> AsyncIterator[bytes]:
    yield _block(first)
    try:
        async for event in rest:
            yield _block(event)
    except AnalystError as error:
        told = {"code": type(error).__name__, "message": printable(str(error)), "retryable": True}
        yield _block(RunEvent("error", told))


def _block(event: RunEvent) -> bytes:
    data = to_json(event.data, inf_nan_mode="null").decode()
    return format_sse_event(event=event.event, data_str=data, id=str(event.seq) if event.seq else None)
