"""A stored desk for questions: simulated days with known incidents, the real service, a stopped clock."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from collectors.simulator.desk import Desk
from collectors.simulator.headlines import harmless_items, incident_items
from collectors.simulator.incidents import Incident
from collectors.simulator.layout import CELLS, STEP_S, STEPS_PER_DAY
from collectors.simulator.sources import edges, strategies
from collectors.simulator.vocabulary import SERIES
from domain.event import Event
from domain.series import FloatArray, SampleBatch, Series, SeriesKey
from domain.timestamps import from_microseconds
from service.settings import settings_from
from service.wiring import Service, build_service

NOW = datetime(2026, 3, 4, 12, 5, 30, tzinfo=UTC)  # a Wednesday
DAYS = 6
MODEL_SECONDS = 60.0
_PNL = tuple(
    Series(0, SeriesKey.of("pnl", {"strategy": s, "venue": v, "symbol": y}), "pnl_data", "USD")
    for s, v, y in CELLS
)
_TEMPLATE = "order acknowledgement took longer than <*> ms"


@dataclass(frozen=True)
class World:
    """What is known of the desk without asking the product.

    Args:
        names: of the numeric series.
        seconds: shape (n,), start of each cell since 1970.
        values: shape (n, len(names)).
        truth: the incidents that were simulated.
        service: the real service over the same data.
    """

    names: tuple[str, ...]
    seconds: np.ndarray
    values: FloatArray
    truth: tuple[Incident, ...]
    events: tuple[Event, ...]
    service: Service

    def cells(self, name: str, start: datetime, end: datetime) -> FloatArray:
        """The finite values of one series in [start, end)."""
        inside = (self.seconds >= start.timestamp()) & (self.seconds < end.timestamp())
        values = self.values[inside, self.names.index(name)]
        return values[np.isfinite(values)]


def incidents(seed: int) -> tuple[Incident, ...]:
    """Two of the past, and one that is under way."""

    def at(hours: float) -> datetime:
        return NOW.replace(second=0) - timedelta(hours=hours)

    return (
        Incident(1, "stale_feed", "okx", at(21.1), at(20.4), 1.3, "history"),
        Incident(2, "bad_deploy", "mm_sol", at(6.1), at(5.4), 1.3, "history"),
        Incident(3 + seed, "venue_gateway_latency", "bybit", at(0.8), at(-0.5), 1.2, "ongoing"),
    )


@contextmanager
def world(seed: int, folder: Path, llm: Mapping[str, Any] | None = None) -> Iterator[World]:
    """Simulate, store, detect and diagnose; the service does not run, it only answers.

    Args:
        seed: of the desk.
        folder: for its database.
        llm: the section `llm` of a model that diagnoses and answers; None for none.
    """
    truth = incidents(seed)
    last = int(NOW.timestamp()) // STEP_S
    block = Desk(seed, last - DAYS * STEPS_PER_DAY).advance(DAYS * STEPS_PER_DAY, truth)
    values = np.hstack([block.values, block.books.pnl])
    series = (*SERIES, *_PNL)
    settings = settings_from(
        {
            "database": {"url": f"sqlite:///{folder / 'chat.db'}"},
            "strategies": strategies(),
            "edges": edges(),
            **({"llm": dict(llm)} if llm else {}),
        }
    )
    service = build_service(settings, clock=lambda: NOW)
    try:
        stores = service.parts.stores
        rows, columns = np.nonzero(np.isfinite(values))
        micros = block.seconds[rows].astype(np.int64) * 1_000_000
        stores.samples.append(SampleBatch(series, columns.astype(np.int64), micros, values[rows, columns]))
        stores.samples.append(_logs(block.seconds))
        events = _events(seed, truth)
        stores.events.append(events)
        _cycle(service)
        names = tuple(one.name for one in series)
        yield World(names, block.seconds, values, truth, events, service)
    finally:
        service.parts.investigations.stop()
        service.parts.database.close()


def _cycle(service: Service) -> None:
    parts = service.parts
    parts.windows.load(NOW)
    parts.investigations.start()
    claimed = parts.claim(NOW)
    assert claimed is not None
    parts.pipeline.run_cycle(claimed, NOW)
    deadline = time.monotonic() + MODEL_SECONDS
    while parts.stores.diagnoses.unfinished() and time.monotonic() < deadline:
        time.sleep(0.1)


def _logs(seconds: np.ndarray) -> SampleBatch:
    """A pattern that is new in the last half hour, and one that is always there."""
    new = Series(
        0,
        SeriesKey.of(
            "log_template_lines", {"component": "gateway:bybit", "level": "WARN", "template": _TEMPLATE}
        ),
        "system_logs",
    )
    old = Series(
        0,
        SeriesKey.of(
            "log_template_lines",
            {"component": "service:risk", "level": "INFO", "template": "checked <*> orders"},
        ),
        "system_logs",
    )
    rows = [(old, from_microseconds(int(s) * 1_000_000), 7.0) for s in seconds]
    rows += [(new, from_microseconds(int(s) * 1_000_000), 13.0) for s in seconds[-6:]]
    return SampleBatch.of(rows)


def _events(seed: int, truth: tuple[Incident, ...]) -> tuple[Event, ...]:
    today = int(NOW.timestamp()) // 86_400
    items = [
        *harmless_items(seed, today - 2, today),
        *(i for one in truth for i in incident_items(seed, one)),
    ]
    return tuple(
        Event(
            timestamp=item.timestamp,
            source="news" if item.kind == "news" else "events",
            text=item.text,
            labels={"kind": item.kind, **({"component": item.component} if item.component else {})},
        )
        for item in sorted(items, key=lambda one: one.timestamp)
        if item.timestamp <= NOW
    )
