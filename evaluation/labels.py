"""Labelled windows of stored series, read from a JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known about one series.

    Args:
        windows: first and last row of each labelled event, inclusive, in order.
        probation: rows before this one are never judged.
        known: false where the series is not in the label file.
    """

    windows: tuple[tuple[int, int], ...] = ()
    probation: int = 0
    known: bool = False


def read_labels(path: Path) -> Mapping[str, Any]:
    """The `series` object of a label file: `{"series": {"a.csv": {"windows": [[0, 5]], "probation": 0}}}`.

    Raises:
        InvalidInput: the file is no such JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(str(path), f"cannot be read as JSON: {error}") from error
    series = content.get("series") if isinstance(content, dict) else None
    if not isinstance(series, dict):
        raise InvalidInput(str(path), "has no object `series`")
    return series


def series_labels(known: Mapping[str, Any], relative: Path, n_rows: int) -> Labels:
    """The labels of one file; looked up by its relative path, else by a unique path that ends in it.

    Raises:
        InvalidInput: a window does not lie within the rows.
    """
    name = relative.as_posix()
    matches = [name] if name in known else [key for key in known if key.endswith(f"/{name}")]
    if len(matches) != 1:
        return Labels(windows=(), probation=0, known=False)
    entry = known[matches[0]]
    try:
        windows = tuple(sorted((int(first), int(last)) for first, last in entry.get("windows", ())))
        probation = int(entry.get("probation", 0))
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"labels.{matches[0]}", f"is unusable: {error}") from error
    for first, last in windows:
        if not 0 <= first <= last < n_rows:
            raise InvalidInput(f"labels.{matches[0]}", f"window {first} to {last} is outside {n_rows} rows")
    return Labels(windows, probation, known=True)
