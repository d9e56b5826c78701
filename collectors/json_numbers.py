"""Numbers in any JSON that an address answers, found by path expressions."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

import jmespath

from collectors.answers import as_document
from collectors.collector import Collected, Position
from collectors.gate import read_micros, read_number
from collectors.http import HttpReader
from collectors.intake import Intake
from collectors.settings_json import JsonNumber, JsonSource
from domain.errors import InvalidTimestamp, SourceError
from domain.timestamps import from_microseconds, to_microseconds

_LONGEST_LABEL = 500


class JsonCollector:
    """Reads one answer and takes every configured number out of it; what has no time is of now."""

    kind = "json"

    def __init__(self, settings: JsonSource, http: HttpReader) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._numbers = [_Reader(number, settings) for number in settings.numbers]

    @classmethod
    def of(cls, settings: JsonSource, environ: Mapping[str, str]) -> Self:
        return cls(settings, HttpReader.of(settings, environ))

    def collect(self, since: Position, now: datetime) -> Collected:
        deadline = time.monotonic() + self._settings.deadline_seconds
        document = as_document(self._http.get(accept="application/json", deadline=deadline), self.name)
        intake = Intake(self._settings)
        for number in self._numbers:
            number.take(document, intake, now)
        if not len(intake):
            why = "; ".join(intake.notes()[:2]) or "the lists are empty"
            raise SourceError(self.name, f"no number was found: {why}", permanent=True)
        newest = from_microseconds(min(intake.newest or 0, to_microseconds(now)))
        reached = newest if since.watermark is None else max(since.watermark, newest)
        return Collected(intake.batch(), (), Position(reached), intake.notes())


class _Reader:
    """Takes one configured number out of an answer."""

    def __init__(self, number: JsonNumber, settings: JsonSource) -> None:
        self._number = number
        self._source = settings.name
        self._max_rows = settings.max_rows
        self._zone = ZoneInfo(number.timezone)
        self._value = jmespath.compile(number.value)
        self._rows = jmespath.compile(number.rows) if number.rows else None
        self._time = jmespath.compile(number.time) if number.time else None
        self._labels = {name: jmespath.compile(path) for name, path in number.label_paths.items()}

    def take(self, document: object, intake: Intake, now: datetime) -> None:
        """Add what is found to the intake; what is not is counted there with its reason."""
        for row in self._found_rows(document, intake):
            try:
                self._take(row, intake, now)
            except jmespath.exceptions.JMESPathError as error:
                intake.skip(f"rows refused: {self._number.metric}: {type(error).__name__}")

    def _found_rows(self, document: object, intake: Intake) -> list[Any]:
        if self._rows is None:
            return [document]
        try:
            rows = self._rows.search(document)
        except jmespath.exceptions.JMESPathError as error:
            rows = type(error).__name__
        if not isinstance(rows, list):
            intake.skip(f"lists not found: {self._number.metric}: {self._number.rows}")
            return []
        if len(rows) > self._max_rows:
            intake.skip(f"lists cut: {self._number.metric}: more than max_rows = {self._max_rows} rows")
        return rows[: self._max_rows]

    def _take(self, row: object, intake: Intake, now: datetime) -> None:
        number = self._number
        found = self._value.search(row)
        if isinstance(found, list | dict):
            intake.skip(f"values refused: {number.metric}: {number.value} finds no single number")
            return
        try:
            at = self._at(row, now)
        except InvalidTimestamp:
            intake.skip(f"rows refused: {number.metric}: {number.time} finds no time")
            return
        labels = {name: path.search(row) for name, path in self._labels.items()}
        named = {
            name: str(value)[:_LONGEST_LABEL]
            for name, value in labels.items()
            if isinstance(value, str | int | float) and value != ""
        }
        value = read_number(found)
        if value is None:
            intake.skip(f"values are gaps: {number.metric}: {number.value} finds no number")
            return
        key = intake.row(
            number.metric,
            {**number.labels, **named},
            kind=number.kind,
            unit=number.unit,
            step_s=number.step_seconds,
        )
        intake.add(key, at, value * number.factor)

    def _at(self, row: object, now: datetime) -> int:
        if self._time is None:
            return to_microseconds(now)
        return read_micros(self._time.search(row), self._zone, self._number.time_unit)
