"""Stores what sources bring, and keeps their states where a restart finds them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from collectors.runner import SourceResult
from db.events import EventStore
from db.records import SourceState as StoredState
from db.samples import SampleStore
from db.sources import SourceStateStore
from domain.cycle import SourceHealth, SourceState
from domain.event import Event
from domain.rule import Rule
from domain.series import SampleBatch, Series, SeriesKey

log = structlog.get_logger()
UP_METRIC = "source_up"
MAX_TEXT = 1_000
SOURCE_DOWN = Rule(
    name="source-down",
    metric=UP_METRIC,
    method="threshold",
    threshold=0.5,
    direction="down",
    anomaly_type="stale_feed",
)


@dataclass(frozen=True, slots=True)
class Ingest:
    """Samples and events of one source, on disk when the call returns."""

    samples: SampleStore
    events: EventStore
    failing: set[str] = field(default_factory=set)

    def __call__(self, result: SourceResult) -> None:
        for note in result.notes:
            log.info("source", name=result.name, note=note)
        if len(result.samples):
            self.samples.append(result.samples)
        if result.events:
            self.events.append(result.events)

    def health(self, healths: Sequence[SourceHealth], now: datetime, step_s: int) -> None:
        """Keep the health of the sources as series, so that silence is judged like everything else."""
        rows: list[tuple[Series, datetime, float]] = []
        for one in healths:
            labels = {"component": f"source:{one.name}", "source": one.name}
            up = Series(0, SeriesKey.of(UP_METRIC, labels), "system_metrics", "", step_s)
            rows.append((up, now, float(one.status != "failed")))
        if rows:
            self.samples.append(SampleBatch.of(rows))
        told = [self._told(one, now) for one in healths if self._fails_anew(one)]
        if told:
            self.events.append(told)

    def _fails_anew(self, one: SourceHealth) -> bool:
        """Whether a source cannot be read since this look."""
        known = one.name in self.failing
        (self.failing.add if one.status == "failed" else self.failing.discard)(one.name)
        return one.status == "failed" and not known

    @staticmethod
    def _told(one: SourceHealth, now: datetime) -> Event:
        """What an investigation and people can quote."""
        labels = {"kind": "source", "component": f"source:{one.name}", "source": one.name}
        text = f"source {one.name} cannot be read: {one.last_error or 'no reason was given'}"
        return Event(timestamp=now, source="events", text=text[:MAX_TEXT], labels=labels)


@dataclass(frozen=True, slots=True)
class SourceStates:
    """The states of sources as their runner wants them."""

    store: SourceStateStore
    clock: Callable[[], datetime]

    def get(self, name: str) -> SourceState | None:
        kept = self.store.get(name).watermark
        return None if kept is None else SourceState.model_validate(kept)

    def put(self, state: SourceState) -> None:
        self.store.put(StoredState(state.name, watermark=state.model_dump(mode="json")), self.clock())
