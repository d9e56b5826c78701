"""Reads a stored case: a folder with metrics, a description and, where there are any, logs and events."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from domain.event import Event
from domain.series import FloatArray, IntArray, Series, SeriesKey, Window
from domain.timestamps import from_microseconds, parse_rfc3339

SECOND = 1_000_000
_READ = ("target", "onset", "end", "alarm", "step_s", "cause_edges")


@dataclass(frozen=True, slots=True)
class TemplateCount:
    """One row of `logs.csv`."""

    timestamp: datetime
    component: str
    level: str
    template: str
    count: int


@dataclass(frozen=True, slots=True)
class TemplateSummary:
    """One row of `logs_summary.csv`: counts in the window and in the reference, with their lengths."""

    component: str
    level: str
    template: str
    count_window: float
    minutes_window: float
    count_reference: float
    minutes_reference: float


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case as it lies on disk; `columns` gives each series' name in the file."""

    path: Path
    window: Window
    columns: Mapping[str, str]
    target: str | None
    onset: datetime | None
    end: datetime | None
    alarm: datetime | None
    cause_edges: tuple[tuple[str, str], ...]
    logs: tuple[TemplateCount, ...] = ()
    log_summary: tuple[TemplateSummary, ...] = ()
    events: tuple[Event, ...] = ()


def find_cases(path: Path) -> list[Path]:
    """The case folders at or below a path, sorted; raises InvalidInput where there are none."""
    if (path / "meta.json").is_file():
        return [path]
    if not path.is_dir():
        raise InvalidInput(str(path), "is not a folder")
    found = sorted(one.parent for one in path.rglob("meta.json"))
    if not found:
        raise InvalidInput(str(path), "holds no case (a folder with metrics.csv and meta.json)")
    return found


