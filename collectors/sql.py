"""A read-only query of a foreign database, cell by cell behind a watermark."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlalchemy import URL, Connection, Engine, NullPool, TextClause, create_engine, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    NoSuchModuleError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)

from collectors.collector import Collected, Position
from collectors.gate import clean_text, read_micros
from collectors.intake import Intake
from collectors.postgres_times import read_any_time
from collectors.secret import read_secret, redact
from collectors.server_clock import ServerClock
from collectors.settings import SqlSource
from domain.errors import ConfigurationError, InvalidTimestamp, SourceError
from domain.event import Event
from domain.series import floor_to_step
from domain.timestamps import format_rfc3339, from_microseconds, to_microseconds

_BINDS = frozenset({"since", "until", "limit"})
_REFUSALS = (ProgrammingError, NotSupportedError, DataError)
_HOPELESS = ("no such", "does not exist", "authentication failed", "access denied", "syntax error")
_MAX_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows with the position of every column by name."""

    columns: Mapping[str, int]
    rows: Sequence[Sequence[Any]]
    cut: bool


class SqlCollector:
    """Runs the configured query for [since, until), both at the edge of a grid cell.

    Cells that are not over yet are left for later, and the last one read is read again, so that sums per
    cell are whole. A stretch with more rows than `max_rows` is read in pages; the query then has to be
    ordered by time.
    """

    kind = "sql"

    def __init__(self, settings: SqlSource, engine: Engine, secrets: tuple[str, ...]) -> None:
        self.name = settings.name
        self._settings = settings
        self._engine = engine
        self._secrets = secrets
        self._zone = ZoneInfo(settings.timezone)
        self._clock = ServerClock()
        self._query: TextClause = text(settings.query)
        self._binds = set(self._query.compile().params)
        if not self._binds <= _BINDS:
            unknown = min(self._binds - _BINDS)
            raise ConfigurationError(f"sources.{self.name}.query", f"binds :{unknown}, which is not known")

    @classmethod
    def of(cls, settings: SqlSource, environ: Mapping[str, str]) -> Self:
        secrets = {
            name: read_secret(environ, name, settings.name)
            for name in (settings.url_env, settings.password_env)
            if name
        }
        key = f"sources.{settings.name}.url"
        try:
            url = make_url(secrets[settings.url_env] if settings.url_env else settings.url)
            if settings.password_env:
                url = url.set(password=secrets[settings.password_env])
            engine = _engine(url, settings)
        except (NoSuchModuleError, ImportError) as error:
            raise ConfigurationError(key, f"the database driver is not installed: {error}") from None
        except ArgumentError:
            raise ConfigurationError(
                key, "is not a database URL such as postgresql+psycopg://host/name"
            ) from None
        hidden = [str(url.password)] if url.password else []
        return cls(settings, engine, (*secrets.values(), *hidden))

    def collect(self, since: Position, now: datetime) -> Collected:
        start, until = self._stretch(since, now)
        if start >= until:
            return Collected(Intake(self._settings).batch(), (), since)
        found = self._read(self._bound(start), self._bound(until))
        if not found.rows and self._guesses_form:
            self._look_for_other_forms(start, until)
        intake = Intake(self._settings)
        events: list[Event] = []
        times = [self._time(row[found.columns[self._settings.time_column]], intake) for row in found.rows]
        for row, micros in zip(found.rows, times, strict=True):
            if micros is None:
                continue
            if self._settings.text_column:
                events.append(self._event(row, micros, found.columns))
            else:
                self._samples(row, micros, found.columns, intake)
        # A row of the future must not move the watermark past what is yet to come.
        reached = min(self._reached(times, start), until) if found.cut else until
        self._clock.note(intake, self.name, now)
        return Collected(intake.batch(), tuple(events), Position(reached), intake.notes(), more=found.cut)

    def _stretch(self, since: Position, now: datetime) -> tuple[datetime, datetime]:
        step = self._settings.step
        overlap = self._settings.overlap_seconds
        until = floor_to_step(now, step)
        oldest = until - timedelta(hours=self._settings.backfill_hours)
        if since.watermark is None:
            return floor_to_step(oldest, step), until
        if since.watermark >= until:
            return until, until
        again = since.watermark - timedelta(seconds=step if overlap is None else overlap)
        return floor_to_step(max(oldest, again), step), until

    def _reached(self, times: Sequence[int | None], start: datetime) -> datetime:
        known = [micros for micros in times if micros is not None]
        if known != sorted(known):
            raise SourceError(
                self.name, "more than max_rows rows, and the query is not ordered by time", permanent=True
            )
        step = self._settings.step
        reached = floor_to_step(from_microseconds(known[-1]), step) if known else start
        overlap = self._settings.overlap_seconds
        # What is read again with the next page must not be all there is to this one.
        if reached - timedelta(seconds=step if overlap is None else overlap) <= start:
            raise SourceError(
                self.name, "more than max_rows rows in the cells that are read at once", permanent=True
            )
        return reached

    @property
    def _guesses_form(self) -> bool:
        return self._settings.bind_time_as == "auto" and self._engine.dialect.name == "sqlite"

    def _look_for_other_forms(self, start: datetime, until: datetime) -> None:
        """Find rows that only a comparison of unlike times hides: nothing else would tell of them."""
        low, high = to_microseconds(start), to_microseconds(until)
        for least, most in (("", "~"), (-(2**62), 2**62)):
            found = self._read(least, most)
            column = found.columns[self._settings.time_column]
            times = (self._time(row[column], Intake(self._settings)) for row in found.rows)
            if any(micros is not None and low <= micros < high for micros in times):
                raise SourceError(
                    self.name,
                    "rows of this time are found only when it is bound in another form; set bind_time_as",
                    permanent=True,
                )

    def _read(self, since: object, until: object) -> _Rows:
        limit = self._settings.max_rows
        values = {"since": since, "until": until, "limit": limit + 1}
        try:
            with self._engine.connect() as connection:
                self._restrict(connection)
                result = connection.execution_options(stream_results=True).execute(
                    self._query, {name: values[name] for name in self._binds}
                )
                with closing(result):
                    columns = {name: i for i, name in enumerate(result.keys())}
                    self._check(columns)
                    rows = result.fetchmany(limit + 1)
                connection.rollback()
        except SQLAlchemyError as error:
            raise self._failure(error) from None
        return _Rows(columns, rows[:limit], cut=len(rows) > limit)

    def _restrict(self, connection: Connection) -> None:
        """Nothing may be written, and nothing may take for ever."""
        seconds = self._settings.deadline_seconds
        match connection.dialect.name:
            case "postgresql":
                read_any_time(connection.connection.driver_connection)
                connection.execute(text("SET TRANSACTION READ ONLY"))
                connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
                # The name was checked to be a time zone's when the settings were read.
                connection.execute(text(f"SET LOCAL TIME ZONE '{self._settings.timezone}'"))
                self._compare_clocks(connection)
            case "mysql" | "mariadb":
                connection.execute(text("SET TRANSACTION READ ONLY"))
            case "sqlite":
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA query_only = ON")
                until = time.monotonic() + seconds
                raw.set_progress_handler(lambda: time.monotonic() > until, 50_000)

    def _compare_clocks(self, connection: Connection) -> None:
        asked = time.time()
        told = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        self._clock.compare(float(told), asked, time.time())

    def _check(self, columns: Mapping[str, int]) -> None:
        settings = self._settings
        wanted = [settings.time_column, *settings.label_columns]
        if settings.text_column:
            wanted.append(settings.text_column)
        elif settings.values:
            wanted.extend(settings.values)
        else:
            wanted.extend(
                [settings.value_column, *([settings.metric_column] if settings.metric_column else [])]
            )
        missing = [name for name in wanted if name not in columns]
        if missing:
            have = clean_text(", ".join(columns), 200)
            raise SourceError(self.name, f"no column {missing[0]!r}; there are: {have}", permanent=True)

    def _samples(self, row: Sequence[Any], micros: int, columns: Mapping[str, int], intake: Intake) -> None:
        labels = self._labels(row, columns)
        for metric, value in self._values(row, columns):
            kind = "counter" if metric in self._settings.counters else "gauge"
            intake.add(intake.row(metric, labels, kind=kind), micros, value)  # type: ignore[arg-type]

    def _values(self, row: Sequence[Any], columns: Mapping[str, int]) -> Iterator[tuple[str, Any]]:
        settings = self._settings
        for column, metric in settings.values.items():
            yield metric, row[columns[column]]
        if not settings.values:
            named = settings.metric or str(row[columns[str(settings.metric_column)]])
            yield named, row[columns[settings.value_column]]

    def _labels(self, row: Sequence[Any], columns: Mapping[str, int]) -> dict[str, str]:
        found = ((name, row[columns[name]]) for name in self._settings.label_columns)
        return {name: str(value) for name, value in found if value is not None and value != ""}

    def _event(self, row: Sequence[Any], micros: int, columns: Mapping[str, int]) -> Event:
        settings = self._settings
        return Event(
            timestamp=from_microseconds(micros),
            source=settings.source,
            text=clean_text(str(row[columns[str(settings.text_column)]]), _MAX_TEXT) or "(empty)",
            labels={**self._labels(row, columns), **settings.labels},
        )

    def _time(self, raw: object, intake: Intake) -> int | None:
        try:
            return read_micros(raw, self._zone, self._settings.time_unit)
        except InvalidTimestamp as error:
            intake.skip(f"rows refused: the time {error.reason}")
            return None

    def _bound(self, instant: datetime) -> object:
        form = self._settings.bind_time_as
        if form == "auto":
            form = "text" if self._engine.dialect.name == "sqlite" else "datetime"
        local = instant.astimezone(self._zone).replace(tzinfo=None)
        micros = to_microseconds(instant)
        forms: Mapping[str, object] = {
            "datetime": instant,
            "naive": local,
            "text": local.isoformat(" "),
            "rfc3339": format_rfc3339(instant),
            "unix": micros // 1_000_000,
            "unix_ms": micros // 1_000,
        }
        return forms[form]

    def _failure(self, error: SQLAlchemyError) -> SourceError:
        original = error.orig if isinstance(error, DBAPIError) else None
        said = str(original or type(error).__name__).strip().split("\n")[0]
        shown = clean_text(redact(said, self._secrets), 200)
        hopeless = isinstance(error, _REFUSALS) or any(word in said.lower() for word in _HOPELESS)
        return SourceError(self.name, f"the database said: {shown}", permanent=hopeless)


def _engine(url: URL, settings: SqlSource) -> Engine:
    arguments: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        arguments["timeout"] = settings.deadline_seconds / 2
        if url.database and not url.database.startswith(("file:", ":memory:")):
            # Read-only, so that a mistyped path is an error instead of a new empty database.
            path = quote(str(Path(url.database).absolute()))
            url = url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
    elif url.get_backend_name() == "postgresql":
        arguments["connect_timeout"] = max(2, int(settings.deadline_seconds / 2))
        # A server that vanished without a word must not hold the reader.
        arguments["tcp_user_timeout"] = int(settings.deadline_seconds * 1000)
        arguments["keepalives_idle"] = 10
    return create_engine(url, poolclass=NullPool, connect_args=arguments)
