"""A running desk: history first, then one step after the other, written to every door."""

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from collectors.simulator.clock import at_second
from collectors.simulator.desk import Block, Desk
from collectors.simulator.exposition import wide_csv
from collectors.simulator.headlines import Item, harmless_items, incident_items, visible
from collectors.simulator.incidents import Incident
from collectors.simulator.layout import CELL_STRATEGY, STEP_S, STEPS_PER_DAY, STRATEGIES
from collectors.simulator.ledger import DeskDatabase
from collectors.simulator.logfiles import LogFiles
from collectors.simulator.loglines import LogWriter
from collectors.simulator.schedule import HISTORY_DAYS, Schedule
from collectors.simulator.vocabulary import SERIES
from domain.series import FloatArray, IntArray

_LOG_DAYS: Final = 3
_FILL_DAYS: Final = 1
_KEPT_STEPS: Final = STEPS_PER_DAY
_ONSET: Final = timedelta(seconds=15)


class Simulation:
    """The desk with its doors on disk. Methods may be called from several threads.

    A twin of the desk to which nothing ever happens runs along: what an incident cost is the difference.
    """

    def __init__(self, seed: int, start: datetime, folder: Path, schedule: Schedule) -> None:
        self._seed = seed
        self._schedule = schedule
        self._lock = threading.RLock()
        self._live_step = int(start.timestamp()) // STEP_S
        self._first_step = self._live_step - HISTORY_DAYS * STEPS_PER_DAY
        self._desk, self._twin = Desk(seed, self._first_step), Desk(seed, self._first_step)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._database = DeskDatabase(folder / "desk.sqlite")
        self._logs = LogFiles(folder / "logs")
        self._log_writer = LogWriter(seed)
        self._settled: dict[int, dict[str, Any]] = {}
        self._costs: FloatArray = np.empty((0, len(STRATEGIES)))
        self._recent: tuple[IntArray, FloatArray] = (np.empty(0, np.int64), np.empty((0, len(SERIES))))

    @property
    def history_start(self) -> datetime:
        """When the first step of history begins."""
        return at_second(self._first_step * STEP_S)

    @property
    def due(self) -> datetime:
        """When the step in progress ends and can be written."""
        with self._lock:
            return at_second((self._desk.next_step + 1) * STEP_S)

    def write_history(self) -> None:
        """Make the days before the start and write them to every door."""
        with self._lock:
            block = self._advance(self._live_step - self._first_step)
            self._database.append(block, max(0, len(block.steps) - _FILL_DAYS * STEPS_PER_DAY))
            archive = self._folder / "archive"
            archive.mkdir(exist_ok=True)
            for source in ("trading_metrics", "market_data", "system_metrics"):
                columns = [i for i, series in enumerate(SERIES) if series.source == source]
                text = wide_csv(block.seconds, block.values, columns)
                (archive / f"{source}.csv").write_text(text, encoding="utf-8")
            self._write_logs(block, max(0, len(block.steps) - _LOG_DAYS * STEPS_PER_DAY))
            self._write_truth()

    def step(self) -> None:
        """Finish the step in progress and write it to every door."""
        with self._lock:
            block = self._advance(1)
            self._database.append(block)
            self._write_logs(block, 0)
            if len(self._settled) < len(self._begun()):
                self._write_truth()

    def inject(
        self, kind: str, duration: timedelta | None = None, target: str | None = None
    ) -> dict[str, Any]:
        """Let an incident begin in the step in progress and return its truth; raises ValueError."""
        with self._lock:
            at = at_second(self._desk.next_step * STEP_S) + _ONSET
            return self._schedule.inject(kind, at, duration, target).truth()

    def recent(self, points: int) -> tuple[IntArray, FloatArray]:
        """The newest steps and their values, at most a day of them."""
        with self._lock:
            return self._recent[0][-points:], self._recent[1][-points:]

    def items(self, now: datetime, kinds: Sequence[str]) -> list[Item]:
        """Headlines or changes of the last 14 days up to `now`, newest first."""
        oldest = now - timedelta(days=HISTORY_DAYS)
        day = timedelta(days=1).total_seconds()
        with self._lock:
            incidents = self._schedule.incidents(now + timedelta(hours=1))
        found = harmless_items(self._seed, int(oldest.timestamp() // day), int(now.timestamp() // day))
        for incident in incidents:
            found += incident_items(self._seed, incident)
        return visible([item for item in found if item.kind in kinds], now, oldest)

    def truth(self) -> list[dict[str, Any]]:
        """Every incident that has begun, with what it cost so far."""
        with self._lock:
            return [self._costed(incident) for incident in self._begun()]

    def close(self) -> None:
        """Close database and log files."""
        with self._lock:
            self._database.close()
            self._logs.close()

    def _advance(self, n: int) -> Block:
        until = at_second((self._desk.next_step + n) * STEP_S)
        block = self._desk.advance(n, self._schedule.incidents(until))
        cost = block.books.pnl - self._twin.advance(n, ()).books.pnl
        by_strategy = [cost[:, k == CELL_STRATEGY].sum(axis=1) for k in range(len(STRATEGIES))]
        self._costs = np.concatenate([self._costs, np.stack(by_strategy, axis=1)])
        steps = np.concatenate([self._recent[0], block.steps])[-_KEPT_STEPS:]
        self._recent = steps, np.concatenate([self._recent[1], block.values])[-_KEPT_STEPS:]
        return block

    def _write_logs(self, block: Block, first: int) -> None:
        incidents = self._begun()
        for row in range(first, len(block.steps)):
            step, load = int(block.steps[row]), float(block.market.load[row])
            now = [one for one in incidents if one.end.timestamp() >= step * STEP_S]
            self._logs.append(self._log_writer.lines(step, load, now))

    def _begun(self) -> list[Incident]:
        return self._schedule.incidents(at_second(self._desk.next_step * STEP_S))

    def _costed(self, incident: Incident) -> dict[str, Any]:
        if incident.number in self._settled:
            return self._settled[incident.number]
        truth = self._with_cost(incident)
        if incident.end.timestamp() < (self._desk.next_step - 1) * STEP_S:
            self._settled[incident.number] = truth
        return truth

    def _with_cost(self, incident: Incident) -> dict[str, Any]:
        first = int(incident.start.timestamp()) // STEP_S - self._first_step
        last = int(incident.end.timestamp()) // STEP_S + 1 - self._first_step
        by_strategy = self._costs[max(first, 0) : last].sum(axis=0)
        costs = {name: round(float(x), 2) for name, x in zip(STRATEGIES, by_strategy, strict=True)}
        return incident.truth() | {
            "impact_usd": round(float(by_strategy.sum()), 2),
            "impact_by_strategy": costs,
        }

    def _write_truth(self) -> None:
        path = self._folder / "truth.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.truth(), indent=1), encoding="utf-8")
        part.replace(path)
