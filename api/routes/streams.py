"""Server-sent events: the steps of a run, live or replayed, and what open pages must know."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.doors import Door, Doors, Reader, errors
from api.problem import HttpProblem
from db.records import RunEvent
from domain.diagnosis import DiagnosisStatus

router = APIRouter(prefix="/api/v1", tags=["streams"])
_POLL_SECONDS = 0.2
_RUNNING: frozenset[DiagnosisStatus] = frozenset({"queued", "running"})
LastEventId = Annotated[str | None, Header(max_length=50, description="Resume after this event.")]
DiagnosisId = Annotated[str, Path(max_length=200)]


def check_room(door: Door, caller: Reader) -> None:
    """Refuse a stream beyond the configured number, or beyond one token's half, before its answer begins."""
    most = door.settings.max_streams
    if door.streams.open >= most:
        raise HttpProblem(503, "Too many open streams.", headers={"Retry-After": "5"})
    if door.book and door.streams.of(caller.name) >= (most + 1) // 2:
        raise HttpProblem(
            429, "This token has too many open streams. Come back in 5 s.", headers={"Retry-After": "5"}
        )


def check_diagnosis(door: Door, diagnosis_id: DiagnosisId) -> None:
    """Raise NotFound before the answer begins."""
    door.stores.diagnoses.get(diagnosis_id)


@router.get(
    "/stream", response_class=EventSourceResponse, responses=errors(), dependencies=[Depends(check_room)]
)
async def stream(
    door: Door, caller: Reader, last_event_id: LastEventId = None
) -> AsyncIterator[ServerSentEvent]:
    """Announcements for live pages: what was created, changed or finished, by id."""
    after = _position(last_event_id)
    with door.streams.counted(caller.name):
        yield ServerSentEvent(comment="connected", retry=2_000)
        async for event in door.service.live.follow(after):
            yield ServerSentEvent(event=event.name, data=event.data, id=str(event.seq))


@router.get(
    "/diagnoses/{diagnosis_id}/events",
    response_class=EventSourceResponse,
    responses=errors(404),
    dependencies=[Depends(check_room), Depends(check_diagnosis)],
)
async def run_events(
    door: Door, caller: Reader, diagnosis_id: DiagnosisId, last_event_id: LastEventId = None
) -> AsyncIterator[ServerSentEvent]:
    """The stored events of a run from its first or from Last-Event-ID on, live until it ends."""
    position = _position(last_event_id) or 0
    with door.streams.counted(caller.name):
        async for event in _log_of(door, diagnosis_id, position):
            yield ServerSentEvent(event=event.type, data=event.data, id=str(event.seq))


async def _log_of(door: Doors, diagnosis_id: str, position: int) -> AsyncIterator[RunEvent]:
    while not door.service.live.closed:
        # The status is read first: what was stored before a run ended is never missed.
        running = await run_in_threadpool(_is_running, door, diagnosis_id)
        events = await run_in_threadpool(_events_after, door, diagnosis_id, position)
        for event in events:
            position = event.seq
            yield event
        if not running and not events:
            return
        await asyncio.sleep(_POLL_SECONDS)


def _events_after(door: Doors, diagnosis_id: str, seq: int) -> list[RunEvent]:
    # A run that was taken up again after a restart goes on in its own log; an older run is history.
    runs = door.stores.runs.of_subject(diagnosis_id)
    return door.stores.runs.after(runs[-1].id, seq) if runs else []


def _is_running(door: Doors, diagnosis_id: str) -> bool:
    return door.stores.diagnoses.get(diagnosis_id).status in _RUNNING


def _position(last_event_id: str | None) -> int | None:
    if last_event_id is None:
        return None
    return int(last_event_id) if last_event_id.isascii() and last_event_id.isdecimal() else 0
