"""Diagnoses: start an investigation, read what it found, tick its actions, judge it."""

import re
import time
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import PlainTextResponse

from api.auth import Caller
from api.doors import Door, Doors, Operator, Reader, errors
from api.feedback import Verdict, give, withdraw
from api.idempotency import Idempotent, bytes_digest, replayed
from api.json_body import SafeJSONResponse, StrictRoute
from api.paging import Cursor, Instant, Limit, Page, PlainNumber, TimeRange, check_order, from_store
from api.problem import invalid
from api.report import diagnosis_report
from domain.anomaly import Anomaly, AnomalyType
from domain.diagnosis import Diagnosis, DiagnosisRequest, ReasonerName
from domain.feedback import DiagnosisVerdict, Feedback

router = APIRouter(prefix="/api/v1/diagnoses", tags=["diagnoses"], route_class=StrictRoute)
DiagnosisId = Annotated[str, Path(max_length=200)]
_ENDED = {"done", "failed", "cancelled"}
# Looked at often at first and then ever more rarely: many who wait must not keep the machine busy.
_POLL_SECONDS = (0.05, 0.5)
MAX_WAIT_SECONDS = 60
# The whole stretch is looked at, in all series at once.
LONGEST = timedelta(days=31)
_QUALITY = re.compile(r"[01](\.\d{0,3})?")


class Investigation(BaseModel):
    """An anomaly by its id, or metrics over a window."""

    model_config = ConfigDict(extra="forbid")

    anomaly_id: str | None = Field(default=None, min_length=1, max_length=200)
    anomaly_type: AnomalyType | None = None
    start_time: Instant | None = None
    end_time: Instant | None = None
    affected_metrics: list[Annotated[str, Field(min_length=1, max_length=2_000)]] | None = Field(
        default=None, min_length=1, max_length=100
    )
    reasoner: ReasonerName | None = None

    @model_validator(mode="after")
    def _names_one_subject(self) -> "Investigation":
        window = (self.start_time, self.end_time, self.affected_metrics)
        if self.anomaly_id is None and None in window:
            raise ValueError("needs anomaly_id, or start_time, end_time and affected_metrics")
        if self.anomaly_id is not None and any(part is not None for part in window):
            raise ValueError("takes anomaly_id or a window, not both")
        return self


class ActionChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    done: Annotated[bool, Field(strict=True)]


class DiagnosisFeedback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: DiagnosisVerdict
    actual_cause: str | None = Field(default=None, min_length=1, max_length=200)
    comment: str | None = Field(default=None, max_length=5_000)


