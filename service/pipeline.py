"""One cycle: collect, advance the window, detect, group and store, diagnose; read it top to bottom."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from collectors.runner import SourceResult, SourceRunner
from db.records import SavedDetections
from detectors.engine import DetectionEngine
from domain.anomaly import Anomaly
from domain.cycle import Cycle, DetectorState, SourceHealth, StepTime
from domain.errors import AnalystError
from domain.incident import Incident
from service.cases import judged
from service.windows import Windows

log = structlog.get_logger()
COLLECT_DEADLINE_SECONDS = 60.0
# A cycle that comes later than this many intervals after the one before has missed cells.
LATE = 1.5
MAX_ABSENCES = 500


class Ingest(Protocol):
    """Stores what a source brought, durably, before the source is told to go on."""

    def __call__(self, result: SourceResult) -> None: ...

    def health(self, healths: Sequence[SourceHealth], now: datetime, step_s: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of a cycle, joined by the composition root.

    Args:
        sources: reads all sources.
        ingest: stores one source's samples and events.
        windows: the recent past in memory.
        engine: detects.
        learn_anew: drops an engine that has learned only a part; the next one learns everything.
        save: stores anomalies, incidents and alerts in one transaction.
        diagnose: investigates changed incidents; called after their alerts are stored.
        finish: stores the cycle's row.
        clock: the service's clock.
        step_s: seconds between two cycles.
        derive: stores what follows from the newest data, before it is judged.
        last_cycle: when the last cycle of any process collected; None before the first.
    """

    sources: SourceRunner
    ingest: Ingest
    windows: Windows
    engine: Callable[[], DetectionEngine]
    learn_anew: Callable[[], None]
    save: Callable[[Sequence[Anomaly], datetime], SavedDetections]
    diagnose: Callable[[Sequence[Incident], datetime], None]
    finish: Callable[[Cycle], Cycle]
    clock: Callable[[], datetime]
    step_s: int
    derive: Callable[[datetime], None] = lambda _now: None
    last_cycle: Callable[[], datetime | None] = lambda: None


@dataclass(slots=True)
class Watch:
    """Measures the steps of one cycle."""

    steps: list[StepTime] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.steps.append(StepTime(name=name, ms=round((time.perf_counter() - started) * 1000, 1)))


class Pipeline:
    """Runs cycles, one at a time. What a failed cycle could not store is stored by the next one."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._one_at_a_time = threading.Lock()
        self._one_diagnosing = threading.Lock()
        self._unsaved: dict[str, Anomaly] = {}
        self._collected_at: datetime | None = None
        self._absences: deque[tuple[datetime, datetime]] = deque(maxlen=MAX_ABSENCES)
        self.warming_up: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        return self._one_at_a_time.locked()

    def wait_idle(self, timeout: float) -> bool:
        """Wait for a running cycle, whoever asked for it; false where it does not end in time."""
        idle = self._one_at_a_time.acquire(timeout=timeout)
        if idle:
            self._one_at_a_time.release()
        return idle

    def run_cycle(self, cycle: Cycle, now: datetime) -> Cycle:
        """Run a claimed slot and return its stored row; a failure is the state of that row."""
        watch = Watch()
        with self._one_at_a_time:
            try:
                done = self._run(cycle, now, watch)
            except AnalystError as error:
                done = self._failed(cycle, str(error))
            except Exception as error:
                log.exception("cycle failed", scheduled_for=cycle.scheduled_for)
                done = self._failed(cycle, f"internal error: {type(error).__name__}: {error}")
            finished = done.model_copy(
                update={"finished_at": self._stages.clock(), "steps": tuple(watch.steps)}
            )
            return self._stages.finish(finished)

    def judge_pushed(self, now: datetime) -> Sequence[Incident]:
        """Judge what was pushed since the last cycle, without asking any source; no slot is taken.

        What fails here is judged by the next cycle, whose row then tells of it. What changed is returned for
        `diagnose`, so that an investigation never holds up what is pushed next.
        """
        with self._one_at_a_time:
            return self._judge(now, Watch())[0].incidents

    def diagnose(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Investigate what changed; nobody else does so meanwhile."""
        with self._one_diagnosing:
            self._stages.diagnose(incidents, now)

    def _run(self, cycle: Cycle, now: datetime, watch: Watch) -> Cycle:
        with watch("collect"):
            self._collect(now)
        saved, states = self._judge(now, watch)
        with watch("diagnose"):
            self.diagnose(saved.incidents, now)
        return cycle.model_copy(
            update={
                "status": "done",
                "series": self._stages.windows.n_series,
                "anomalies": len(saved.created),
                "detectors": states,
            }
        )

    def _judge(self, now: datetime, watch: Watch) -> tuple[SavedDetections, tuple[DetectorState, ...]]:
        """From what is stored to anomalies and alerts."""
        with watch("window"):
            self._stages.windows.advance(now)
            self._stages.derive(now)
        with watch("detect"):
            anomalies, states = self._detect(now)
        with watch("store"):
            saved = self._stages.save(anomalies, now)
            self._unsaved.clear()
            self._stages.windows.mark_scored()
        return saved, states

    def _collect(self, now: datetime) -> None:
        """Read all sources; a source that fails is a state of that source, not of the cycle."""
        # What another process collected between two reigns of this one counts as well.
        known = [one for one in (self._collected_at, self._stages.last_cycle()) if one is not None]
        if known and now - max(known) > LATE * timedelta(seconds=self._stages.step_s):
            self._absences.append((max(known), now))
        self._collected_at = now
        healths: list[SourceHealth] = []
        for result in self._stages.sources.run(now, COLLECT_DEADLINE_SECONDS):
            self._stages.ingest(result)
            self._stages.sources.acknowledge(result)
            healths.append(result.health)
        self._stages.ingest.health(healths, now, self._stages.step_s)

    def _detect(self, now: datetime) -> tuple[list[Anomaly], tuple[DetectorState, ...]]:
        engine = self._taught(now)
        states: dict[str, DetectorState] = {}
        warming_up: list[str] = []
        for window, first_new in self._stages.windows.to_score():
            result = engine.detect(judged(window), first_new, now, tuple(self._absences))
            # Kept until they are stored: the engine tells of a change only once.
            self._unsaved.update((one.key, one) for one in result.anomalies)
            for state in result.states:
                states[state.name] = _worse(states.get(state.name), state)
            warming_up += result.warming_up
        self.warming_up = tuple(warming_up)
        return list(self._unsaved.values()), tuple(states.values())

    def _taught(self, now: datetime) -> DetectionEngine:
        """The engine, after it has learned what is older than the windows."""
        engine = self._stages.engine()
        try:
            for history in self._stages.windows.history_to_learn(now):
                engine.learn(judged(history))
        except Exception:
            self._stages.learn_anew()
            raise
        return engine

    @staticmethod
    def _failed(cycle: Cycle, reason: str) -> Cycle:
        log.warning("cycle failed", scheduled_for=cycle.scheduled_for.isoformat(), reason=reason)
        return cycle.model_copy(update={"status": "failed", "error": reason})


def _worse(known: DetectorState | None, state: DetectorState) -> DetectorState:
    """Of the states that a rule has on several grids: failed, else ok, else insufficient data."""
    order = ("failed", "ok", "insufficient_data")
    if known is None or order.index(state.status) < order.index(known.status):
        return state
    return known
