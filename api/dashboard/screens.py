"""The screens beside the incidents: metrics, history, performance, health, demo, chat."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi import Form as FormField
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from api.auth import check_csrf
from api.dashboard import saved_views
from api.dashboard.accuracy import accuracy
from api.dashboard.compare import compared
from api.dashboard.conversation import conversation
from api.dashboard.explore import Choice, Group, View, explorer
from api.dashboard.health_view import demo_view, health_view, tried
from api.dashboard.packed import PackedRoute
from api.dashboard.past import Search, history
from api.dashboard.past_export import Form, export
from api.dashboard.projection import projection
from api.dashboard.render import page
from api.dashboard.saved_views import Saved
from api.doors import Door, Operator, Reader
from api.service_port import WhatIf
from domain.anomaly import Severity
from domain.errors import NotFound
from domain.incident import IncidentStatus

router = APIRouter(include_in_schema=False, route_class=PackedRoute)
router.include_router(saved_views.router)
Text = Annotated[str, Query(max_length=200)]


class ExploreQuery(BaseModel):
    """The address of the explorer."""

    view: View = "grid"
    group: Group = "all"
    window: Literal["1h", "6h", "24h"] = "24h"
    q: str = Field(default="", max_length=200)
    odd: Literal["", "1"] = ""
    page: int = Field(default=0, ge=0, le=1_000)
    at: int | None = Field(default=None, ge=0, le=7_258_118_400)
    candles: Literal["", "1"] = ""


class HistoryQuery(BaseModel):
    """The address of the history."""

    q: str = Field(default="", max_length=200)
    status: IncidentStatus | Literal[""] = ""
    severity: Severity | Literal[""] = ""
    cause: str = Field(default="", max_length=200)
    detector: str = Field(default="", max_length=200)
    feedback: str = Field(default="", max_length=50)
    model: str = Field(default="", max_length=200)
    window: Literal["7d", "28d", "90d", "1y"] = "28d"
    page: int = Field(default=0, ge=0, le=1_000)
    compare: list[str] = Field(default_factory=list, max_length=20)


@router.get("/explore")
def explore(
    door: Door,
    caller: Reader,
    saved: Saved,
    chosen: Annotated[ExploreQuery, Query()],
) -> Response:
    """Which series are odd, together, and since when?"""
    choice = Choice(
        chosen.view,
        chosen.group,
        chosen.window,
        chosen.q,
        chosen.odd == "1",
        chosen.page,
        chosen.candles == "1",
    )
    cloud = projection(door, chosen.at) if choice.view == "pca" else None
    return page(door, caller, "explore.html", explorer(door, choice), cloud=cloud, saved=saved)


@router.get("/history")
def past(door: Door, caller: Reader, saved: Saved, chosen: Annotated[HistoryQuery, Query()]) -> Response:
    """Has this happened before, what was it, how long did it last?"""
    if chosen.compare:
        return page(door, caller, "compare.html", compared(door, chosen.compare[:2]))
    return page(door, caller, "history.html", history(door, _search(chosen)), saved=saved)


@router.get("/history.{form}")
def past_file(door: Door, _caller: Reader, form: Form, chosen: Annotated[HistoryQuery, Query()]) -> Response:
    """Exactly the incidents of a search, as a file."""
    return export(door, _search(chosen), form)


def _search(chosen: HistoryQuery) -> Search:
    return Search(**chosen.model_dump(exclude={"compare"}))


@router.get("/performance")
def performance(
    door: Door,
    caller: Reader,
    window: Literal["7d", "30d"] = "30d",
) -> Response:
    """Is the analyst right, fast, and affordable?"""
    return page(door, caller, "performance.html", accuracy(door, window), tried=None, rule="", threshold="")


@router.get("/performance/what-if")
def what_if(
    door: Door,
    caller: Operator,
    rule: Text,
    threshold: Annotated[float, Query(gt=0, le=1e6)],
) -> Response:
    """What another threshold of a rule would have done over the last day; nothing is stored."""
    found = next((one for one in door.stores.rules.all() if one.name == rule), None)
    if found is None:
        raise NotFound("rule", rule)
    now = door.service.now()
    changed = found.model_copy(update={"threshold": threshold})
    tried: WhatIf = door.service.what_if(changed, now - timedelta(hours=24), now)
    view = accuracy(door, "30d")
    return page(door, caller, "performance.html", view, tried=tried, rule=rule, threshold=threshold)


@router.get("/status")
def status(door: Door, caller: Reader) -> Response:
    """Can I trust what I see?"""
    return page(door, caller, "status.html", health_view(door))


@router.post("/status")
async def try_now(
    door: Door,
    caller: Operator,
    csrf: Annotated[str, FormField(max_length=200)],
    what: Annotated[str, FormField(max_length=250)],
) -> Response:
    """Try a source, the model or a receiver now; the page says in one sentence what came of it."""
    check_csrf(caller, csrf)
    result = await door.patiently(lambda: tried(door, what))
    return await run_in_threadpool(lambda: page(door, caller, "status.html", health_view(door, result)))


@router.get("/demo")
def demo(door: Door, caller: Reader) -> Response:
    """The first run: break something, watch it being found."""
    return page(door, caller, "demo.html", demo_view(door))


@router.get("/chat")
def chat(
    door: Door,
    caller: Reader,
    about: Text = "",
    first: Annotated[int | None, Query(alias="from", ge=0, le=7_258_118_400)] = None,
    to: Annotated[int | None, Query(ge=0, le=7_258_118_400)] = None,
) -> Response:
    """Ask, about an object and a window."""
    brushed = (first, to) if first is not None and to is not None else None
    return page(door, caller, "chat.html", conversation(door, caller, None, about, brushed))


@router.get("/chat/{thread_id}")
def thread(door: Door, caller: Reader, thread_id: str) -> Response:
    """A conversation of the caller's."""
    return page(door, caller, "chat.html", conversation(door, caller, thread_id, ""))
