"""Rules: what to detect on which series."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.doors import Door, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Cursor, Limit, Page, page_of
from api.problem import invalid
from domain.errors import Conflict, NotFound
from domain.rule import Rule

router = APIRouter(prefix="/api/v1/rules", tags=["rules"], route_class=StrictRoute)
RuleName = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]


@router.get("", responses=errors())
def list_rules(door: Door, _caller: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[Rule]:
    """All rules by name."""
    return page_of(door.stores.rules.all(), limit, cursor, key=lambda rule: rule.name)


@router.post("", status_code=201, responses=errors(409, body=True))
def create_rule(door: Door, _caller: Operator, rule: Rule, response: Response) -> Rule:
    """Add a rule; it holds from the next cycle on."""
    if _find(door, rule.name) is not None:
        raise Conflict(f"There is a rule named {rule.name} already; PUT replaces it.")
    response.headers["Location"] = f"/api/v1/rules/{rule.name}"
    return _store(door, rule)


@router.get("/{name}", responses=errors(404))
def get_rule(door: Door, _caller: Reader, name: RuleName) -> Rule:
    """One rule."""
    rule = _find(door, name)
    if rule is None:
        raise NotFound("rule", name)
    return rule


@router.put("/{name}", responses=errors(body=True))
def put_rule(door: Door, _caller: Operator, name: RuleName, rule: Rule) -> Rule:
    """Replace a rule, or add it."""
    if rule.name != name:
        raise invalid("name", "must be the name in the address")
    return _store(door, rule)


@router.delete("/{name}", status_code=204, responses=errors(404))
def delete_rule(door: Door, _caller: Operator, name: RuleName) -> None:
    """Remove a rule; its anomalies stay."""
    if _find(door, name) is None:
        raise NotFound("rule", name)
    door.stores.rules.delete(name)
    door.service.rules_changed()


def _find(door: Door, name: str) -> Rule | None:
    return next((rule for rule in door.stores.rules.all() if rule.name == name), None)


def _store(door: Door, rule: Rule) -> Rule:
    door.stores.rules.put(rule)
    door.service.rules_changed()
    return rule
