"""Cases for the terminal: from the service's database, or from a folder of CSV files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from agent.evidence.case import PastIncident
from agent.reasoners.investigation import Investigation
from agent.runbooks import load_runbooks
from api.stores import Stores
from collectors.build import build_collector
from collectors.collector import Position
from collectors.settings import CsvSource
from db.database import Database
from domain.diagnosis import DiagnosisRequest
from domain.errors import ConfigurationError, InvalidInput, SourceError
from domain.event import Event
from domain.live_window import LiveWindow
from domain.series import SampleBatch, Window
from domain.timestamps import from_microseconds
from service.cases import CaseBuilder
from service.casework import build_cases
from service.clock import system_clock
from service.settings import Settings, load_settings
from service.windows import Windows

MAX_CELLS = 100_000_000
SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class CaseSource:
    """Where one diagnosis in the terminal takes its data from."""

    builder: CaseBuilder
    settings: Settings
    stores: Stores | None

    def begin(self, request: DiagnosisRequest) -> Investigation:
        """The facts and the causes; raises InvalidInput where nothing is known of the metric."""
        case = self.builder.build(request)
        if not case.targets:
            raise InvalidInput("--metric", _unknown(request.affected_metrics[0], case.window))
        runbooks = load_runbooks(self.settings.runbooks)
        return Investigation.begin(request, self.builder.gather(request), runbooks)

    def request_of(self, anomaly_id: str) -> DiagnosisRequest:
        """What a stored anomaly asks for; raises NotFound."""
        if self.stores is None:
            raise InvalidInput("--anomaly", "a folder of CSV files has no stored anomalies")
        anomaly = self.stores.anomalies.get(anomaly_id)
        end = anomaly.ended_at or max(anomaly.detected_at, anomaly.timestamp + timedelta(seconds=1))
        return DiagnosisRequest(
            anomaly_id=anomaly.id,
            anomaly_type=anomaly.anomaly_type,
            start_time=anomaly.timestamp,
            end_time=end,
            affected_metrics=anomaly.affected_metrics,
        )


def _unknown(name: str, window: Window) -> str:
    """What to say of a metric that is not there: the names that look like it, else the first ones."""
    metrics = list(dict.fromkeys(one.key.metric for one in window.series))
    near = get_close_matches(name, metrics, SUGGESTIONS, cutoff=0.5) or metrics[:SUGGESTIONS]
    return f"no series is called {name[:100]!r}; there are {', '.join(near)}"


@contextmanager
def open_case_source(config: Path | None, data: Path | None) -> Iterator[CaseSource]:
    """Open the database of the configuration, or read a folder of CSV files whole.

    Raises:
        ConfigurationError: neither can be read.
    """
    settings = load_settings(config)
    if data is not None:
        yield CaseSource(_folder_cases(settings, data), settings, None)
        return
    database = Database(settings.database.url, settings.database)
    database.check()
    try:
        stores = Stores.of(database)
        lookback = timedelta(hours=settings.scheduler.lookback_hours)
        windows = Windows(stores.samples, stores.series, lookback, lookback)
        yield CaseSource(build_cases(settings, stores, windows, system_clock), settings, stores)
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class _NoEvents:
    def between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[Event]:  # noqa: ARG002
        return ()


def _folder_cases(settings: Settings, folder: Path) -> CaseBuilder:
    window = _read_folder(folder, settings.scheduler.interval_seconds)

    def nothing() -> Sequence[PastIncident]:
        return ()

    return CaseBuilder(
        window_for=lambda _request: window,
        events=_NoEvents(),
        past=nothing,
        strategies=settings.strategies,
        edges=settings.edges,
        settings=settings.evidence,
        clock=lambda: window.end,
    )


def _read_folder(folder: Path, step_s: int) -> Window:
    if not folder.is_dir():
        raise ConfigurationError(str(folder), "is not a folder")
    paths = [str(folder / "**" / pattern) for pattern in ("*.csv", "*.csv.gz")]
    source = CsvSource(name="data", kind="csv", paths=tuple(paths), step_seconds=step_s)
    collector = build_collector(source, {}, step_s)
    batches: list[SampleBatch] = []
    position = Position()
    try:
        while True:
            page = collector.collect(position, system_clock())
            batches.append(page.samples)
            position = page.position
            if not page.more:
                break
    except SourceError as error:
        raise ConfigurationError(str(folder), error.reason) from None
    return _window_of([one for one in batches if len(one)], folder, step_s)


def _window_of(batches: Sequence[SampleBatch], folder: Path, step_s: int) -> Window:
    if not batches:
        raise ConfigurationError(str(folder), "holds no CSV file with samples")
    first = min(int(one.timestamps.min()) for one in batches)
    last = max(int(one.timestamps.max()) for one in batches)
    n_steps = (last - first) // (step_s * 1_000_000) + 2
    n_series = len({one.key for batch in batches for one in batch.series})
    if n_steps * n_series > MAX_CELLS:
        raise ConfigurationError(str(folder), "holds more than 100 million cells; choose fewer files")
    end = from_microseconds(last)
    live = LiveWindow(step_s, n_steps, end)
    numbers: dict[str, int] = {}
    for batch in batches:
        live.advance(_numbered(batch, numbers), end)
    return live.view()


def _numbered(batch: SampleBatch, numbers: dict[str, int]) -> SampleBatch:
    """Series that were never stored have no number; the window tells them apart by one."""
    series = tuple(replace(one, id=numbers.setdefault(one.name, len(numbers) + 1)) for one in batch.series)
    return SampleBatch(series, batch.index, batch.timestamps, batch.values)
