"""Range queries against a Prometheus server, page by page, each query on its own grid."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from collectors.answers import as_json, in_shape, quoted
from collectors.collector import Collected, Position
from collectors.gate import clean_text
from collectors.http import AnswerTooLarge, HttpReader
from collectors.intake import Intake
from collectors.settings import PrometheusQuery, PrometheusSource
from domain.errors import SourceError
from domain.series import floor_to_step

_PATH = "/api/v1/query_range"
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Page:
    """The stretch (start, end] of one page."""

    start: datetime
    end: datetime
    notes: tuple[str, ...]
    more: bool


class PrometheusCollector:
    """Asks every configured query for the stretch since the watermark.

    A page whose answer is too long is asked again in halves, so that a backfill of many series gets through.
    """

    kind = "prometheus"

    def __init__(self, settings: PrometheusSource, http: HttpReader) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._steps = [query.step_seconds or settings.step for query in settings.queries]
        self._points = settings.page_points

    @classmethod
    def of(cls, settings: PrometheusSource, environ: Mapping[str, str]) -> Self:
        return cls(settings, HttpReader.of(settings, environ))

    def collect(self, since: Position, now: datetime) -> Collected:
        deadline = time.monotonic() + self._settings.deadline_seconds
        while True:
            page = self._page(since, now)
            intake = Intake(self._settings)
            try:
                for query, step in zip(self._settings.queries, self._steps, strict=True):
                    self._ask(query, step, page, intake, deadline)
            except AnswerTooLarge:
                if self._points == 1:
                    raise
                self._points //= 2
                continue
            if not page.more:
                # What was too long once may have been a bad moment of the server's.
                self._points = min(2 * self._points, self._settings.page_points)
            self._http.clock.note(intake, self.name, now)
            return Collected(
                intake.batch(), (), Position(page.end), (*page.notes, *intake.notes()), more=page.more
            )

    def _page(self, since: Position, now: datetime) -> _Page:
        end = now - timedelta(seconds=self._settings.delay_seconds)
        oldest = end - timedelta(hours=self._settings.backfill_hours)
        start = since.watermark or oldest
        notes: tuple[str, ...] = ()
        if start < oldest:
            start = oldest
            notes = (f"nothing asked for before {oldest:%Y-%m-%d %H:%M} UTC: backfill_hours",)
        longest = timedelta(seconds=self._points * min(self._steps))
        if end - start > longest:
            return _Page(start, start + longest, notes, more=True)
        return _Page(start, max(start, end), notes, more=False)

    def _ask(self, query: PrometheusQuery, step: int, page: _Page, intake: Intake, deadline: float) -> None:
        first = floor_to_step(page.start, step) + timedelta(seconds=step)
        last = floor_to_step(page.end, step)
        if first > last:
            return
        params = {
            "query": query.query,
            "start": f"{first.timestamp():.0f}",
            "end": f"{last.timestamp():.0f}",
            "step": str(step),
        }
        answer = self._http.get(
            _PATH, params, accept="application/json", deadline=deadline, error_bodies=True
        )
        document = as_json(answer, self.name)
        if document.get("status") != "success":
            why = quoted(document.get("error", "no reason given"), answer, 200)
            shown = clean_text(query.query, 80)
            raise SourceError(self.name, f"the query {shown!r} was refused: {why}", permanent=True)
        in_shape(self.name, "the answer", lambda: _take(document, query, step, intake))


def _take(document: Mapping[str, Any], query: PrometheusQuery, step: int, intake: Intake) -> None:
    data = document["data"]
    if data["resultType"] != "matrix":
        raise ValueError(data["resultType"])
    for one in data["result"]:
        labels = {str(name): str(value) for name, value in one["metric"].items()}
        metric = query.metric or labels.get("__name__")
        if metric is None:
            intake.skip("series refused: the query drops the name; set `metric`")
            continue
        row = intake.row(
            metric,
            _renamed(labels, query),
            kind=query.kind,
            unit=query.unit,
            source=query.source,
            step_s=step,
        )
        for seconds, value in one.get("values", ()):
            if not isinstance(seconds, int | float):
                raise TypeError("is no time")
            intake.add(row, round(seconds * _MICROS), value)


def _renamed(labels: Mapping[str, str], query: PrometheusQuery) -> dict[str, str]:
    kept = {}
    for name, value in labels.items():
        renamed = query.labels.get(name, name)
        wanted = query.keep_labels is None or name in query.keep_labels or name in query.labels
        if name != "__name__" and renamed and wanted and value:
            kept[renamed] = value
    return kept