def read_case(path: Path) -> StoredCase:
    """Read one case folder.

    Raises:
        InvalidInput: a file is missing or unusable; the field is the file, with the row where there is one.
    """
    meta = _read_meta(path / "meta.json")
    step_s = _step(path, meta)
    window, columns = _read_metrics(path / "metrics.csv", step_s)
    target = meta.get("target")
    if target is not None and target not in columns.values():
        raise InvalidInput(
            str(path / "meta.json"), f"target {str(target)[:80]!r} is not a column of metrics.csv"
        )
    return StoredCase(
        path=path,
        window=window,
        columns=columns,
        target=target,
        onset=_instant(path, meta, "onset"),
        end=_instant(path, meta, "end"),
        alarm=_instant(path, meta, "alarm"),
        cause_edges=_edges(path, meta),
        logs=_read_logs(path / "logs.csv"),
        log_summary=_read_summary(path / "logs_summary.csv"),
        events=_read_events(path / "events.json"),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(str(path), error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise InvalidInput(str(path), "is not UTF-8 text") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise InvalidInput(str(path), f"is not JSON (line {error.lineno})") from None
    except RecursionError:
        raise InvalidInput(str(path), "is nested too deeply") from None


def _read_meta(path: Path) -> dict[str, Any]:
    meta = _read_json(path)
    if not isinstance(meta, dict):
        raise InvalidInput(str(path), "must be a JSON object")
    return {key: meta[key] for key in _READ if key in meta}


def _step(path: Path, meta: Mapping[str, Any]) -> int:
    step = meta.get("step_s", 60)
    if (
        isinstance(step, bool)
        or not isinstance(step, int | float)
        or not 1 <= step <= 86_400
        or step != int(step)
    ):
        raise InvalidInput(str(path / "meta.json"), "step_s must be a whole number of seconds, 1 to 86400")
    return int(step)


def _instant(path: Path, meta: Mapping[str, Any], name: str) -> datetime | None:
    value = meta.get(name)
    if value is None:
        return None
    try:
        return _from_seconds(value)
    except ValueError:
        raise InvalidInput(str(path / "meta.json"), f"{name} must be unix seconds or null") from None


def _from_seconds(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**33:
        raise ValueError
    return from_microseconds(round(value * SECOND))


def _edges(path: Path, meta: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    edges = meta.get("cause_edges") or []
    try:
        return tuple((str(cause), str(effect)) for cause, effect in edges)
    except (TypeError, ValueError):
        raise InvalidInput(
            str(path / "meta.json"), "cause_edges must be a list of [cause, effect] pairs"
        ) from None


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    reader = csv.DictReader(_read_text(path).splitlines())
    if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
        raise InvalidInput(str(path), f"has no column {missing[0]!r}")
    return list(reader)


def _read_logs(path: Path) -> tuple[TemplateCount, ...]:
    rows = _rows(path, ("timestamp", "component", "level", "template", "count"))
    try:
        return tuple(
            TemplateCount(
                _time(row["timestamp"]),
                row["component"],
                row["level"],
                row["template"],
                int(float(row["count"])),
            )
            for row in rows
        )
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(str(path), "has a row with an unusable time or count") from None


def _read_summary(path: Path) -> tuple[TemplateSummary, ...]:
    numbers = ("count_window", "minutes_window", "count_reference", "minutes_reference")
    rows = _rows(path, ("component", "level", "template", *numbers))
    try:
        return tuple(
            TemplateSummary(
                row["component"], row["level"], row["template"], *(float(row[name]) for name in numbers)
            )
            for row in rows
        )
    except (TypeError, ValueError):
        raise InvalidInput(str(path), "has a row with an unusable count") from None


def _read_events(path: Path) -> tuple[Event, ...]:
    if not path.is_file():
        return ()
    found = _read_json(path)
    try:
        return tuple(
            Event(
                timestamp=_from_seconds(one["ts"]),
                source="news" if one.get("kind") == "news" else "events",
                text=str(one.get("text", ""))[:10_000],
                labels={"kind": str(one.get("kind", "event")), "component": str(one.get("component", ""))},
            )
            for one in found
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        raise InvalidInput(str(path), "must be a list of {ts, kind, component, text}") from None


def _time(text: str) -> datetime:
    try:
        return _from_seconds(float(text))
    except ValueError:
        return parse_rfc3339(text)


def _read_metrics(path: Path, step_s: int) -> tuple[Window, dict[str, str]]:
    rows = list(csv.reader(_read_text(path).splitlines()))
    if not rows or len(rows[0]) < 2:
        raise InvalidInput(str(path), "has no series")
    keys = [_key(path, name) for name in rows[0][1:]]
    if len(set(keys)) != len(keys):
        raise InvalidInput(str(path), "has two columns of the same name")
    cells = [row for row in rows[1:] if row]
    if not cells:
        raise InvalidInput(str(path), "has no rows")
    micros = _times(path, cells)
    columns = micros // (step_s * SECOND)
    first, count = int(columns.min()), int(columns.max() - columns.min()) + 1
    if count > 200_000:
        raise InvalidInput(str(path), f"spans {count} steps of {step_s} s; step_s is wrong")
    grid = np.full((len(keys), count), np.nan)
    _fill(path, cells, grid, columns - first)
    order = sorted(range(len(keys)), key=lambda i: keys[i])
    series = tuple(Series(id=0, key=keys[i], step_s=step_s) for i in order)
    names = {keys[i].name: rows[0][1 + i] for i in order}
    return Window(series, step_s, from_microseconds(first * step_s * SECOND), grid[order]), names


def _key(path: Path, column: str) -> SeriesKey:
    component, bar, metric = column.partition("|")
    try:
        return SeriesKey.of(metric, {"component": component}) if bar else SeriesKey.parse(column)
    except InvalidInput as error:
        raise InvalidInput(str(path), f"column {column[:80]!r}: {error}") from None


def _times(path: Path, cells: Sequence[Sequence[str]]) -> IntArray:
    out = np.empty(len(cells), dtype=np.int64)
    for i, row in enumerate(cells):
        try:
            out[i] = round(_time(row[0]).timestamp() * SECOND)
        except (ValueError, InvalidInput):
            raise InvalidInput(str(path), f"row {i + 2}: unusable timestamp {row[0][:40]!r}") from None
    return out


def _fill(path: Path, cells: Sequence[Sequence[str]], grid: FloatArray, columns: IntArray) -> None:
    width = grid.shape[0]
    for i, row in enumerate(cells):
        try:
            values = [float(text) if text.strip() else np.nan for text in row[1 : 1 + width]]
        except ValueError:
            raise InvalidInput(str(path), f"row {i + 2} has a cell that is not a number") from None
        if len(row) != width + 1:
            raise InvalidInput(str(path), f"row {i + 2} has {len(row) - 1} values for {width} series")
        taken = np.asarray(values)
        finite = np.isfinite(taken)
        grid[finite, int(columns[i])] = taken[finite]
