"""The filtered list of anomalies as a file: CSV that no spreadsheet executes, JSON, or Markdown."""

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from api.doors import Door, Reader, errors
from api.report import code
from api.routes.anomalies import Filter
from domain.anomaly import Anomaly
from domain.timestamps import format_rfc3339

router = APIRouter(prefix="/api/v1/history", tags=["anomalies"])
_COLUMNS = (
    "id",
    "timestamp",
    "ended_at",
    "detected_at",
    "anomaly_type",
    "severity",
    "status",
    "rule",
    "method",
    "score",
    "z_score",
    "p_value",
    "value",
    "expected_low",
    "expected_high",
    "direction",
    "confidence",
    "incident_id",
    "affected_metrics",
    "data_sources",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json", "md": "text/markdown"}


@router.get(
    "/export",
    responses={**errors(), 200: {"content": {media: {} for media in _MEDIA_TYPES.values()}}},
    response_class=Response,
)
def export(
    door: Door,
    _caller: Reader,
    chosen: Filter,
    form: Annotated[Literal["csv", "json", "md"], Query(alias="format")] = "csv",
) -> Response:
    """Exactly the filtered set of `GET /anomalies`, all pages in one file."""
    writer = {"csv": _as_csv, "json": _as_json, "md": _as_markdown}[form]
    anomalies = door.stores.anomalies.iterate(chosen)
    # The first page is read before the answer begins, so that a database that is down is still a 503.
    first = list(islice(anomalies, 1))
    headers = {"Content-Disposition": f'attachment; filename="anomalies.{form}"'}
    return StreamingResponse(writer(chain(first, anomalies)), headers=headers, media_type=_MEDIA_TYPES[form])


def safe_cell(text: str) -> str:
    """Text that a spreadsheet shows and does not execute."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _as_json(anomalies: Iterator[Anomaly]) -> Iterator[bytes]:
    yield b'{"items":['
    for i, anomaly in enumerate(anomalies):
        yield (b",\n" if i else b"\n") + to_json(anomaly, inf_nan_mode="null")
    yield b'\n],"next_cursor":null}\n'


def _as_csv(anomalies: Iterator[Anomaly]) -> Iterator[bytes]:
    yield _line(_COLUMNS)
    for anomaly in anomalies:
        yield _line(_cells(anomaly))


def _line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _cells(one: Anomaly) -> tuple[str, ...]:
    return (
        one.id,
        format_rfc3339(one.timestamp),
        format_rfc3339(one.ended_at) if one.ended_at else "",
        format_rfc3339(one.detected_at),
        one.anomaly_type,
        one.severity,
        one.status,
        safe_cell(one.rule),
        safe_cell(one.method),
        *(_number(x) for x in (one.score, one.z_score, one.p_value, one.value)),
        *(_number(x) for x in (one.expected.low, one.expected.high)),
        one.direction,
        _number(one.confidence),
        one.incident_id or "",
        safe_cell("; ".join(one.affected_metrics)),
        safe_cell("; ".join(one.data_sources)),
    )


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _as_markdown(anomalies: Iterator[Anomaly]) -> Iterator[bytes]:
    yield b"| id | from | severity | type | series | score | status |\n|---|---|---|---|---|---|---|\n"
    for one in anomalies:
        series = code(one.affected_metrics[0]).replace("|", "\\|")
        cells = (
            one.id,
            format_rfc3339(one.timestamp),
            one.severity,
            one.anomaly_type,
            series,
            f"{one.score:.4g}",
            one.status,
        )
        yield f"| {' | '.join(cells)} |\n".encode()
