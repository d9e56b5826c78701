"""CSV files that are dropped into a folder or grow at their end, wide or long, plain or gzip."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from collectors.collector import Collected, Position
from collectors.csv_rows import csv_rows
from collectors.gate import clean_text, read_micros, read_number
from collectors.intake import Intake
from collectors.settings import CsvSource
from collectors.tail import Mark, first_line, matching_files, read_tail, split_lines
from domain.errors import InvalidInput, InvalidTimestamp, SourceError
from domain.series import SeriesKey
from domain.timestamps import from_microseconds


class CsvCollector:
    """Reads the lines that were added since the last read; a file that was replaced is read anew."""

    kind = "csv"

    def __init__(self, settings: CsvSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._zone = ZoneInfo(settings.timezone)

    def collect(self, since: Position, now: datetime) -> Collected:
        paths = matching_files(self._settings.paths)
        if not paths:
            raise SourceError(self.name, f"no file matches {', '.join(self._settings.paths)}")
        marks = dict(since.cursor.get("files", {}))
        intake = Intake(self._settings)
        budget, more = self._settings.max_bytes, False
        for path in paths:
            if budget <= 0 or len(intake) >= self._settings.max_samples:
                more = True
                break
            read, unfinished = self._read(path, marks, budget, intake)
            budget -= read
            more = more or unfinished
        if not more and not len(intake) and any("refused" in reason for reason in intake.left_out):
            # The marks stay, so that all is read again once some of it makes sense.
            raise SourceError(
                self.name, f"nothing can be used: {'; '.join(intake.notes()[:2])}", permanent=True
            )
        newest = intake.newest
        # A row of the future must not make the source look fresh when it falls silent.
        reached = since.watermark if newest is None else min(from_microseconds(newest), now)
        kept = {str(path): marks[str(path)] for path in paths if str(path) in marks}
        return Collected(intake.batch(), (), Position(reached, {"files": kept}), intake.notes(), more)

    def _read(self, path: Path, marks: dict[str, object], budget: int, intake: Intake) -> tuple[int, bool]:
        """Read one file into the intake; returns the bytes read and whether there are more."""
        before = marks.get(str(path))
        mark = Mark.of_json(before) if isinstance(before, list) else None
        try:
            tail = read_tail(path, mark, budget)
            if tail.data:
                header = self._header(path)
                lines = split_lines(tail.data)
                if mark is None or tail.restarted:
                    next(lines)
                self._take(header, lines, intake)
        except (OSError, InvalidInput, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            intake.skip(f"files refused: {path.name}: {clean_text(reason, 100)}")
            return 0, False
        marks[str(path)] = tail.mark.as_json()
        return len(tail.data), tail.more

    def _header(self, path: Path) -> list[str]:
        names = next(csv.reader([first_line(path)], delimiter=self._settings.delimiter), [])
        if not any(names):
            raise InvalidInput("header", "is empty")
        return [name.strip() for name in names]

    def _take(self, header: Sequence[str], lines: Iterator[str], intake: Intake) -> None:
        time_column = self._column(header, self._settings.time_column or header[0])
        rows = self._rows(header, lines, intake)
        if self._settings.layout == "wide":
            self._take_wide(header, time_column, rows, intake)
        else:
            self._take_long(header, time_column, rows, intake)

    def _rows(self, header: Sequence[str], lines: Iterator[str], intake: Intake) -> Iterator[list[str]]:
        return csv_rows(lines, self._settings.delimiter, len(header), intake.skip)

    def _take_wide(
        self, header: Sequence[str], time_column: int, rows: Iterator[list[str]], intake: Intake
    ) -> None:
        columns = [i for i in range(len(header)) if i != time_column]
        series = np.array([self._series(header[i], intake) for i in columns], dtype=np.int64)
        times: list[int] = []
        values: list[list[float]] = []
        for row in rows:
            micros = self._time(row[time_column], intake)
            if micros is not None:
                times.append(micros)
                values.append([_number(row[i]) for i in columns])
        if not values:
            return
        table = np.array(values, dtype=np.float64)
        filled = np.isfinite(table) & (series >= 0)
        at, column = np.nonzero(filled)
        intake.add_block(series[column], np.array(times, dtype=np.int64)[at], table[filled])

    def _series(self, name: str, intake: Intake) -> int:
        """The row of a column `metric`, `component|metric` or `metric{label="value"}`; -1 if unusable."""
        component, bar, metric = name.partition("|")
        try:
            key = SeriesKey.of(metric, {"component": component}) if bar else SeriesKey.parse(name)
        except InvalidInput as error:
            intake.skip(f"columns refused: {error.reason}")
            return -1
        kind = "counter" if key.metric in self._settings.counters else "gauge"
        row = intake.row(key.metric, dict(key.labels), kind=kind)  # type: ignore[arg-type]
        return -1 if row is None else row

    def _take_long(
        self, header: Sequence[str], time_column: int, rows: Iterator[list[str]], intake: Intake
    ) -> None:
        settings = self._settings
        value = self._column(header, settings.value_column)
        metric = None if settings.metric else self._column(header, settings.metric_column)
        labels: Mapping[str, int] = {name: self._column(header, name) for name in settings.label_columns}
        for row in rows:
            micros = self._time(row[time_column], intake)
            if micros is not None:
                name = settings.metric or (row[metric] if metric is not None else "")
                kind = "counter" if name in settings.counters else "gauge"
                found = {label: row[i] for label, i in labels.items() if row[i]}
                intake.add(intake.row(name, found, kind=kind), micros, row[value])  # type: ignore[arg-type]

    def _column(self, header: Sequence[str], name: str) -> int:
        if name not in header:
            raise InvalidInput(name, f"is no column; there are: {', '.join(header)[:80]}")
        return header.index(name)

    def _time(self, raw: str, intake: Intake) -> int | None:
        try:
            return read_micros(raw, self._zone, self._settings.time_unit)
        except InvalidTimestamp:
            intake.skip("rows refused: the time is not a time")
            return None


def _number(raw: str) -> float:
    """A field of a wide row; NaN where it is a gap."""
    if not raw:
        return math.nan
    number = read_number(raw)
    return math.nan if number is None else number
