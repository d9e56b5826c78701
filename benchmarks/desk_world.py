"""The simulated desk without doors: what its sources would have brought, and the truth about it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from collectors.build import build_collector
from collectors.collector import Collector, Position
from collectors.settings_logs import LogSource
from collectors.simulator.desk import Block, Desk
from collectors.simulator.headlines import harmless_items, incident_items
from collectors.simulator.incidents import Incident
from collectors.simulator.layout import CELLS, STEP_S, STEPS_PER_DAY
from collectors.simulator.loglines import LogWriter
from collectors.simulator.schedule import HISTORY_DAYS, Schedule
from collectors.simulator.sources import sources
from collectors.simulator.vocabulary import SERIES
from domain.event import Event
from domain.live_window import LiveWindow
from domain.series import FloatArray, SampleBatch, Series, SeriesKey, Window
from domain.timestamps import from_microseconds

STEP = timedelta(seconds=STEP_S)
LATE = timedelta(seconds=5)
LOG_DAYS = 3
HELD_DAYS = 4
# A series is touched where it is this many of its usual deviations from what it would have been.
TOUCHED = 0.75
_PNL = tuple(
    Series(0, SeriesKey.of("pnl", {"strategy": s, "venue": v, "symbol": y}), "pnl_data", "USD")
    for s, v, y in CELLS
)
NUMERIC = (*SERIES, *_PNL)


class World:
    """A desk in memory with the windows of a service before it; a deep copy goes its own way.

    Args:
        seed: decides everything.
        start: when the service starts; days of history lie before it.
        folder: where the log file is written.
        first: kind of the incident under way at the start; None for none.
    """

    def __init__(self, seed: int, start: datetime, folder: Path, first: str | None = None) -> None:
        self._seed = seed
        self.schedule = Schedule(seed, start, None, first)
        live = int(start.timestamp()) // STEP_S
        self._desk = Desk(seed, live - HISTORY_DAYS * STEPS_PER_DAY)
        self._twin = Desk(seed, live - HISTORY_DAYS * STEPS_PER_DAY)
        self._writer = LogWriter(seed)
        self._log = folder / "desk.log"
        self._log.write_text("", encoding="utf-8")
        self._collector = _log_collector(self._log)
        self._position = Position()
        self._numbers: dict[str, int] = {}
        self.events: list[Event] = []
        self.touched: dict[str, set[int]] = {}
        self.costs: dict[int, float] = {}
        self.window = LiveWindow(STEP_S, STEPS_PER_DAY, start)
        self._held = LiveWindow(STEP_S, HELD_DAYS * STEPS_PER_DAY, start)
        self._history(live)

    @property
    def now(self) -> datetime:
        """When the next cycle runs: shortly after the last finished cell."""
        return from_microseconds(self._desk.next_step * STEP_S * 1_000_000) + LATE

    def held(self, start: datetime, end: datetime) -> Window:
        """What storage holds of [start, end), four days at most."""
        return self._held.view().between(start, end)

    def step(self) -> datetime:
        """Let one cell pass and bring what the sources have; the time of the cycle that follows."""
        self._advance(1)
        self._collect_logs()
        return self.now

    def log_size(self) -> int:
        """Length of the log file in bytes."""
        return self._log.stat().st_size

    def cut_log(self, size: int) -> None:
        """Forget what a copy of this world has appended."""
        with self._log.open("r+b") as file:
            file.truncate(size)

    def between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[Event]:
        """Events in [start, end) that were published by now."""
        incidents = self.schedule.incidents(self.now)
        days = range(int(start.timestamp()) // 86_400, int(self.now.timestamp()) // 86_400 + 1)
        items = harmless_items(self._seed, days[0], days[-1])
        items += [item for one in incidents for item in incident_items(self._seed, one)]
        told = [
            Event(
                timestamp=item.timestamp,
                source="news" if item.kind == "news" else "events",
                text=item.text,
                labels={"kind": item.kind, **({"component": item.component} if item.component else {})},
            )
            for item in items
            if start <= item.timestamp < end and item.timestamp <= self.now
        ]
        told += [one for one in self.events if start <= one.timestamp < end]
        return sorted(told, key=lambda one: one.timestamp)[-limit:]

    def is_touched(self, series: Iterable[str], since: datetime, until: datetime) -> bool:
        """Whether an incident moved one of the series in a cell of [since, until]."""
        cells = range(int(since.timestamp()) // STEP_S - 1, int(until.timestamp()) // STEP_S + 1)
        return any(not self.touched.get(name, set()).isdisjoint(cells) for name in series)

    def cost(self, since: datetime, until: datetime) -> float:
        """What incidents cost in [since, until), negative for a loss."""
        cells = range(int(since.timestamp()) // STEP_S, int(until.timestamp()) // STEP_S)
        return sum(self.costs.get(cell, 0.0) for cell in cells)

    def _history(self, live: int) -> None:
        before = live - LOG_DAYS * STEPS_PER_DAY
        block, twin = self._both(before - self._desk.next_step)
        values = _values(block)
        typical = np.nanmedian(np.abs(values - np.nanmedian(values, axis=0)), axis=0) * 1.4826
        self._typical = np.maximum(typical, 0.2 * np.nanstd(values, axis=0)) + 1e-12
        self._take(block, values, twin)
        past = Window(
            self._numbered(NUMERIC), STEP_S, from_microseconds(int(block.seconds[0]) * 1_000_000), values.T
        )
        self._advance(live - before)
        self._collect_logs()
        old = self._held.view()
        rest = old.between(past.end, self.window.start)
        gap = np.full((len(rest.series) - len(past.series), past.n_steps), np.nan)
        self.history = Window(
            rest.series, STEP_S, past.start, np.hstack([np.vstack([past.values, gap]), rest.values])
        )

    def _advance(self, n: int) -> None:
        block, twin = self._both(n)
        values = _values(block)
        self._take(block, values, twin)
        for row, step in enumerate(block.steps.tolist()):
            self._write_log(step, float(block.market.load[row]))
        self._place(_batch(self._numbered(NUMERIC), block.seconds * 1_000_000, values))

    def _both(self, n: int) -> tuple[Block, Block]:
        until = from_microseconds((self._desk.next_step + n) * STEP_S * 1_000_000)
        return self._desk.advance(n, self.schedule.incidents(until)), self._twin.advance(n, ())

    def _take(self, block: Block, values: FloatArray, twin: Block) -> None:
        """Note the truth: which series an incident moved, and what it cost."""
        quiet = _values(twin)
        moved = (np.abs(values - quiet) > TOUCHED * self._typical) | (np.isnan(values) != np.isnan(quiet))
        for row, column in zip(*np.nonzero(moved), strict=True):
            self.touched.setdefault(NUMERIC[column].name, set()).add(int(block.steps[row]))
        cost = (block.books.pnl - twin.books.pnl).sum(axis=1)
        self.costs |= dict(zip(block.steps.tolist(), cost.tolist(), strict=True))

    def _write_log(self, step: int, load: float) -> None:
        begun = self.schedule.incidents(from_microseconds((step + 1) * STEP_S * 1_000_000))
        now = [one for one in begun if one.end.timestamp() >= step * STEP_S]
        lines = self._writer.lines(step, load, now)
        with self._log.open("a", encoding="utf-8") as file:
            file.writelines(line.render() + "\n" for line in lines)
        if now:
            usual = Counter((one.component, one.level) for one in self._writer.lines(step, load, ()))
            found = Counter((one.component, one.level) for one in lines)
            for component, level in (found - usual) | (usual - found):
                self.touched.setdefault(_log_name(component, level), set()).add(step)

    def _collect_logs(self) -> None:
        while True:
            page = self._collector.collect(self._position, self.now)
            self._position = page.position
            self.events += page.events
            self._place(replace(page.samples, series=self._numbered(page.samples.series)))
            if not page.more:
                return

    def _place(self, batch: SampleBatch) -> None:
        self.window.advance(batch, self.now)
        self._held.advance(batch, self.now)

    def _numbered(self, series: Sequence[Series]) -> tuple[Series, ...]:
        return tuple(
            replace(one, id=self._numbers.setdefault(one.name, len(self._numbers) + 1), step_s=STEP_S)
            for one in series
        )


def _log_collector(path: Path) -> Collector:
    ready = {
        "logs": str(path.parent),
        **dict.fromkeys(("archive", "metrics", "news", "events", "database"), ""),
    }
    logs = next(one for one in sources({**ready, "step_seconds": STEP_S}) if one["kind"] == "logs")
    return build_collector(LogSource.model_validate({**logs, "paths": (str(path),)}), {}, STEP_S)


def _log_name(component: str, level: str) -> str:
    return SeriesKey.of("log_lines", {"component": component, "level": level}).name


def _values(block: Block) -> FloatArray:
    values: FloatArray = np.hstack([block.values, block.books.pnl])
    return values


def _batch(series: tuple[Series, ...], micros: np.ndarray, values: FloatArray) -> SampleBatch:
    rows, columns = np.nonzero(np.isfinite(values))
    return SampleBatch(series, columns.astype(np.int64), micros[rows], values[rows, columns])


def struck(world: World, kind: str, at: datetime, target: str, length: timedelta) -> Incident:
    """Let an incident begin in a world."""
    return world.schedule.inject(kind, at, length, target)
