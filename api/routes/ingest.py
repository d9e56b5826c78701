"""What is pushed: samples and events, durable before the answer is sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, get_args

import numpy as np
from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from api.auth import Caller
from api.doors import Door, Doors, Feeder, errors
from api.idempotency import Idempotent, bytes_digest, replayed
from api.json_body import SafeJSONResponse, media_type
from api.problem import HttpProblem
from collectors.ingest import MAX_TEXT, ParsedSamples, Rejection, parse_events, parse_samples
from db.records import Appended
from domain.series import MAX_LABEL_VALUE, MAX_NAME, SampleBatch, SeriesKind, SourceName

router = APIRouter(prefix="/api/v1", tags=["ingest"])
_JSON = {"", "application/json"}
_NDJSON = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


class Refused(BaseModel):
    """A sample or event that was not taken: its place in the request, from 0, and why."""

    index: int
    reason: str


class Ingested(BaseModel):
    """What became of a request; `replaced` counts accepted ones whose key was there before."""

    accepted: int
    replaced: int
    rejected: list[Refused]


def _body(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """How a body is documented: it is read by hand, so that one bad item does not cost the others."""
    listed = {
        "type": "object",
        "required": [name],
        "additionalProperties": False,
        "properties": {name: {"type": "array", "items": item}},
    }
    lines = {"schema": {"type": "string", "description": "One object per line."}}
    content = {"application/json": {"schema": listed}, "application/x-ndjson": lines}
    return {"requestBody": {"required": True, "content": content}}


_LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": MAX_LABEL_VALUE}}
_TIME = {"type": "string", "format": "date-time", "description": "RFC 3339 with an offset."}
_SAMPLE = {
    "type": "object",
    "required": ["metric", "timestamp", "value"],
    "additionalProperties": False,
    "properties": {
        "metric": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
        "labels": _LABELS,
        "timestamp": _TIME,
        "value": {"type": "number"},
        "source": {"type": "string", "enum": list(get_args(SourceName))},
        "unit": {"type": "string", "maxLength": 50},
        "kind": {"type": "string", "enum": list(get_args(SeriesKind))},
    },
}
_EVENT = {
    "type": "object",
    "required": ["timestamp", "source", "text"],
    "additionalProperties": False,
    "properties": {
        "timestamp": _TIME,
        "source": {"type": "string", "enum": list(get_args(SourceName))},
        "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "labels": _LABELS,
    },
}


@router.post(
    "/samples",
    response_model=Ingested,
    responses=errors(409, body=True),
    openapi_extra=_body("samples", _SAMPLE),
)
async def post_samples(
    door: Door, caller: Feeder, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Store samples. Any good one: 200; none: 422; a body that cannot be parsed: 400."""
    ndjson = _is_ndjson(request)
    body = await request.body()
    with door.gate.place():
        return await run_in_threadpool(_samples, door, caller, body, ndjson, idempotency_key)


@router.post(
    "/events",
    response_model=Ingested,
    responses=errors(409, body=True),
    openapi_extra=_body("events", _EVENT),
)
async def post_events(
    door: Door, caller: Feeder, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Store events; answers as for samples."""
    ndjson = _is_ndjson(request)
    body = await request.body()
    with door.gate.place():
        return await run_in_threadpool(_events, door, caller, body, ndjson, idempotency_key)


def _is_ndjson(request: Request) -> bool:
    found = media_type(request)
    if found not in _JSON | _NDJSON:
        raise HttpProblem(415, "The body must be application/json or application/x-ndjson.")
    return found in _NDJSON


def _samples(door: Doors, caller: Caller, body: bytes, ndjson: bool, key: str | None) -> Response:
    def store() -> Response:
        with door.gate.worker():
            parsed = parse_samples(
                body,
                _latest(door),
                ndjson=ndjson,
                step_s=door.service.step_s,
                max_items=door.settings.max_samples,
            )
        parsed, beyond_cap = _registered(door, parsed)
        appended = door.stores.samples.append(parsed.batch) if len(parsed.batch) else Appended(0, 0)
        return _answer(door, "samples", appended, [*parsed.rejected, *beyond_cap])

    return replayed(Idempotent(door, caller.name, "samples", key, bytes_digest(body)), store)


def _events(door: Doors, caller: Caller, body: bytes, ndjson: bool, key: str | None) -> Response:
    def store() -> Response:
        with door.gate.worker():
            parsed = parse_events(body, _latest(door), ndjson=ndjson, max_items=door.settings.max_samples)
        appended = door.stores.events.append(list(parsed.events)) if parsed.events else Appended(0, 0)
        return _answer(door, "events", appended, parsed.rejected)

    return replayed(Idempotent(door, caller.name, "events", key, bytes_digest(body)), store)


def _latest(door: Doors) -> datetime:
    """The demo's clock may run ahead of the wall, but real samples are judged by the wall."""
    return max(door.service.now(), door.service.real_now())


def _registered(door: Doors, parsed: ParsedSamples) -> tuple[ParsedSamples, list[Rejection]]:
    batch = parsed.batch
    known = door.stores.series.register_up_to_cap(list(batch.series))
    missing = np.array([one is None for one in known], dtype=np.bool_)
    if not missing.any():
        series = tuple(one for one in known if one is not None)
        return ParsedSamples(
            SampleBatch(series, batch.index, batch.timestamps, batch.values),
            parsed.positions,
            parsed.rejected,
        ), []
    lost = missing[batch.index]
    reason = "metric: the cap of registered series is reached (database.max_series)"
    refused = [Rejection(int(position), reason) for position in parsed.positions[lost]]
    keep = ~lost
    renumbered = np.cumsum(~missing) - 1
    kept = SampleBatch(
        tuple(one for one in known if one is not None),
        renumbered[batch.index[keep]],
        batch.timestamps[keep],
        batch.values[keep],
    )
    return ParsedSamples(kept, parsed.positions[keep], parsed.rejected), refused


def _answer(door: Doors, kind: str, appended: Appended, rejected: Sequence[Rejection]) -> Response:
    refused = [Refused(index=one.index, reason=one.reason) for one in sorted(rejected, key=lambda r: r.index)]
    found = Ingested(accepted=appended.accepted, replaced=appended.replaced, rejected=refused)
    door.metrics.ingested.labels(kind, "accepted").inc(found.accepted)
    door.metrics.ingested.labels(kind, "rejected").inc(len(refused))
    if found.accepted:
        door.service.data_arrived()
    if found.accepted:
        return SafeJSONResponse(found)
    why = (
        f"None of the {kind} can be taken; number {refused[0].index}: {refused[0].reason}" if refused else ""
    )
    return HttpProblem(422, why or f"The request holds no {kind}.", extra=found.model_dump()).response()
