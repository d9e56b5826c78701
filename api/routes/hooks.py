"""Webhooks of others: alerts that start an investigation, and changes that may explain one."""

from collections.abc import Callable, Coroutine
from typing import Any, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from api.auth import INGEST, Caller
from api.doors import Door, Doors, errors
from api.hooks.alerts import alerts_of
from api.hooks.changes import change_of, delivery_id_of, event_of
from api.hooks.generic import events_of
from api.hooks.investigating import Begun, take_up
from api.hooks.reading import json_object
from api.hooks.signatures import Delivery, is_signed
from api.json_body import media_type
from api.problem import HttpProblem, invalid
from domain.errors import Forbidden
from domain.event import Event

router = APIRouter(prefix="/hooks", tags=["hooks"])
Sender = Literal["alertmanager", "grafana", "github", "gitlab", "generic"]
_CALLED: dict[Sender, str] = {
    "alertmanager": "Alertmanager",
    "grafana": "Grafana's alerting",
    "github": "GitHub",
    "gitlab": "GitLab",
    "generic": "any other program",
}
_JSON = {"", "application/json", "text/json"}
_FORM = "application/x-www-form-urlencoded"


class HookResult(BaseModel):
    """What became of a delivery; everything in it is on disk.

    `stored` counts events that were not known before, `known` those of an earlier delivery. `diagnosis_id` is
    the investigation that it started; where it started none, `reason` says why.
    """

    stored: int = 0
    known: int = 0
    diagnosis_id: str | None = None
    affected_metrics: list[str] = []
    alerts: list[str] = []
    reason: str = ""


_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


def _receiver(sender: Sender) -> Callable[[Door, Request], Coroutine[Any, Any, HookResult]]:
    async def receive(door: Door, request: Request) -> HookResult:
        body = await request.body()
        return await run_in_threadpool(_received, door, request, sender, body)

    receive.__doc__ = f"""Take a webhook of {_CALLED[sender]}, signed or with an `ingest` token."""
    return receive


def _received(door: Doors, request: Request, sender: Sender, body: bytes) -> HookResult:
    actor = _check_sender(door, request, sender, body)
    document = json_object(_json_of(request, sender, body))
    if sender in {"alertmanager", "grafana"}:
        return _take_alerts(door, sender, actor, document)
    return _take_changes(door, sender, actor, request, (body, document))


def _check_sender(door: Doors, request: Request, sender: Sender, body: bytes) -> str:
    """Who the delivery is from, for the audit log; raises HttpProblem 401 or Forbidden."""
    caller: Caller | None = request.state.caller
    secrets = door.hook_secrets.of(sender)
    settings = door.hooks
    delivery = Delivery(request.headers, body, door.service.real_now(), settings.tolerance_seconds)
    if secrets and is_signed(sender, delivery, secrets, settings.grafana_timestamp_header):
        return f"hook:{sender}"
    # With a secret, the caller on this machine that needs no token must sign like everybody else.
    if caller is None or (secrets and not door.book):
        door.limits.failed(request.scope)
        raise HttpProblem(
            401,
            "The delivery is not signed by its sender and carries no valid token.",
            headers={"WWW-Authenticate": 'Bearer realm="llm-analyst"'},
        )
    if caller.role not in INGEST:
        raise Forbidden(f"The role {caller.role} may not do this; it takes ingest or admin.")
    return caller.name


def _json_of(request: Request, sender: Sender, body: bytes) -> bytes:
    """The JSON of a body; GitHub can also send it as the field `payload` of a form."""
    found = media_type(request)
    if found in _JSON or found.endswith("+json"):
        return body
    if found != _FORM or sender != "github":
        raise HttpProblem(415, "The body must be application/json.")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10, errors="strict")
    except ValueError:
        raise HttpProblem(400, "The form cannot be read.") from None
    if len(fields.get("payload", [])) != 1:
        raise invalid("payload", "is missing")
    return fields["payload"][0].encode("utf-8", "surrogatepass")


def _take_alerts(door: Doors, sender: Sender, actor: str, document: dict[str, object]) -> HookResult:
    now = max(door.service.now(), door.service.real_now())
    alerts = alerts_of(document, now)
    events = [one.event(sender) for one in alerts]
    stored = _stored(door, sender, events)
    begun = take_up(door, sender, alerts, door.hooks) if alerts else Begun(reason="it holds no alert")
    if stored.stored or begun.diagnosis_id:
        seen = {"alerts": [f"{one.fingerprint} {one.status}" for one in alerts[:100]]}
        door.audit_as(actor, "hook.alerts", begun.diagnosis_id or sender, (None, seen))
    return stored.model_copy(
        update={
            "diagnosis_id": begun.diagnosis_id,
            "affected_metrics": list(begun.affected_metrics),
            "alerts": list(begun.alerts),
            "reason": begun.reason,
        }
    )


def _take_changes(
    door: Doors, sender: Sender, actor: str, request: Request, content: tuple[bytes, dict[str, object]]
) -> HookResult:
    body, document = content
    now = max(door.service.now(), door.service.real_now())
    delivery_id = delivery_id_of(sender, request.headers, body)
    if sender == "generic":
        events = events_of(document, delivery_id, door.hooks, now)
    else:
        change = change_of(sender, request.headers, document, door.hooks, now)
        if change.ignored:
            return HookResult(reason=change.ignored)
        events = [event_of(sender, change, delivery_id, door.hooks, now)]
    stored = _stored(door, sender, events)
    if stored.stored:
        told = {"delivery": delivery_id, "texts": [one.text for one in events[:20]]}
        door.audit_as(actor, "hook.changes", sender, (None, told))
    return stored


def _stored(door: Doors, sender: Sender, events: list[Event]) -> HookResult:
    if not events:
        return HookResult()
    appended = door.stores.events.append(events)
    fresh = appended.accepted - appended.replaced
    door.metrics.ingested.labels(f"hook_{sender}", "accepted").inc(fresh)
    if fresh:
        door.service.data_arrived()
    return HookResult(stored=fresh, known=appended.replaced)


for _sender in _CALLED:
    router.add_api_route(
        f"/{_sender}",
        _receiver(_sender),
        methods=["POST"],
        name=f"receive_{_sender}",
        responses=errors(body=True),
        openapi_extra=_BODY,
    )
