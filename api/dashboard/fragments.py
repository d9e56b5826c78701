"""Pieces of pages that scripts ask for: the preview of an incident, the movers of a window, a last answer."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dashboard import views
from api.dashboard.conversation import said_of
from api.dashboard.movers import movers
from api.dashboard.render import page
from api.doors import Door, Doors, Reader
from api.routes.charts import ChartWindow
from domain.errors import NotFound

router = APIRouter(prefix="/fragments", include_in_schema=False)


@router.get("/incidents/{incident_id}")
def preview(door: Door, caller: Reader, incident_id: str) -> Response:
    """What the right pane of the overview shows."""
    return page(door, None, "fragments/preview.html", views.incident_view(door, incident_id, caller, lanes=2))


@router.get("/movers")
def moved(
    door: Door,
    _caller: Reader,
    window: ChartWindow,
    but: Annotated[str, Query(max_length=2_000)] = "",
) -> Response:
    """What moved in a window, ranked, but for the series that is asked about."""
    return page(door, None, "fragments/movers.html", movers(door, window, but))


@router.get("/chat/{thread_id}")
def answer(door: Door, caller: Reader, thread_id: str) -> Response:
    """The last answer of a thread, as it is stored."""
    if door.stores.chats.thread(thread_id).owner != caller.name and caller.role != "admin":
        raise NotFound("thread", thread_id)
    said = [one for one in door.stores.chats.messages(thread_id) if one.role == "assistant"]
    if not said:
        raise NotFound("answer", thread_id)
    return page(door, None, "fragments/answer.html", said_of(door, said[-1], _question(door, thread_id)))


def _question(door: Doors, thread_id: str) -> str:
    asked = [one.text for one in door.stores.chats.messages(thread_id) if one.role == "user"]
    return asked[-1] if asked else ""
