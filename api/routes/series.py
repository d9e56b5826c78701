"""Series and their samples."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from api.doors import Door, Reader, errors
from api.paging import Cursor, Limit, Page, PlainNumber, TimeRange, check_order, decode_cursor, encode_cursor
from api.problem import invalid
from domain.series import FloatArray, IntArray, Series
from domain.timestamps import from_microseconds, to_microseconds

router = APIRouter(prefix="/api/v1/series", tags=["series"])
_LABEL_PREFIX = "label."
_DEFAULT_SPAN = timedelta(hours=24)
SeriesId = Annotated[int, PlainNumber, Path(ge=1, le=2**62)]


class SeriesOut(BaseModel):
    """A registered series; `name` is its canonical text."""

    id: int
    name: str
    metric: str
    labels: dict[str, str]
    source: str
    unit: str
    step_s: int
    kind: str

    @classmethod
    def of(cls, series: Series) -> "SeriesOut":
        """The outside form."""
        return cls(
            id=series.id,
            name=series.name,
            metric=series.key.metric,
            labels=dict(series.key.labels),
            source=series.source,
            unit=series.unit,
            step_s=series.step_s,
            kind=series.kind,
        )


class SampleOut(BaseModel):
    """A stored sample, or with `step` a cell: its last value with the extremes and the count."""

    timestamp: datetime
    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None


class SamplePage(Page[SampleOut]):
    series: SeriesOut


_LABELS: dict[str, Any] = {
    "parameters": [
        {
            "name": "label.NAME",
            "in": "query",
            "required": False,
            "schema": {"type": "string"},
            "description": "Only series with this value of the label NAME; may be given for several labels.",
        }
    ]
}


@router.get("", responses=errors(), openapi_extra=_LABELS)
def list_series(
    door: Door,
    _caller: Reader,
    request: Request,
    metric: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SeriesOut]:
    """Registered series, by number."""
    labels = {
        name.removeprefix(_LABEL_PREFIX): value
        for name, value in request.query_params.items()
        if name.startswith(_LABEL_PREFIX)
    }
    found = door.stores.series.find(metric=metric, labels=labels, limit=limit, cursor=cursor)
    return Page(items=[SeriesOut.of(one) for one in found.items], next_cursor=found.next_cursor)


@router.get("/{series_id}/samples", responses=errors(404))
def samples(
    door: Door,
    _caller: Reader,
    series_id: SeriesId,
    span: TimeRange,
    step: Annotated[
        int | None, PlainNumber, Query(ge=1, le=31_536_000, description="Width of a cell in seconds.")
    ] = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> SamplePage:
    """Samples of a series, oldest first; without a range those of the last 24 hours."""
    series = door.stores.series.get(series_id)
    last = span.end or door.service.now() + timedelta(minutes=10)
    first = span.start or last - _DEFAULT_SPAN
    check_order(first, last)
    after = _position(cursor)
    begin = max(to_microseconds(first), after + 1)
    times, values = door.stores.samples.read(series.id, from_microseconds(begin), last)
    found = _plain(times, values) if step is None else _cells(times, values, step)
    shown = found[:limit]
    last_seen = to_microseconds(shown[-1].timestamp) + (step or 0) * 1_000_000 if shown else 0
    more = encode_cursor(str(last_seen - (1 if step else 0))) if len(found) > limit else None
    return SamplePage(series=SeriesOut.of(series), items=shown, next_cursor=more)


def _position(cursor: str | None) -> int:
    text = decode_cursor(cursor)
    if text is None:
        return -1
    if not text.isdecimal() or len(text) > 17:
        raise invalid("cursor", "is not a cursor of this list")
    return int(text)


def _plain(times: IntArray, values: FloatArray) -> list[SampleOut]:
    return [
        SampleOut(timestamp=from_microseconds(int(t)), value=float(v))
        for t, v in zip(times[:501], values[:501], strict=True)
    ]


def _cells(times: IntArray, values: FloatArray, step: int) -> list[SampleOut]:
    """Cells on multiples of the step since 1970; empty ones are left out."""
    if not len(times):
        return []
    cells = times // (step * 1_000_000)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(cells) > 0]))[:501]
    ends = np.concatenate([starts[1:], [np.searchsorted(cells, cells[starts[-1]], side="right")]])
    return [
        SampleOut(
            timestamp=from_microseconds(int(cells[a]) * step * 1_000_000),
            value=float(values[b - 1]),
            low=float(np.min(values[a:b])),
            high=float(np.max(values[a:b])),
            count=int(b - a),
        )
        for a, b in zip(starts, ends, strict=True)
    ]
