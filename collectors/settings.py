"""The settings of a source: one model per kind, told apart by `kind`."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collectors.gate import TimeUnit
from collectors.settings_base import HttpSource, SourceBase, TimeZone
from collectors.settings_desk import DeskSource
from collectors.settings_logs import JournalSource, LogSource, LokiSource
from collectors.settings_news import CalendarSource, NewsSource
from domain.series import SeriesKind, SourceName

_SELECT = re.compile(r"(?is)(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|with)\b[^;]*;?\s*")
BindTimeAs = Literal["auto", "datetime", "naive", "text", "rfc3339", "unix", "unix_ms"]


class SqlSource(SourceBase):
    """A read-only query of any database that SQLAlchemy speaks to."""

    kind: Literal["sql"]
    source: SourceName = Field(default="pnl_data", description="What the rows are.")
    url: str = Field(default="", description="SQLAlchemy URL without a password.")
    url_env: str | None = Field(default=None, description="Environment variable with the whole URL.")
    password_env: str | None = Field(default=None, description="Environment variable with the password.")
    query: str = Field(
        min_length=1,
        max_length=20_000,
        description="One SELECT; binds `:since` (watermark), `:until` (end of the last full cell), `:limit`.",
    )
    time_column: str = Field(default="timestamp", description="Column with the time of a row.")
    timezone: TimeZone = Field(default="UTC", description="Time zone of times without an offset.")
    time_unit: TimeUnit = Field(default="s", description="What a numeric time counts since 1970.")
    bind_time_as: BindTimeAs = Field(
        default="auto",
        description="How `:since` and `:until` are bound; auto: text on SQLite, else datetime.",
    )
    metric: str | None = Field(default=None, description="Metric name, where all rows are of one metric.")
    metric_column: str | None = Field(default=None, description="Column with the metric name.")
    value_column: str = Field(default="value", description="Column with the value.")
    values: Mapping[str, str] = Field(
        default={}, description="Several values per row: column -> metric name; replaces the three above."
    )
    label_columns: tuple[str, ...] = Field(default=(), description="Columns that become labels.")
    text_column: str | None = Field(default=None, description="Rows are events; this column is their text.")
    counters: tuple[str, ...] = Field(default=(), description="Metrics that only ever grow.")
    overlap_seconds: float | None = Field(
        default=None,
        ge=0,
        description="Read again this far behind the watermark, for rows committed late; default: one cell.",
    )
    backfill_hours: float = Field(
        default=24, ge=0, description="How far the first read, or one after an outage, goes back."
    )
    max_rows: int = Field(default=100_000, ge=1, le=1_000_000, description="Rows per page.")

    @model_validator(mode="after")
    def _says_what_a_row_is(self) -> Self:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("needs either url or url_env")
        if re.match(r"[^/]*://[^/@]*:[^/@]+@", self.url):
            raise ValueError("url must not contain a password; use password_env or url_env")
        if not _SELECT.fullmatch(self.query):
            raise ValueError("query must be a single SELECT (or WITH ... SELECT) statement")
        layouts = (self.metric, self.metric_column, self.values, self.text_column)
        if sum(map(bool, layouts)) != 1:
            raise ValueError("needs exactly one of metric, metric_column, values and text_column")
        return self


class PrometheusQuery(BaseModel):
    """One range query; every series of its answer becomes a series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(min_length=1, max_length=10_000, description="A PromQL expression.")
    metric: str | None = Field(default=None, description="Metric name; default: the answer's own `__name__`.")
    kind: SeriesKind = Field(default="gauge", description="`counter` for a value that only ever grows.")
    unit: str | None = Field(default=None, description="Unit of the values.")
    source: SourceName | None = Field(default=None, description="What the data are, where it differs.")
    step_seconds: int | None = Field(default=None, ge=1, le=86_400, description="Step, where it differs.")
    labels: Mapping[str, str] = Field(
        default={}, description="Renames labels: Prometheus' name -> ours; an empty name drops the label."
    )
    keep_labels: tuple[str, ...] | None = Field(default=None, description="Only these labels are kept.")


class PrometheusSource(HttpSource):
    """Range queries against a Prometheus server or anything that speaks its API."""

    kind: Literal["prometheus"]
    source: SourceName = Field(default="system_metrics", description="What the data are.")
    queries: tuple[PrometheusQuery, ...] = Field(min_length=1, description="What to ask for.")
    backfill_hours: float = Field(
        default=24, ge=0, description="How far the first read, or one after an outage, goes back."
    )
    page_points: int = Field(default=1_000, ge=1, le=11_000, description="Points per series and request.")
    delay_seconds: float = Field(default=0, ge=0, description="Stay this far behind now, for late scrapes.")


class OpenMetricsSource(HttpSource):
    """A scrape of any exporter, in the Prometheus text or the OpenMetrics format."""

    kind: Literal["openmetrics"]
    source: SourceName = Field(default="system_metrics", description="What the data are.")
    allow: tuple[str, ...] = Field(default=("*",), description="Metric names to keep; `*` and `?` match.")
    deny: tuple[str, ...] = Field(default=(), description="Metric names to leave out, of those allowed.")
    buckets: bool = Field(default=False, description="Keep the buckets and quantiles of distributions.")
    honor_timestamps: bool = Field(
        default=True, description="Use the exporter's timestamps where it sends any."
    )
    max_age_seconds: float = Field(
        default=3_600, gt=0, description="Exported samples older than this are refused."
    )


class HostSource(SourceBase):
    """This host: processor, memory, disks, load, network errors."""

    kind: Literal["host"]
    source: SourceName = Field(default="system_metrics", description="What the data are.")
    host: str | None = Field(
        default=None, description="Value of the label `host`; default: the host's own name."
    )
    disks: tuple[str, ...] = Field(default=("/",), description="Paths whose file systems are watched.")


class CsvSource(SourceBase):
    """CSV files that are dropped into a folder or grow at their end."""

    kind: Literal["csv"]
    paths: tuple[str, ...] = Field(min_length=1, description="Files or globs; `.gz` is read as well.")
    layout: Literal["wide", "long"] = Field(
        default="wide", description="wide: every column a series; long: one value per row."
    )
    time_column: str | None = Field(default=None, description="Column with the time; default: the first.")
    timezone: TimeZone = Field(default="UTC", description="Time zone of times without an offset.")
    time_unit: TimeUnit = Field(default="s", description="What a numeric time counts since 1970.")
    metric: str | None = Field(
        default=None, description="long: metric name, where the file is of one metric."
    )
    metric_column: str = Field(default="metric", description="long: column with the metric name.")
    value_column: str = Field(default="value", description="long: column with the value.")
    label_columns: tuple[str, ...] = Field(default=(), description="long: columns that become labels.")
    counters: tuple[str, ...] = Field(default=(), description="Metrics that only ever grow.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Between two columns.")
    max_bytes: int = Field(default=16 * 1024 * 1024, ge=10_000, description="Bytes read per page.")

    @property
    def stale_after(self) -> float | None:
        """A file that does not grow is normal unless configured otherwise."""
        return self.stale_after_seconds


SourceSettings = Annotated[
    SqlSource
    | PrometheusSource
    | OpenMetricsSource
    | HostSource
    | CsvSource
    | LogSource
    | JournalSource
    | LokiSource
    | NewsSource
    | CalendarSource
    | DeskSource,
    Field(discriminator="kind"),
]
