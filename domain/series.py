"""Series, samples and the two-dimensional window on which detection and evidence work."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from domain.timestamps import from_microseconds, to_microseconds

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SourceName = Literal[
    "pnl_data", "trading_metrics", "market_data", "system_metrics", "system_logs", "news", "events"
]
SeriesKind = Literal["gauge", "counter"]

MAX_NAME = 200
MAX_LABELS = 32
MAX_LABEL_VALUE = 500
MAX_MAGNITUDE = 1e300
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_QUOTED_METRIC = re.compile(r'"((?:[^"\\]|\\.)*)"(?:,|$)')
_QUOTED = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)', re.ASCII)


def check_text(field_name: str, text: str, longest: int) -> str:
    """Return the text, or raise InvalidInput where it is blank, too long or has control characters."""
    if not text.strip():
        raise InvalidInput(field_name, "must not be blank")
    if len(text) > longest:
        raise InvalidInput(field_name, f"is longer than {longest} characters")
    if _UNPRINTABLE.search(text):
        raise InvalidInput(field_name, "contains control characters")
    return text


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """A metric name with sorted labels: the identity of a series, as in the Prometheus data model."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, metric: str, labels: Mapping[str, str] | None = None) -> Self:
        """Build a key from untrusted text; raises InvalidInput naming the field that is unusable."""
        check_text("metric", metric, MAX_NAME)
        pairs = tuple(sorted((labels or {}).items()))
        if len(pairs) > MAX_LABELS:
            raise InvalidInput("labels", f"has more than {MAX_LABELS} labels")
        for name, value in pairs:
            if len(name) > MAX_NAME or not _LABEL_NAME.fullmatch(name):
                raise InvalidInput("labels", "label names are letters, digits and underscores")
            check_text(f"labels.{name}", value, MAX_LABEL_VALUE)
        return cls(metric, pairs)

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read the canonical text back, for example `pnl{strategy="mm_btc"}`; raises InvalidInput."""
        metric, brace, rest = name.partition("{")
        if not brace:
            return cls.of(metric)
        body = rest.removesuffix("}")
        quoted = None if metric else _QUOTED_METRIC.match(body)
        if quoted is not None:
            metric, body = _unescape(quoted[1]), body[quoted.end() :]
        found = list(_QUOTED.finditer(body))
        if not rest.endswith("}") or "".join(match[0] for match in found) != body:
            raise InvalidInput("series", 'labels must read like {strategy="mm_btc",venue="bybit"}')
        return cls.of(metric, {match[1]: _unescape(match[2]) for match in found})

    @property
    def name(self) -> str:
        """The canonical text of the key: `pnl{strategy="mm_btc"}`, and `{"a{b",strategy="mm_btc"}`.

        A metric name with a brace is quoted inside the braces, as Prometheus writes such names.
        """
        labels = [f'{name}="{_escape(value)}"' for name, value in self.labels]
        if "{" in self.metric:
            labels = [f'"{_escape(self.metric)}"', *labels]
            return f"{{{','.join(labels)}}}"
        return f"{self.metric}{{{','.join(labels)}}}" if labels else self.metric

    def label(self, name: str) -> str | None:
        """The value of one label, or None."""
        return dict(self.labels).get(name)


def metric_of(name: str) -> str:
    """The metric in a canonical name; the whole text where it is none."""
    try:
        return name.partition("{")[0] or SeriesKey.parse(name).metric
    except InvalidInput:
        return name


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


@dataclass(frozen=True, slots=True)
class Series:
    """A registered series.

    Args:
        id: the number that storage gave it; 0 before it is stored.
        key: its identity.
        source: which kind of source it came from.
        unit: unit of the values, such as `USD`, `ms`, `ratio`; empty where unknown.
        step_s: width of its grid cells in seconds.
        kind: `counter` series are turned into increases per cell in a window; resets are recognised.
    """

    id: int
    key: SeriesKey
    source: SourceName = "trading_metrics"
    unit: str = ""
    step_s: int = 300
    kind: SeriesKind = "gauge"

    @property
    def name(self) -> str:
        return self.key.name


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples of many series as columns.

    `series[i]` describes the series that `index == i` refers to. Rows are in arrival order: of two rows
    with the same series and time the later one wins.

    Args:
        series: distinct series, length k.
        index: shape (n,), integers in [0, k).
        timestamps: shape (n,), microseconds since 1970.
        values: shape (n,), finite.
    """

    series: tuple[Series, ...]
    index: IntArray
    timestamps: IntArray
    values: FloatArray

    @classmethod
    def of(cls, samples: Iterable[tuple[Series, datetime, float]]) -> Self:
        """Build a batch from single samples in arrival order."""
        positions: dict[SeriesKey, int] = {}
        series: list[Series] = []
        rows: list[tuple[int, int, float]] = []
        for one, timestamp, value in samples:
            if one.key not in positions:
                positions[one.key] = len(series)
                series.append(one)
            rows.append((positions[one.key], to_microseconds(timestamp), value))
        return cls(
            tuple(series),
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
            np.array([row[2] for row in rows], dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[tuple[Series, datetime, float]]:
        for i, timestamp, value in zip(self.index, self.timestamps, self.values, strict=True):
            yield self.series[int(i)], from_microseconds(int(timestamp)), float(value)


@dataclass(frozen=True, slots=True)
class Window:
    """The recent past of many series on one regular grid.

    Column j holds what was measured in [time_at(j), time_at(j) + step_s); the last sample of a cell wins.
    NaN is a gap. Counters are already increases per cell.

    Args:
        series: length n_series, in a stable order.
        step_s: width of a column in seconds.
        start: the time of column 0, a multiple of step_s since 1970.
        values: shape (n_series, n_steps).
    """

    series: tuple[Series, ...]
    step_s: int
    start: datetime
    values: FloatArray
    positions: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise InvalidInput("start", "must have an offset")
        if self.values.shape[0] != len(self.series):
            raise InvalidInput("values", f"{self.values.shape[0]} rows for {len(self.series)} series")
        positions = {one.name: i for i, one in enumerate(self.series)}
        object.__setattr__(self, "positions", positions)

    @property
    def n_steps(self) -> int:
        return int(self.values.shape[1])

    @property
    def end(self) -> datetime:
        """The end of the last column (exclusive)."""
        return self.time_at(self.n_steps)

    def time_at(self, column: int) -> datetime:
        """The time at which a column starts."""
        return from_microseconds(to_microseconds(self.start) + column * self.step_s * 1_000_000)

    def column_of(self, instant: datetime) -> int:
        """The column that holds an instant; may lie outside [0, n_steps)."""
        return (to_microseconds(instant) - to_microseconds(self.start)) // (self.step_s * 1_000_000)

    def row(self, name: str) -> FloatArray:
        """The values of one series by its canonical name; raises KeyError."""
        row: FloatArray = self.values[self.positions[name]]
        return row

    def between(self, start: datetime, end: datetime) -> "Window":
        """The columns that start in [start, end), clipped to the window."""
        first = min(max(self.column_of(start), 0), self.n_steps)
        last = min(
            max(-(-(to_microseconds(end) - to_microseconds(self.start)) // (self.step_s * 1_000_000)), first),
            self.n_steps,
        )
        return Window(self.series, self.step_s, self.time_at(first), self.values[:, first:last])

    def select(self, rows: Sequence[int]) -> "Window":
        """The given rows, in the given order."""
        return Window(
            tuple(self.series[i] for i in rows),
            self.step_s,
            self.start,
            self.values[np.asarray(rows, dtype=np.intp)],
        )


def floor_to_step(instant: datetime, step_s: int) -> datetime:
    """The start of the grid cell that holds an instant."""
    micros = to_microseconds(instant)
    return from_microseconds(micros - micros % (step_s * 1_000_000))
