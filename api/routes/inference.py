"""Scoring without storing: what a rule would change, and series that come with the request."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.doors import Door, Operator, Reader, errors
from api.json_body import StrictRoute
from api.paging import Instant, check_order
from api.problem import invalid
from api.service_port import SuppliedSeries, WhatIf
from domain.anomaly import Anomaly
from domain.rule import Rule
from domain.series import MAX_MAGNITUDE, SeriesKey
from domain.timestamps import to_microseconds

router = APIRouter(prefix="/api/v1", tags=["rules"], route_class=StrictRoute)
MAX_SUPPLIED = 200
MAX_POINTS = 200_000
Value = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=-MAX_MAGNITUDE, lt=MAX_MAGNITUDE)]


class WhatIfRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: Rule
    start: Instant
    end: Instant


class Points(BaseModel):
    """A series as two columns of one length; null is a gap."""

    model_config = ConfigDict(extra="forbid")

    timestamps: list[Instant] = Field(min_length=1, max_length=MAX_POINTS)
    values: list[Value | None] = Field(min_length=1, max_length=MAX_POINTS)


class InferRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    series: dict[str, Points] = Field(min_length=1, max_length=MAX_SUPPLIED)
    rules: list[Rule] | None = Field(default=None, max_length=100)


class Inference(BaseModel):
    anomalies: list[Anomaly]


@router.post("/rules/what-if", responses=errors(body=True))
async def what_if(door: Door, _caller: Operator, body: WhatIfRequest) -> WhatIf:
    """Which anomalies of a stretch of stored data a rule would add and take away; nothing is stored."""
    check_order(body.start, body.end)
    return await door.laboriously(lambda: door.service.what_if(body.rule, body.start, body.end))


@router.post("/infer", responses=errors(body=True))
async def infer(door: Door, _caller: Reader, body: InferRequest) -> Inference:
    """Score the series of the request; nothing is stored."""
    if sum(len(points.values) for points in body.series.values()) > MAX_POINTS:
        raise invalid("series", f"has more than {MAX_POINTS:,} points")
    series = [_supplied(name, points) for name, points in body.series.items()]
    return Inference(anomalies=list(await door.laboriously(lambda: door.service.infer(series, body.rules))))


def _supplied(name: str, points: Points) -> SuppliedSeries:
    if len(points.timestamps) != len(points.values):
        raise invalid(f"series.{name}", "timestamps and values differ in length")
    key = SeriesKey.parse(name)
    times = np.array([to_microseconds(instant) for instant in points.timestamps], dtype=np.int64)
    values = np.array([np.nan if value is None else value for value in points.values], dtype=np.float64)
    # Of two points of one time the later one in the request wins, as it does for stored samples.
    distinct, last = np.unique(times[::-1], return_index=True)
    return SuppliedSeries(key, distinct, values[::-1][last])
