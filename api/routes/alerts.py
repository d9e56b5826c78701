"""Alerts on their way: what waits, what was sent, what a receiver would not take, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from api.alert_port import DeliveryState
from api.doors import Door, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Cursor, Limit, Page
from db.records import OutboxMessage, OutboxState

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], route_class=StrictRoute)
Name = Annotated[str, Path(min_length=1, max_length=200)]


class Alert(BaseModel):
    """One decision to tell one receiver something, and what became of it; `reason` says why it was told."""

    model_config = ConfigDict(frozen=True)

    id: int
    receiver: str
    incident_id: str | None
    reason: str
    state: OutboxState
    decided_at: datetime
    not_before: datetime
    sent_at: datetime | None
    attempts: int
    possible_repeat: bool
    error: str | None

    @classmethod
    def of(cls, stored: OutboxMessage) -> "Alert":
        """The outside form."""
        payload: Mapping[str, Any] = stored.payload
        return cls(
            id=stored.id,
            receiver=stored.receiver,
            incident_id=str(payload.get("incident_id") or stored.incident_id or "") or None,
            reason=stored.kind,
            state=stored.state,
            decided_at=stored.created_at,
            not_before=stored.not_before,
            sent_at=stored.sent_at,
            attempts=stored.attempts,
            possible_repeat=stored.possible_repeat,
            error=stored.error,
        )


class TriedAgain(BaseModel):
    """How many messages are tried again."""

    retried: int


@router.get("", responses=errors(404))
def list_alerts(
    door: Door,
    _caller: Reader,
    state: OutboxState | None = None,
    receiver: str | None = None,
    incident_id: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Alert]:
    """Alerts, newest first."""
    found = door.stores.outbox.list([state] if state else None, receiver, incident_id, limit, cursor)
    return Page(items=[Alert.of(one) for one in found.items], next_cursor=found.next_cursor)


@router.get("/delivery", responses=errors())
def delivery(door: Door, _caller: Reader) -> DeliveryState:
    """How delivery fares: the worker, the outbox, each receiver."""
    return door.service.alerts.delivery()


@router.post("/{receiver}/retry", responses=errors(404))
def retry(door: Door, caller: Operator, receiver: Name) -> TriedAgain:
    """Try a receiver's parked messages again, for example after its configuration was repaired."""
    count = door.service.alerts.try_again(receiver)
    door.audit(caller, "alerts.retried", receiver, (None, {"messages": count}))
    return TriedAgain(retried=count)
