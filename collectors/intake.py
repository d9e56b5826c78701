"""Collects what one page of a source holds into columns, and counts what had to be left out."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from collectors.gate import EARLIEST, LATEST, read_number
from collectors.settings_base import SourceBase
from domain.errors import InvalidInput
from domain.series import FloatArray, IntArray, SampleBatch, Series, SeriesKey, SeriesKind, SourceName
from domain.timestamps import to_microseconds


class Intake:
    """Builds the samples of one page.

    Args:
        settings: of the source: labels to add, units, kinds of data, bounds.
    """

    def __init__(self, settings: SourceBase) -> None:
        self._settings = settings
        self._rows: dict[tuple[str, tuple[tuple[str, str], ...]], int | None] = {}
        self._keys: dict[SeriesKey, int] = {}
        self._series: list[Series] = []
        self._index: list[int] = []
        self._timestamps: list[int] = []
        self._values: list[float] = []
        self._blocks: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.left_out: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._index) + sum(len(index) for index, _, _ in self._blocks)

    def row(
        self,
        metric: str,
        labels: Mapping[str, str],
        *,
        kind: SeriesKind = "gauge",
        unit: str | None = None,
        source: SourceName | None = None,
        step_s: int | None = None,
    ) -> int | None:
        """The number of a series in this page, or None where its name is unusable or one too many."""
        cache_key = (metric, tuple(labels.items()))
        if cache_key in self._rows:
            return self._rows[cache_key]
        try:
            key = SeriesKey.of(metric, {**labels, **self._settings.labels})
        except InvalidInput as error:
            self.left_out[f"series refused: {error.field} {error.reason}"] += 1
            self._rows[cache_key] = None
            return None
        if key not in self._keys and len(self._series) >= self._settings.max_series:
            self.left_out[f"series refused: more than max_series = {self._settings.max_series}"] += 1
            self._rows[cache_key] = None
            return None
        number = self._keys.setdefault(key, len(self._series))
        if number == len(self._series):
            self._series.append(
                Series(
                    0,
                    key,
                    self._settings.source_of(metric, source),
                    self._settings.unit_of(metric, unit),
                    step_s or self._settings.step,
                    kind,
                )
            )
        self._rows[cache_key] = number
        return number

    def add(self, row: int | None, micros: int, raw: object) -> None:
        """Add one value; what is empty, NaN, infinite or no number is a gap and only counted."""
        if row is None:
            return
        value = read_number(raw)
        if value is None:
            self.left_out["values are gaps (empty, NaN, infinite or no number)"] += 1
            return
        if not EARLIEST <= micros <= LATEST:
            self.left_out["samples refused: their time is outside the years 1 to 9999"] += 1
            return
        self._index.append(row)
        self._timestamps.append(micros)
        self._values.append(value)

    def add_block(self, rows: IntArray, micros: IntArray, values: FloatArray) -> None:
        """Add many finite values at once; all of shape (n,), rows as `row` numbered them."""
        self._blocks.append((rows, micros, values))

    def skip(self, reason: str) -> None:
        """Count something that cannot be used."""
        self.left_out[reason] += 1

    def add_at(self, row: int | None, at: datetime, raw: object) -> None:
        self.add(row, to_microseconds(at), raw)

    @property
    def newest(self) -> int | None:
        """The latest time so far, in microseconds since 1970."""
        times = [max(self._timestamps)] if self._timestamps else []
        times += [int(micros.max()) for _, micros, _ in self._blocks if len(micros)]
        return max(times, default=None)

    def batch(self) -> SampleBatch:
        single = (
            np.array(self._index, dtype=np.int64),
            np.array(self._timestamps, dtype=np.int64),
            np.array(self._values, dtype=np.float64),
        )
        index, timestamps, values = map(np.concatenate, zip(*self._blocks, single, strict=True))
        # A series of nothing but gaps has not been seen yet.
        used, renumbered = np.unique(index, return_inverse=True)
        series = tuple(self._series[i] for i in used)
        return SampleBatch(series, renumbered.astype(np.int64), timestamps, values)

    def notes(self) -> tuple[str, ...]:
        """One sentence per reason for which something was left out."""
        return tuple(f"{count} {reason}" for reason, count in self.left_out.most_common(10))
