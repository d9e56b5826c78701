"""Incidents: anomalies that share time and, likely, cause; the unit that people work on."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Caller
from api.doors import Door, Doors, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Cursor, Instant, Limit, Page, TimeRange, from_store
from api.problem import invalid
from domain.incident import Incident, IncidentStatus

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"], route_class=StrictRoute)
IncidentId = Annotated[str, Path(max_length=200)]


class IncidentChange(BaseModel):
    """What to change; a field that is null takes the value away, one that is absent keeps it."""

    model_config = ConfigDict(extra="forbid")

    status: IncidentStatus | None = None
    assignee: str | None = Field(default=None, max_length=200, pattern=r"^[^\r\n\t]+$")
    snoozed_until: Instant | None = None


@router.get("", responses=errors())
def list_incidents(
    door: Door,
    _caller: Reader,
    span: TimeRange,
    status: IncidentStatus | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Incident]:
    """Incidents by their start, newest first."""
    found = door.stores.incidents.list(
        [status] if status else None, start=span.start, end=span.end, limit=limit, cursor=cursor
    )
    return from_store(found)


@router.get("/{incident_id}", responses=errors(404))
def get_incident(door: Door, _caller: Reader, incident_id: IncidentId) -> Incident:
    """One incident."""
    return door.stores.incidents.get(incident_id)


@router.patch("/{incident_id}", responses=errors(404, body=True))
def change_incident(door: Door, caller: Operator, incident_id: IncidentId, body: IncidentChange) -> Incident:
    """Acknowledge, resolve, open again, assign or snooze."""
    changes = body.model_dump(exclude_unset=True)
    if not changes:
        raise invalid("status", "name at least one of status, assignee and snoozed_until")
    if "status" in changes and changes["status"] is None:
        raise invalid("status", "must be open, acknowledged or resolved")
    return change(door, caller, incident_id, changes)


def change(door: Doors, caller: Caller, incident_id: str, changes: dict[str, Any]) -> Incident:
    """Change an incident for a caller who may: stored, audited, told to whoever was told of it."""
    if changes.get("status") == "acknowledged":
        changes = {"assignee": caller.name, **changes}
    before = door.stores.incidents.get(incident_id)
    incident = door.stores.incidents.patch(incident_id, changes, door.service.now())
    audited = {name: getattr(before, name) for name in changes}, changes
    door.audit(caller, "incident.changed", incident.id, audited)
    door.service.incident_changed(before, incident)
    door.service.live.publish("incident.updated", {"id": incident.id})
    return incident
