"""What is pushed over REST: from the bytes of a body to accepted samples or events and refused ones.

Pure functions. A body that cannot be parsed is refused whole; otherwise every item stands for itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import get_args

import numpy as np

from collectors.gate import check_value
from collectors.strict_json import UnparseableBody, parse_json, parse_lines
from domain.errors import AnalystError, InvalidInput, InvalidTimestamp
from domain.event import Event
from domain.series import IntArray, SampleBatch, Series, SeriesKey, SeriesKind, SourceName, check_text
from domain.timestamps import MAX_FUTURE, check_range, parse_rfc3339, to_microseconds

__all__ = ["ParsedEvents", "ParsedSamples", "Rejection", "TooManyItems", "UnparseableBody"]

MAX_ITEMS = 200_000
MAX_TEXT = 10_000
_MAX_UNIT = 50
_SAMPLE_FIELDS = frozenset({"metric", "labels", "timestamp", "value", "source", "unit", "kind"})
_EVENT_FIELDS = frozenset({"timestamp", "source", "text", "labels"})
_SOURCES: frozenset[object] = frozenset(get_args(SourceName))
_KINDS: frozenset[object] = frozenset(get_args(SeriesKind))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class TooManyItems(AnalystError):
    """The request holds more items than one may; it is refused whole."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An item that was refused: its number in the request, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedSamples:
    """The samples of a request.

    Args:
        batch: accepted samples in the order of the request.
        positions: shape (len(batch),), the number in the request of each accepted sample.
        rejected: the others, ascending by index.
    """

    batch: SampleBatch
    positions: IntArray
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class ParsedEvents:
    """The events of a request; `positions[i]` is the number in the request of `events[i]`."""

    events: tuple[Event, ...]
    positions: tuple[int, ...]
    rejected: tuple[Rejection, ...]


def parse_samples(
    body: bytes, now: datetime, *, ndjson: bool = False, step_s: int = 300, max_items: int = MAX_ITEMS
) -> ParsedSamples:
    """Read the body of `POST /samples`.

    Args:
        body: as received, decompressed.
        now: samples over 10 minutes later are refused one by one.
        ndjson: one sample per line instead of `{"samples": [...]}`.
        step_s: width of the grid cells of series that are not registered yet.
        max_items: a request with more is refused whole.

    Raises:
        UnparseableBody: not JSON; nothing of it may be stored.
        InvalidInput: JSON of another shape.
        TooManyItems: more than `max_items`.
    """
    latest = to_microseconds(now + MAX_FUTURE)
    columns = _Columns()
    rejected = []
    for index, item in enumerate(_items(body, "samples", ndjson=ndjson, max_items=max_items)):
        try:
            columns.add(index, *_sample(item, step_s, latest))
        except InvalidInput as error:
            rejected.append(Rejection(index, str(error)))
    return ParsedSamples(columns.batch(), np.array(columns.positions, dtype=np.int64), tuple(rejected))


def parse_events(
    body: bytes, now: datetime, *, ndjson: bool = False, max_items: int = MAX_ITEMS
) -> ParsedEvents:
    """Read the body of `POST /events`; arguments and errors as for `parse_samples`."""
    events, positions, rejected = [], [], []
    for index, item in enumerate(_items(body, "events", ndjson=ndjson, max_items=max_items)):
        try:
            events.append(_event(item, now))
            positions.append(index)
        except InvalidInput as error:
            rejected.append(Rejection(index, str(error)))
    return ParsedEvents(tuple(events), tuple(positions), tuple(rejected))


class _Columns:
    def __init__(self) -> None:
        self.positions: list[int] = []
        self._rows: dict[SeriesKey, int] = {}
        self._series: list[Series] = []
        self._index: list[int] = []
        self._timestamps: list[int] = []
        self._values: list[float] = []

    def add(self, position: int, series: Series, timestamp: int, value: float) -> None:
        row = self._rows.get(series.key)
        if row is None:
            row = self._rows[series.key] = len(self._series)
            self._series.append(series)
        self.positions.append(position)
        self._index.append(row)
        self._timestamps.append(timestamp)
        self._values.append(value)

    def batch(self) -> SampleBatch:
        return SampleBatch(
            tuple(self._series),
            np.array(self._index, dtype=np.int64),
            np.array(self._timestamps, dtype=np.int64),
            np.array(self._values, dtype=np.float64),
        )


