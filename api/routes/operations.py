"""The service itself: sources, model, receivers, cost, performance, and the demo's incidents."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.doors import Door, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Cursor, Limit, Page, TimeRange, check_order, page_of
from api.performance import Performance, performance_of
from api.problem import invalid
from api.service_port import CheckResult, InjectedIncident
from domain.cycle import SourceHealth
from domain.errors import NotFound

router = APIRouter(prefix="/api/v1", tags=["operations"], route_class=StrictRoute)
Name = Annotated[str, Path(min_length=1, max_length=200)]


class UsageItem(BaseModel):
    """One model on one UTC day; the cost is null where the price of a call is not known."""

    day: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class Usage(BaseModel):
    """`budget_left_usd` is null where no budget is set."""

    items: list[UsageItem]
    budget_left_usd: float | None


class DemoIncident(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: str = Field(min_length=1, max_length=100)


@router.get("/sources", responses=errors())
def list_sources(
    door: Door, _caller: Reader, limit: Limit = 500, cursor: Cursor = None
) -> Page[SourceHealth]:
    """The health of each source."""
    return page_of(door.service.sources(), limit, cursor, key=lambda source: source.name)


@router.post("/sources/{name}/check", responses=errors(404))
async def check_source(door: Door, _caller: Operator, name: Name) -> CheckResult:
    """Try a source now."""
    return await door.patiently(lambda: door.service.check_source(name))


@router.post("/llm/check", responses=errors())
async def check_llm(door: Door, _caller: Operator) -> CheckResult:
    """Ask the language model for one word."""
    return await door.patiently(door.service.check_llm)


@router.post("/alerts/{receiver}/check", responses=errors(404))
async def check_receiver(door: Door, _caller: Operator, receiver: Name) -> CheckResult:
    """Send a test message through a receiver."""
    return await door.patiently(lambda: door.service.check_receiver(receiver))


@router.get("/usage", responses=errors())
def usage(door: Door, _caller: Reader, span: TimeRange) -> Usage:
    """Tokens and cost of language models per UTC day; the last 30 days without a range."""
    end = span.end or door.service.now() + timedelta(days=1)
    start = span.start or end - timedelta(days=31)
    check_order(start, end)
    days = door.stores.usage.by_day(start, end)
    return Usage(
        items=[UsageItem.model_validate(asdict(day)) for day in days],
        budget_left_usd=door.service.budget_left_usd(),
    )


@router.get("/performance", responses=errors())
def performance(door: Door, _caller: Reader) -> Performance:
    """How right and how fast the analyst is, from feedback and from past cycles."""
    return performance_of(door.stores, door.service.now())


@router.post("/demo/incidents", status_code=202, responses=errors(404, body=True))
def inject(door: Door, caller: Operator, body: DemoIncident) -> InjectedIncident:
    """Start an incident on the demo desk."""
    kinds = door.service.demo_kinds()
    if not kinds:
        raise NotFound("demo", body.kind)
    if body.kind not in kinds:
        raise invalid("kind", f"must be one of {', '.join(kinds)}")
    door.audit(caller, "demo.incident", body.kind)
    return door.service.inject_incident(body.kind)