@router.post(
    "",
    response_model=Diagnosis,
    responses={**errors(404, 409, body=True), 202: {"model": Diagnosis, "description": "It is under way."}},
)
async def start_diagnosis(
    door: Door,
    caller: Operator,
    body: Investigation,
    wait: Annotated[
        float, PlainNumber, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for its end.")
    ] = 0,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Start an investigation, or join the one that an equal request started."""
    digest = bytes_digest(body.model_dump_json().encode())
    once = Idempotent(door, caller.name, "diagnoses", idempotency_key, digest)
    return await door.patiently(lambda: replayed(once, lambda: _started(once, caller, body, wait)))


@router.get("", responses=errors())
def list_diagnoses(
    door: Door,
    _caller: Reader,
    span: TimeRange,
    q: Annotated[str | None, Query(max_length=500, description="Words of its text.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Diagnosis]:
    """Diagnoses, newest first."""
    found = door.stores.diagnoses.list(q=q, start=span.start, end=span.end, limit=limit, cursor=cursor)
    return from_store(found)


@router.get(
    "/{diagnosis_id}",
    response_model=Diagnosis,
    responses={**errors(404), 200: {"content": {"text/markdown": {}}}},
)
def get_diagnosis(door: Door, _caller: Reader, request: Request, diagnosis_id: DiagnosisId) -> Response:
    """One diagnosis; with `Accept: text/markdown` or `.md` behind its id its report."""
    diagnosis = door.stores.diagnoses.get(diagnosis_id.removesuffix(".md"))
    if diagnosis_id.endswith(".md") or wants_markdown(request.headers.get("accept", "")):
        return PlainTextResponse(diagnosis_report(diagnosis), media_type="text/markdown")
    return SafeJSONResponse(diagnosis)


@router.post("/{diagnosis_id}/cancel", responses=errors(404))
def cancel_diagnosis(door: Door, caller: Operator, diagnosis_id: DiagnosisId) -> Diagnosis:
    """Stop the run; what was found is kept."""
    door.stores.diagnoses.get(diagnosis_id)
    diagnosis = door.service.cancel_diagnosis(diagnosis_id)
    door.audit(caller, "diagnosis.cancelled", diagnosis_id)
    door.service.live.publish("diagnosis.updated", {"id": diagnosis.id})
    return diagnosis


@router.patch("/{diagnosis_id}/actions/{n}", responses=errors(404, body=True))
def tick_action(
    door: Door,
    caller: Operator,
    diagnosis_id: DiagnosisId,
    n: Annotated[int, PlainNumber, Path(ge=1, le=10_000)],
    body: ActionChange,
) -> Diagnosis:
    """Say that an action was done, or was not."""
    door.stores.diagnoses.set_action(diagnosis_id, n, body.done, caller.name, door.service.now())
    door.audit(caller, "action.done" if body.done else "action.undone", f"{diagnosis_id}/{n}")
    door.service.live.publish("diagnosis.updated", {"id": diagnosis_id})
    return door.stores.diagnoses.get(diagnosis_id)


@router.post("/{diagnosis_id}/feedback", status_code=201, responses=errors(404, body=True))
def give_feedback(
    door: Door, caller: Operator, diagnosis_id: DiagnosisId, body: DiagnosisFeedback
) -> Feedback:
    """Say whether it was right, and what the cause really was."""
    door.stores.diagnoses.get(diagnosis_id)
    verdict = Verdict("diagnosis", diagnosis_id, body.verdict, body.actual_cause, body.comment)
    return give(door, caller, verdict)


@router.delete("/{diagnosis_id}/feedback", status_code=204, responses=errors(404))
def withdraw_feedback(door: Door, caller: Operator, diagnosis_id: DiagnosisId) -> None:
    """Take back your last verdict."""
    door.stores.diagnoses.get(diagnosis_id)
    withdraw(door, caller, "diagnosis", diagnosis_id)


def start(door: Doors, body: Investigation, key: str | None = None) -> str:
    """The id of the run for a request; equal requests at the same time are one run."""
    digest = bytes_digest(f"{key}|{body.model_dump_json()}".encode())
    return door.flights.join(digest, lambda: door.service.diagnose(_request_of(door, body), key).id)


def wants_markdown(accept: str) -> bool:
    """Whether an Accept header names Markdown, and nothing else that it likes better."""
    found: dict[str, float] = {}
    for one in accept.lower().split(","):
        media, *parameters = (part.strip() for part in one.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        found[media] = float(quality) if _QUALITY.fullmatch(quality) else 0.0
    json = max((found.get(media, 0.0) for media in ("application/json", "application/*")), default=0.0)
    markdown = found.get("text/markdown", 0.0)
    return markdown > 0 and markdown >= json


def _started(once: Idempotent, caller: Caller, body: Investigation, wait: float) -> Response:
    door, deadline, pause = once.door, time.monotonic() + wait, _POLL_SECONDS[0]
    began = door.service.now()
    diagnosis = door.stores.diagnoses.get(start(door, body, once.place if once.key else None))
    if diagnosis.timestamp >= began:
        door.audit(caller, "diagnosis.started", diagnosis.id, (None, body.model_dump(mode="json")))
    while diagnosis.status not in _ENDED and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(1.3 * pause, _POLL_SECONDS[1])
        diagnosis = door.stores.diagnoses.get(diagnosis.id)
    ended = diagnosis.status in _ENDED
    location = {"Location": f"/api/v1/diagnoses/{diagnosis.id}"}
    return SafeJSONResponse(diagnosis, 200 if ended and wait else 202, location)


def _request_of(door: Doors, body: Investigation) -> DiagnosisRequest:
    if body.anomaly_id is not None:
        return _about(door.stores.anomalies.get(body.anomaly_id), door, body.reasoner)
    if body.start_time is None or body.end_time is None or body.affected_metrics is None:
        raise invalid("affected_metrics", "needs start_time, end_time and affected_metrics")
    check_order(body.start_time, body.end_time)
    if body.end_time - body.start_time > LONGEST:
        raise invalid("start_time", f"is more than {LONGEST.days} days before end_time")
    return DiagnosisRequest(
        anomaly_type=body.anomaly_type,
        start_time=body.start_time,
        end_time=body.end_time,
        affected_metrics=tuple(body.affected_metrics),
        reasoner=body.reasoner,
    )


def _about(anomaly: Anomaly, door: Doors, reasoner: ReasonerName | None) -> DiagnosisRequest:
    end = anomaly.ended_at or max(door.service.now(), anomaly.detected_at)
    return DiagnosisRequest(
        anomaly_id=anomaly.id,
        incident_id=anomaly.incident_id,
        anomaly_type=anomaly.anomaly_type,
        start_time=max(anomaly.timestamp, end - LONGEST),
        end_time=end,
        affected_metrics=anomaly.affected_metrics,
        reasoner=reasoner,
    )
