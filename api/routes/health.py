"""Whether the process is up, whether it can serve, and what it counts."""

from asyncio import wait_for
from contextlib import suppress
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.doors import Door, Doors, Reader, errors
from api.json_body import SafeJSONResponse
from domain.anomaly import SEVERITIES
from domain.errors import StoreUnavailable

_HEALTH_SECONDS = 1.0

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(request: Request, door: Door) -> dict[str, Any]:
    """The process is up; callers with a token also see how the delivery of alerts fares."""
    content: dict[str, Any] = {"status": "ok"}
    if request.state.caller is not None:
        with suppress(StoreUnavailable, TimeoutError):
            asked = to_thread.run_sync(
                door.service.alerts.delivery, limiter=door.patience, abandon_on_cancel=True
            )
            state = await wait_for(asked, _HEALTH_SECONDS)
            content["alerts"] = state.model_dump(mode="json")
    return content


@router.get("/ready", responses={503: {"description": "A part is not ready; `parts` says which."}})
def ready(request: Request, door: Door) -> Response:
    """Database, migrations and scheduler; callers without a token see the status alone."""
    readiness = door.service.readiness()
    content: dict[str, Any] = {"status": "ready" if readiness.ready else "not ready"}
    if request.state.caller is not None:
        content["parts"] = readiness.model_dump()
    return SafeJSONResponse(content, 200 if readiness.ready else 503)


@router.get(
    "/metrics",
    responses={**errors(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def metrics(door: Door, _caller: Reader) -> Response:
    """Meters in the Prometheus text format."""
    _refresh(door)
    return Response(generate_latest(door.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _refresh(door: Doors) -> None:
    meters = door.metrics
    meters.streams.set(door.streams.open)
    severities = [incident.severity for incident in door.stores.incidents.open()]
    for severity in SEVERITIES:
        meters.open_incidents.labels(severity).set(severities.count(severity))
    last = door.stores.cycles.last("done")
    if last is not None and last.finished_at is not None:
        meters.cycle_age.set((door.service.now() - last.finished_at).total_seconds())
        for step in last.steps:
            meters.cycle_ms.labels(step.name).set(step.ms)
    delivery = door.service.alerts.delivery()
    meters.alerts.labels("pending").set(delivery.pending)
    meters.alerts.labels("parked").set(delivery.parked)
    meters.alert_age.set(delivery.oldest_pending_seconds or 0.0)
    for source in door.service.sources():
        meters.source_up.labels(source.name).set(source.status in {"ok", "warming_up"})
        if source.lag_seconds is not None:
            meters.source_lag.labels(source.name).set(source.lag_seconds)
