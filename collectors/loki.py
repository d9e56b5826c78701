"""Grafana Loki: lines by its API `query_range`, page by page, and into the book of lines."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from collectors.answers import as_json, beginning, in_shape
from collectors.collector import Collected, Position
from collectors.gate import clean_text
from collectors.http import Answer, HttpReader
from collectors.log_book import LogBook, line_parser
from collectors.loglines import Line, level_of
from collectors.settings_logs import LokiSource
from domain.errors import SourceError
from domain.timestamps import from_microseconds, to_microseconds

_PATH = "/loki/api/v1/query_range"
_MOST_SEEN = 5_000
_MOST_PAGES_BACK = 50


@dataclass(frozen=True, slots=True)
class LokiLine:
    """A line with its time in nanoseconds and the labels of its stream."""

    nanos: int
    text: str
    labels: Mapping[str, str]

    @property
    def key(self) -> str:
        """Identity among lines of the same time."""
        content = repr((self.nanos, self.text, sorted(self.labels.items())))
        return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]


class LokiCollector:
    """Reads [position, now - delay) in the order of time.

    A page ends at the server's limit, in the middle of lines of the same nanosecond if need be; the next one
    starts at that nanosecond again and leaves out what was seen.
    """

    kind = "loki"

    def __init__(self, settings: LokiSource, http: HttpReader) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._parser = line_parser(settings)

    @classmethod
    def of(cls, settings: LokiSource, environ: Mapping[str, str]) -> Self:
        """Look up the secrets; raises ConfigurationError where one is missing."""
        if settings.tenant_env:
            by_env = {**settings.headers_env, "X-Scope-OrgID": settings.tenant_env}
            settings = settings.model_copy(update={"headers_env": by_env})
        return cls(
            settings, HttpReader.of(settings.model_copy(update={"headers": settings.fixed_headers}), environ)
        )

    def collect(self, since: Position, now: datetime) -> Collected:
        end = _nanos(now - timedelta(seconds=self._settings.delay_seconds))
        start = min(self._start(since, now), end)
        book = LogBook(self._settings, since.cursor, now)
        seen = list(since.cursor.get("seen", ()))
        deadline = time.monotonic() + 0.8 * self._settings.deadline_seconds
        if self._settings.direction == "backward":
            lines, more = self._backward(start, end, book, deadline), False
        else:
            lines, more = self._page(start, end, book, deadline)
        known = set(seen)
        fresh = [line for line in lines if line.key not in known]
        for line in fresh:
            self._enter(line, book)
        start, seen = self._next(start, end, lines, seen, book) if more else (end, [])
        book.close(book.cell_of(start // 1_000))
        book.caught_up = book.caught_up or not more
        place = {"from": str(start), "seen": seen[-_MOST_SEEN:]}
        watermark = since.watermark if more else from_microseconds(end // 1_000)
        self._http.clock.note(book.intake, self.name, now)
        return Collected(
            book.intake.batch(),
            tuple(book.events),
            Position(watermark, {**place, **book.as_json()}),
            book.intake.notes(),
            more,
        )

    def _start(self, since: Position, now: datetime) -> int:
        oldest = _nanos(now - timedelta(hours=self._settings.backfill_hours))
        if "from" in since.cursor:
            return max(int(since.cursor["from"]), oldest)
        return oldest if since.watermark is None else max(_nanos(since.watermark), oldest)

    def _next(
        self, start: int, end: int, lines: Sequence[LokiLine], seen: Sequence[str], book: LogBook
    ) -> tuple[int, list[str]]:
        """Where the next page starts, and what of it is known."""
        last = lines[-1].nanos
        if last > start:
            return last, [line.key for line in lines if line.nanos == last]
        keys = [*seen, *(line.key for line in lines)]
        if set(keys) != set(seen):
            return start, list(dict.fromkeys(keys))
        # More lines of one nanosecond than a page holds: the rest cannot be asked for.
        book.intake.skip("lines of one nanosecond are more than a page holds: some are missing")
        return min(start + 1, end), []

    def _backward(self, start: int, end: int, book: LogBook, deadline: float) -> list[LokiLine]:
        """All lines of the span, asked for from the newest on; what does not fit is missing and noted."""
        found: dict[str, LokiLine] = {}
        for _ in range(_MOST_PAGES_BACK):
            lines, more = self._page(start, end, book, deadline)
            known = len(found)
            found |= {line.key: line for line in lines}
            if not more:
                break
            oldest = lines[0].nanos
            end = oldest + 1 if len(found) > known else oldest
            if end <= start:
                break
        else:
            book.intake.skip("pages left out: more lines in one read than fit, the oldest are missing")
        return sorted(found.values(), key=lambda line: line.nanos)

    def _page(self, start: int, end: int, book: LogBook, deadline: float) -> tuple[list[LokiLine], bool]:
        if start >= end:
            return [], False
        limit = self._settings.page_lines
        answer = self._http.get(
            _PATH,
            {
                "query": self._settings.query,
                "start": str(start),
                "end": str(end),
                "limit": str(limit),
                "direction": self._settings.direction,
            },
            accept="application/json",
            deadline=deadline,
            error_bodies=True,
        )
        lines = self._lines(answer)
        # A line of another time must not carry the position away from what is still to be read.
        kept = [line for line in lines if start <= line.nanos < end]
        if not kept and len(lines) >= limit:
            raise SourceError(self.name, "a whole page of lines is of another time than was asked for")
        if len(kept) < len(lines):
            book.intake.skip("answers with lines of another time than was asked for: they are left out")
        return kept, len(lines) >= limit

    def _lines(self, answer: Answer) -> list[LokiLine]:
        if answer.status >= 400:
            said = beginning(answer, 200)
            raise SourceError(self.name, f"refused the query (HTTP {answer.status}): {said}", permanent=True)
        document = as_json(answer, self.name)
        lines = in_shape(self.name, "the answer", lambda: _read(document))
        return sorted(lines, key=lambda line: line.nanos)

    def _enter(self, line: LokiLine, book: LogBook) -> None:
        parsed = self._parser.parse(line.text)
        if parsed is None:
            return
        level = next((line.labels[name] for name in self._settings.level_labels if name in line.labels), None)
        if level and not parsed.names_level:
            parsed = replace(parsed, level=level_of(level))
        named = (line.labels[name] for name in self._settings.component_labels if name in line.labels)
        component = clean_text(next(named, ""), 100)
        if component and component != "unknown_service":
            parsed = Line(parsed.micros, parsed.level, component, parsed.message, parsed.names_level)
        book.enter(parsed, line.nanos // 1_000, self.name)


def _read(document: Mapping[str, Any]) -> list[LokiLine]:
    """Lines of an answer; raises KeyError, TypeError or ValueError where it is of another shape."""
    data = document["data"]
    if document["status"] != "success" or data["resultType"] != "streams":
        raise ValueError("is no list of streams")
    found = []
    for stream in data["result"]:
        labels = {str(name): str(value) for name, value in stream["stream"].items()}
        for nanos, text, *extra in stream["values"]:
            more = extra[0] if extra and isinstance(extra[0], dict) else {}
            structured = more.get("structuredMetadata", more)
            both = {**labels, **{str(k): str(v) for k, v in structured.items() if isinstance(v, str)}}
            if not isinstance(text, str):
                raise TypeError("a line is no text")
            found.append(LokiLine(int(nanos), text, both))
    return found


def _nanos(instant: datetime) -> int:
    return to_microseconds(instant) * 1_000