def _items(body: bytes, key: str, *, ndjson: bool, max_items: int) -> Iterator[object]:
    found: Iterable[object] = parse_lines(body) if ndjson else _listed(parse_json(body), key)
    for number, item in enumerate(found):
        if number >= max_items:
            raise TooManyItems(f"a request may hold {max_items} {key}")
        yield item
    # An empty NDJSON body is as unusable as an empty JSON one.
    if ndjson and not body.strip():
        raise UnparseableBody("the body is empty")


def _listed(document: object, key: str) -> list[object]:
    if not isinstance(document, dict) or key not in document:
        raise InvalidInput(key, f'the body must be {{"{key}": [...]}}')
    unknown = sorted(document.keys() - {key})
    if unknown:
        raise InvalidInput(_shown(unknown[0]), "is not a known field")
    found = document[key]
    if not isinstance(found, list):
        raise InvalidInput(key, "must be a list")
    return found


def _fields(item: object, known: frozenset[str], noun: str) -> Mapping[str, object]:
    if not isinstance(item, dict):
        raise InvalidInput(noun, "must be an object")
    unknown = item.keys() - known
    if unknown:
        raise InvalidInput(_shown(min(unknown)), "is not a known field")
    return item


def _sample(item: object, step_s: int, latest: int) -> tuple[Series, int, float]:
    fields = _fields(item, _SAMPLE_FIELDS, "sample")
    metric = fields.get("metric")
    if not isinstance(metric, str):
        raise InvalidInput("metric", "must be a text")
    source = _choice("source", fields.get("source"), _SOURCES, "trading_metrics")
    kind = _choice("kind", fields.get("kind"), _KINDS, "gauge")
    labels = tuple(_labels(fields.get("labels")).items())
    series = _series(metric, labels, source, _unit(fields.get("unit")), kind, step_s)
    timestamp = _micros(_text(fields, "timestamp"))
    if timestamp > latest:
        raise InvalidTimestamp("timestamp", "is more than 10 minutes in the future")
    return series, timestamp, check_value(fields.get("value"))


@lru_cache(maxsize=50_000)
def _series(
    metric: str, labels: tuple[tuple[str, str], ...], source: str, unit: str, kind: str, step_s: int
) -> Series:
    key = SeriesKey.of(metric, dict(labels))
    return Series(0, key, source, unit, step_s, kind)  # type: ignore[arg-type] # both checked by the caller


@lru_cache(maxsize=10_000)
def _micros(text: str) -> int:
    micros = to_microseconds(parse_rfc3339(text))
    if micros < 0:
        raise InvalidTimestamp("timestamp", "is before 1970")
    return micros


def _event(item: object, now: datetime) -> Event:
    fields = _fields(item, _EVENT_FIELDS, "event")
    timestamp = check_range(parse_rfc3339(_text(fields, "timestamp")), now)
    if fields.get("source") is None:
        raise InvalidInput("source", "is missing")
    source = _choice("source", fields["source"], _SOURCES, "")
    text = _text(fields, "text")
    if not text.strip():
        raise InvalidInput("text", "must not be blank")
    if len(text) > MAX_TEXT:
        raise InvalidInput("text", f"is longer than {MAX_TEXT} characters")
    if _CONTROL.search(text):
        raise InvalidInput("text", "contains control characters")
    labels = _labels(fields.get("labels"))
    SeriesKey.of("event", labels)
    return Event(timestamp=timestamp, source=source, text=text, labels=labels)


def _labels(raw: object) -> dict[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InvalidInput("labels", "must be an object of texts")
    for name, value in raw.items():
        if not isinstance(value, str):
            raise InvalidInput(f"labels.{_shown(name)}", "must be a text")
    return raw


def _unit(raw: object) -> str:
    if raw is None or raw == "":
        return ""
    if not isinstance(raw, str):
        raise InvalidInput("unit", "must be a text")
    return check_text("unit", raw, _MAX_UNIT)


def _choice(field: str, raw: object, known: frozenset[object], default: str) -> str:
    if raw is None:
        return default
    if not isinstance(raw, str) or raw not in known:
        raise InvalidInput(field, f"must be one of {', '.join(sorted(map(str, known)))}")
    return raw


def _text(fields: Mapping[str, object], name: str) -> str:
    raw = fields.get(name)
    if not isinstance(raw, str):
        raise InvalidInput(name, "is missing" if raw is None else "must be a text")
    return raw


def _shown(name: object) -> str:
    """A caller's own key, short and printable, so that an answer never echoes a surrogate."""
    return repr(str(name)[:50].encode("ascii", "backslashreplace").decode())
