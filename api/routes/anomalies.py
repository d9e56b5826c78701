"""Anomalies: what left its normal behaviour, why it was flagged, and whether that was right."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.doors import Door, Operator, Reader, errors
from api.explanation import Explanation, explain
from api.feedback import Verdict, give, withdraw
from api.json_body import StrictRoute
from api.paging import Cursor, Limit, Page, TimeRange, from_store
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly, AnomalyType, Severity
from domain.feedback import AnomalyVerdict, Feedback

router = APIRouter(prefix="/api/v1/anomalies", tags=["anomalies"], route_class=StrictRoute)
AnomalyId = Annotated[str, Path(max_length=200)]


class AnomalyFeedback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: AnomalyVerdict
    comment: str | None = Field(default=None, max_length=5_000)


def anomaly_filter(
    span: TimeRange,
    min_severity: Severity | None = None,
    anomaly_type: AnomalyType | None = None,
    metric: Annotated[str | None, Query(max_length=2_000)] = None,
    status: Literal["open", "resolved"] | None = None,
) -> AnomalyFilter:
    """The filter that `GET /anomalies` and the export share."""
    return AnomalyFilter(
        start=span.start,
        end=span.end,
        min_severity=min_severity,
        anomaly_type=anomaly_type,
        metric=metric,
        status=status,
    )


Filter = Annotated[AnomalyFilter, Depends(anomaly_filter)]


@router.get("", responses=errors())
def list_anomalies(
    door: Door, _caller: Reader, chosen: Filter, limit: Limit = 100, cursor: Cursor = None
) -> Page[Anomaly]:
    """Anomalies by onset, newest first."""
    return from_store(door.stores.anomalies.list(chosen, limit, cursor))


@router.get("/{anomaly_id}", responses=errors(404))
def get_anomaly(door: Door, _caller: Reader, anomaly_id: AnomalyId) -> Anomaly:
    """One anomaly."""
    return door.stores.anomalies.get(anomaly_id)


@router.get("/{anomaly_id}/explanation", responses=errors(404))
def explanation(door: Door, _caller: Reader, anomaly_id: AnomalyId) -> Explanation:
    """Why it was flagged: score, threshold, what was expected, how often such a flag was wrong."""
    anomaly = door.stores.anomalies.get(anomaly_id)
    return explain(anomaly, door.stores.feedback.of("anomaly", anomaly.id))


@router.post("/{anomaly_id}/feedback", status_code=201, responses=errors(404, body=True))
def give_feedback(door: Door, caller: Operator, anomaly_id: AnomalyId, body: AnomalyFeedback) -> Feedback:
    """Say whether it was one."""
    door.stores.anomalies.get(anomaly_id)
    return give(door, caller, Verdict("anomaly", anomaly_id, body.verdict, comment=body.comment))


@router.delete("/{anomaly_id}/feedback", status_code=204, responses=errors(404))
def withdraw_feedback(door: Door, caller: Operator, anomaly_id: AnomalyId) -> None:
    """Take back your last verdict."""
    door.stores.anomalies.get(anomaly_id)
    withdraw(door, caller, "anomaly", anomaly_id)
