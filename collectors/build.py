"""From settings to collectors that run; each kind is imported only where it is configured."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from collectors import server_clock
from collectors.build_desk import desk_collector
from collectors.collector import Collected, Collector, Position, concatenate
from collectors.runner import SourceRunner, StateStore
from collectors.settings import (
    CsvSource,
    HostSource,
    OpenMetricsSource,
    PrometheusSource,
    SourceSettings,
    SqlSource,
)
from collectors.settings_base import HttpSource
from collectors.settings_desk import DeskSource
from collectors.settings_logs import JournalSource, LogCounting, LogSource, LokiSource
from collectors.settings_news import CalendarSource, NewsSource
from domain.errors import SourceError

_CHECKED_PAGES = 50
_CHECKED_CELLS = 3


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """One plain answer to "does this source work now?"."""

    name: str
    ok: bool
    answer: str


def build_collector(
    settings: SourceSettings, environ: Mapping[str, str], default_step_s: int = 300
) -> Collector:
    """The collector of a configured source.

    Args:
        settings: of one source.
        environ: where the variables named in the settings are looked up.
        default_step_s: width of a grid cell where the settings give none.

    Raises:
        ConfigurationError: a variable that the settings name is not set.
    """
    settings = settings.with_default_step(default_step_s)
    # ruff: noqa: PLC0415 - a database driver or an HTTP library is loaded only where it is used
    if isinstance(settings, DeskSource):
        return desk_collector(settings, environ)
    if isinstance(settings, HttpSource):
        return _http_collector(settings, environ)
    if isinstance(settings, SqlSource):
        from collectors.sql import SqlCollector

        return SqlCollector.of(settings, environ)
    return _local_collector(settings)


def _http_collector(
    settings: PrometheusSource | OpenMetricsSource | NewsSource | CalendarSource | LokiSource,
    environ: Mapping[str, str],
) -> Collector:
    match settings:
        case PrometheusSource():
            from collectors.prometheus import PrometheusCollector

            return PrometheusCollector.of(settings, environ)
        case OpenMetricsSource():
            from collectors.openmetrics import OpenMetricsCollector

            return OpenMetricsCollector.of(settings, environ)
        case NewsSource():
            from collectors.news import NewsCollector

            return NewsCollector.of(settings, environ)
        case CalendarSource():
            from collectors.calendar import CalendarCollector

            return CalendarCollector.of(settings, environ)
        case LokiSource():
            from collectors.loki import LokiCollector

            return LokiCollector.of(settings, environ)


def _local_collector(settings: HostSource | CsvSource | LogSource | JournalSource) -> Collector:
    match settings:
        case HostSource():
            from collectors.host import HostCollector

            return HostCollector(settings)
        case CsvSource():
            from collectors.csv_files import CsvCollector

            return CsvCollector(settings)
        case LogSource():
            from collectors.logs import LogCollector

            return LogCollector(settings)
        case JournalSource():
            from collectors.journal import JournalCollector

            return JournalCollector(settings)


def build_runner(
    sources: Sequence[SourceSettings],
    environ: Mapping[str, str],
    store: StateStore | None = None,
    *,
    default_step_s: int = 300,
    rng: random.Random | None = None,
) -> SourceRunner:
    """A runner over all enabled sources; raises ConfigurationError as `build_collector` does."""
    enabled = [one.with_default_step(default_step_s) for one in sources if one.enabled]
    return SourceRunner([(one, build_collector(one, environ)) for one in enabled], store, rng)


def check_source(
    settings: SourceSettings, environ: Mapping[str, str], now: datetime, default_step_s: int = 300
) -> SourceCheck:
    """Read a few cells of a source without keeping anything, and say in one line how that went.

    Where they hold nothing, it is read once as at its first start.

    Raises:
        ConfigurationError: a variable that the settings name is not set.
    """
    settings = settings.with_default_step(default_step_s)
    recent = timedelta(seconds=_CHECKED_CELLS * settings.step)
    try:
        pages = _few_pages(build_collector(settings, environ), settings, Position(now - recent), now)
        some, answer = _brought(pages)
        if not some:
            # Days, rare rows, a closed market: what the first read of the service would bring. Lines count
            # only when their cell is over, so that they are read as if it were.
            later = timedelta(seconds=settings.step if isinstance(settings, LogCounting) else 0)
            first = _few_pages(build_collector(settings, environ), settings, Position(), now + later)
            answer = (
                f"nothing of the last {recent.total_seconds() / 60:g} min; a first read: {_brought(first)[1]}"
            )
    except SourceError as error:
        return SourceCheck(settings.name, ok=False, answer=error.reason)
    return SourceCheck(settings.name, ok=True, answer=answer)


def _brought(pages: Sequence[Collected]) -> tuple[bool, str]:
    """Whether there was anything that was asked for, and a line about it; a server tells its time unasked."""
    samples = concatenate([page.samples for page in pages])
    own = np.array([one.key.metric != server_clock.METRIC for one in samples.series], dtype=bool)
    n_samples, n_events = int(own[samples.index].sum()), sum(len(page.events) for page in pages)
    parts = [f"{n_samples} samples of {own.sum()} series"]
    if n_events:
        parts.append(f"{n_events} events")
    notes = dict.fromkeys(note for page in pages for note in page.notes)
    return n_samples + n_events > 0, "; ".join([", ".join(parts), *list(notes)[:3]])


def _few_pages(
    collector: Collector, settings: SourceSettings, since: Position, now: datetime
) -> list[Collected]:
    """The pages from a position on, as far as the deadline allows."""
    until = time.monotonic() + settings.deadline_seconds
    pages = [collector.collect(since, now)]
    while pages[-1].more and len(pages) < _CHECKED_PAGES and time.monotonic() < until:
        pages.append(collector.collect(pages[-1].position, now))
    return pages
