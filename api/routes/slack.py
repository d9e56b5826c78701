"""What Slack sends: signed, kept, answered at once; what it asks for is done beside."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from anyio import fail_after, to_thread
from fastapi import APIRouter, Request, Response

from alerts.slack.inbound import Inbound, Road, Unreadable, read_body
from alerts.slack.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, BadSignature, verify
from api.doors import Door, Doors, errors
from api.json_body import SafeJSONResponse
from api.problem import HttpProblem

log = structlog.get_logger()
KEEP_SECONDS = 2.5  # Slack gives up after three
_SIGNED: dict[int | str, dict[str, Any]] = {200: {"description": "Taken; what it asks for is done beside."}}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_FORM = {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {}}}}

router = APIRouter(prefix="/slack", tags=["slack"])


class SlackDoor(Protocol):
    """Whoever does what people in Slack ask for."""

    @property
    def secret(self) -> bytes:
        """What Slack signs with; empty where it is not meant to call."""
        ...

    def take(self, inbound: Inbound) -> Mapping[str, Any] | None:
        """Keep it for good before this returns; what to answer at once, if anything.

        Raises:
            Overloaded: too much waits already.
            StoreUnavailable: it could not be kept.
        """
        ...


@router.post("/events", responses={**errors(400, 413), **_SIGNED}, openapi_extra=_BODY)
async def events(door: Door, request: Request) -> Response:
    """Messages and mentions, by the Events API."""
    return await _taken("events", door, request)


@router.post("/interactions", responses={**errors(400, 413), **_SIGNED}, openapi_extra=_FORM)
async def interactions(door: Door, request: Request) -> Response:
    """Buttons and windows."""
    return await _taken("interactions", door, request)


@router.post("/commands", responses={**errors(400, 413), **_SIGNED}, openapi_extra=_FORM)
async def commands(door: Door, request: Request) -> Response:
    """The slash command."""
    return await _taken("commands", door, request)


async def _taken(road: Road, door: Doors, request: Request) -> Response:
    slack: SlackDoor | None = getattr(request.app.state, "slack", None)
    body = await request.body()
    try:
        verify(
            b"" if slack is None else slack.secret,
            request.headers.getlist(TIMESTAMP_HEADER),
            request.headers.getlist(SIGNATURE_HEADER),
            body,
            door.service.real_now().timestamp(),
        )
        inbound = read_body(road, body)
    except BadSignature as error:
        log.warning("slack_refused", road=road, reason=str(error))
        raise HttpProblem(401, f"This is not signed by Slack: {error}.") from None
    except Unreadable as error:
        raise HttpProblem(400, f"This cannot be read: {error}.") from None
    if inbound.challenge is not None:
        return SafeJSONResponse({"challenge": inbound.challenge})
    if inbound.said is None or slack is None:
        return Response(status_code=200)
    try:
        with fail_after(KEEP_SECONDS):
            answer = await to_thread.run_sync(
                slack.take, inbound, limiter=door.patience, abandon_on_cancel=True
            )
    except TimeoutError:
        raise HttpProblem(503, "This could not be kept in time.", headers={"Retry-After": "1"}) from None
    return Response(status_code=200) if answer is None else SafeJSONResponse(dict(answer))
