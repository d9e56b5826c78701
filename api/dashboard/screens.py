"""The screens beside the incidents: metrics, history, performance, health, demo, chat."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.dashboard.accuracy import accuracy
from api.dashboard.compare import compared
from api.dashboard.conversation import conversation
from api.dashboard.explore import Choice, Group, View, explorer
from api.dashboard.health_view import demo_view, health_view
from api.dashboard.past import Search, Status, history
from api.dashboard.projection import projection
from api.dashboard.render import page
from api.doors import Door, Operator, Reader
from api.service_port import WhatIf
from domain.anomaly import Severity
from domain.errors import NotFound

router = APIRouter(include_in_schema=False)
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


class HistoryQuery(BaseModel):
    """The address of the history."""

    q: str = Field(default="", max_length=200)
    status: Status = ""
    severity: Severity | Literal[""] = ""
    cause: str = Field(default="", max_length=200)
    window: Literal["7d", "28d", "90d", "1y"] = "28d"
    page: int = Field(default=0, ge=0, le=1_000)
    compare: list[str] = Field(default_factory=list, max_length=20)


@router.get("/explore")
def explore(
    door: Door,
    caller: Reader,
    chosen: Annotated[ExploreQuery, Query()],
) -> Response:
    """Which series are odd, together, and since when?"""
    choice = Choice(chosen.view, chosen.group, chosen.window, chosen.q, chosen.odd == "1", chosen.page)
    cloud = projection(door, chosen.at) if choice.view == "pca" else None
    return page(door, caller, "explore.html", explorer(door, choice), cloud=cloud)


@router.get("/history")
def past(door: Door, caller: Reader, chosen: Annotated[HistoryQuery, Query()]) -> Response:
    """Has this happened before, what was it, how long did it last?"""
    if chosen.compare:
        return page(door, caller, "compare.html", compared(door, chosen.compare[:2]))
    search = Search(chosen.q, chosen.status, chosen.severity, chosen.cause, chosen.window, chosen.page)
    return page(door, caller, "history.html", history(door, search))


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


@router.get("/demo")
def demo(door: Door, caller: Reader) -> Response:
    """The first run: break something, watch it being found."""
    return page(door, caller, "demo.html", demo_view(door))


@router.get("/chat")
def chat(door: Door, caller: Reader, about: Text = "") -> Response:
    """Ask."""
    return page(door, caller, "chat.html", conversation(door, caller, None, about))


@router.get("/chat/{thread_id}")
def thread(door: Door, caller: Reader, thread_id: str) -> Response:
    """A conversation of the caller's."""
    return page(door, caller, "chat.html", conversation(door, caller, thread_id, ""))
