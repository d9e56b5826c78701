"""Detection cycles: run one now, look at past ones."""

from fastapi import APIRouter

from api.doors import Door, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Cursor, Limit, Page, from_store
from domain.cycle import Cycle

router = APIRouter(prefix="/api/v1/cycles", tags=["cycles"], route_class=StrictRoute)


@router.post("", responses=errors(409))
async def run_cycle(door: Door, caller: Operator) -> Cycle:
    """Run a detection cycle now, or join the one that is running; answers when it has ended."""
    cycle = await door.patiently(door.service.run_cycle)
    await door.patiently(lambda: door.audit(caller, "cycle.asked", str(cycle.id)))
    return cycle


@router.get("", responses=errors())
def list_cycles(door: Door, _caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[Cycle]:
    """Past cycles, newest first, with durations, counts and errors."""
    return from_store(door.stores.cycles.list(limit=limit, cursor=cursor))
