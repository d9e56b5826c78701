"""Rules: what to detect on which series."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.auth import Caller
from api.doors import Door, Doors, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Cursor, Limit, Page, page_of
from api.problem import invalid
from domain.rule import Rule

router = APIRouter(prefix="/api/v1/rules", tags=["rules"], route_class=StrictRoute)
RuleName = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]


@router.get("", responses=errors())
def list_rules(door: Door, _caller: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[Rule]:
    """All rules by name."""
    return page_of(door.stores.rules.all(), limit, cursor, key=lambda rule: rule.name)


@router.post("", status_code=201, responses=errors(409, body=True))
def create_rule(door: Door, caller: Operator, rule: Rule, response: Response) -> Rule:
    """Add a rule; it holds from the next cycle on."""
    door.stores.rules.add(rule)
    response.headers["Location"] = f"/api/v1/rules/{rule.name}"
    _changed(door, caller, rule.name, (None, rule))
    return rule


@router.get("/{name}", responses=errors(404))
def get_rule(door: Door, _caller: Reader, name: RuleName) -> Rule:
    """One rule."""
    return door.stores.rules.get(name)


@router.put("/{name}", responses=errors(404, body=True))
def put_rule(door: Door, caller: Operator, name: RuleName, rule: Rule) -> Rule:
    """Replace a rule, or add it."""
    if rule.name != name:
        raise invalid("name", "must be the name in the address")
    before = next((one for one in door.stores.rules.all() if one.name == name), None)
    door.stores.rules.put(rule)
    _changed(door, caller, name, (before, rule))
    return rule


@router.delete("/{name}", status_code=204, responses=errors(404))
def delete_rule(door: Door, caller: Operator, name: RuleName) -> None:
    """Remove a rule; its anomalies stay."""
    before = door.stores.rules.get(name)
    door.stores.rules.delete(name)
    _changed(door, caller, name, (before, None))


def _changed(door: Doors, caller: Caller, name: str, change: tuple[Rule | None, Rule | None]) -> None:
    door.audit(caller, "rule.changed", name, change)
    door.service.rules_changed()
