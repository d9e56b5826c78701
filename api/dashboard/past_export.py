"""The incidents of a search as a file: exactly those that the history shows."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Literal

from starlette.responses import Response

from api.dashboard.past import PastRow, Search, find, rows_of
from api.doors import Doors
from api.routes.export import safe_cell

Form = Literal["csv", "json", "md"]
_COLUMNS = (
    "id",
    "severity",
    "title",
    "started",
    "lasted",
    "status",
    "assignee",
    "impact",
    "cause",
    "diagnosis",
    "feedback",
)
_TYPES = {"csv": "text/csv", "json": "application/json", "md": "text/markdown"}


def export(door: Doors, search: Search, form: Form) -> Response:
    """A download."""
    ids = [one.id for one in find(door, search).fits]
    rows = rows_of(door, ids, door.service.now())
    text = {"csv": _csv, "json": _json, "md": _markdown}[form](rows)
    headers = {"Content-Disposition": f'attachment; filename="incidents.{form}"'}
    return Response(text, media_type=_TYPES[form], headers=headers)


def _plain(row: PastRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"started": row.started.isoformat()}


def _csv(rows: Sequence[PastRow]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS)
    writer.writeheader()
    writer.writerows(
        {name: safe_cell(str(value or "")) for name, value in _plain(row).items()} for row in rows
    )
    return out.getvalue()


def _json(rows: Sequence[PastRow]) -> str:
    return json.dumps({"items": [_plain(row) for row in rows]}, ensure_ascii=False, indent=1)


def _markdown(rows: Sequence[PastRow]) -> str:
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}"]
    for row in rows:
        cells = (str(value or "").replace("|", "\\|").replace("\n", " ") for value in _plain(row).values())
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
