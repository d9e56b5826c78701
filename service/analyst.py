"""The running service as the doors see it: every call ends in one of the rooms below."""

import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.live import LiveFeed
from api.service_port import (
    ChatAnswer,
    CheckResult,
    InjectedIncident,
    Readiness,
    RunEvent,
    ServiceFacts,
    SuppliedSeries,
    WhatIf,
)
from api.settings import Role
from api.stores import Stores
from collectors.build import check_source
from collectors.runner import SourceRunner
from db.database import Database
from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.infer import infer, what_if
from domain.anomaly import Anomaly
from domain.cycle import Cycle, SourceHealth
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.errors import Conflict, InvalidInput, NotFound, ReasonerError, StoreUnavailable
from domain.incident import Incident
from domain.rule import Rule
from domain.series import Window, floor_to_step
from domain.timestamps import from_microseconds, parse_rfc3339
from service.about import facts_of
from service.alerting import Alerting
from service.chat import Chat
from service.chat_data import StoredDesk
from service.chat_model import build_chat_model
from service.chat_turn import ChatStores
from service.clock import Clock, system_clock
from service.demo_desk import DemoDesk
from service.deriving import rules_of_derived
from service.ingesting import SOURCE_DOWN
from service.investigations import Investigations
from service.model_calls import DayBudget
from service.pipeline import Pipeline
from service.scheduler import Scheduler
from service.settings import Settings
from service.windows import Windows

JOIN_SECONDS = 120.0
MAX_WHAT_IF = timedelta(days=31)


class Rules:
    """The rules in force and the engine that applies them; a change takes effect with the next cycle."""

    def __init__(self, stores: Stores, settings: Settings, windows: Windows) -> None:
        self._stores = stores
        self._settings = settings
        self._windows = windows
        self._guard = threading.Lock()
        self._engine: DetectionEngine | None = None

    def seed(self) -> None:
        """Store built-in rules that are new to the database, and the configured ones at every start."""
        self._stores.rules.offer((*default_rules(), SOURCE_DOWN))
        known = {rule.name: rule for rule in self._stores.rules.all()}
        for rule in (*rules_of_derived(self._settings.derived), *self._settings.rules):
            if known.get(rule.name) != rule:
                self._stores.rules.put(rule)

    def engine(self) -> DetectionEngine:
        """The engine in use; built anew after a change, and then everything in the windows is judged anew."""
        with self._guard:
            if self._engine is None:
                self._engine = DetectionEngine(self._stores.rules.all(), self._settings.detection)
                self._windows.relearn()
            return self._engine

    def changed(self) -> None:
        with self._guard:
            self._engine = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of, joined by the composition root."""

    settings: Settings
    database: Database
    stores: Stores
    sources: SourceRunner
    windows: Windows
    rules: Rules
    pipeline: Pipeline
    scheduler: Scheduler
    investigations: Investigations
    alerting: Alerting
    live: LiveFeed
    clock: Clock
    claim: Callable[[datetime], Cycle | None]
    desk: DemoDesk | None = None


class Analyst:
    """Implements `api.service_port.AnalystService`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        desk = StoredDesk(
            parts.stores,
            parts.windows,
            parts.clock,
            health=self.sources,
            budget=self.budget_left_usd,
            begin=self.diagnose,
        )
        self._chat = Chat(
            desk,
            ChatStores(parts.stores.chats, parts.stores.runs),
            parts.clock,
            self.budget_left_usd,
            build_chat_model(parts.investigations.gateway),
        )

    @property
    def live(self) -> LiveFeed:
        return self._parts.live

    @property
    def alerts(self) -> Alerting:
        return self._parts.alerting

    @property
    def step_s(self) -> int:
        return self._parts.settings.scheduler.interval_seconds

    def now(self) -> datetime:
        return self._parts.clock()

    def real_now(self) -> datetime:
        return system_clock()

    def readiness(self) -> Readiness:
        try:
            self._parts.database.ping()
            database = "ok"
        except StoreUnavailable as error:
            database = str(error)
        scheduler = "ok" if self._parts.scheduler.healthy() else "the clock of the cycles stands still"
        return Readiness(database=database, scheduler=scheduler)

    def data_arrived(self) -> None:
        """Nothing to do: the next cycle reads the journal."""

    def rules_changed(self) -> None:
        self._parts.rules.changed()

    def incident_changed(self, before: Incident, after: Incident) -> None:
        self._parts.alerting.changed(before, after, self.now())

    def run_cycle(self) -> Cycle:
        parts = self._parts
        if parts.pipeline.running:
            joined = self._joined()
            # What is running began perhaps before the newest samples came.
            if not parts.windows.unread():
                return joined
        if not parts.scheduler.leading:
            raise Conflict("another replica runs the cycles; ask that one")
        now = self.now()
        claimed = parts.claim(now)
        if claimed is None:
            return self._joined()
        return parts.pipeline.run_cycle(claimed, now)

    def _joined(self) -> Cycle:
        deadline = time.monotonic() + JOIN_SECONDS
        while self._parts.pipeline.running and time.monotonic() < deadline:
            time.sleep(0.02)
        last = self._parts.stores.cycles.last()
        if last is None:
            raise Conflict("no cycle has run yet")
        return last

    def diagnose(self, request: DiagnosisRequest, idempotency_key: str | None = None) -> Diagnosis:
        return self._parts.investigations.begin(request, idempotency_key, self.now())

    def cancel_diagnosis(self, diagnosis_id: str) -> Diagnosis:
        return self._parts.investigations.cancel(diagnosis_id)

    def what_if(self, rule: Rule, start: datetime, end: datetime) -> WhatIf:
        if end - start > MAX_WHAT_IF:
            raise InvalidInput("start", "is more than 31 days before the end")
        lookback = timedelta(hours=self._parts.settings.scheduler.lookback_hours)
        appear: list[Anomaly] = []
        vanish: list[Anomaly] = []
        for step_s in self._parts.windows.steps():
            window = self._parts.stores.samples.window(step_s, start - lookback, end)
            rows = [i for i, one in enumerate(window.series) if rule.matches(one.key)]
            if rows:
                first = window.column_of(floor_to_step(start, step_s))
                current = self._parts.stores.rules.all()
                found = what_if(rule, window.select(rows), current, self._parts.settings.detection, first)
                appear += found.appear
                vanish += found.vanish
        return WhatIf(appear=tuple(appear), vanish=tuple(vanish))

    def infer(self, series: Sequence[SuppliedSeries], rules: Sequence[Rule] | None) -> Sequence[Anomaly]:
        given = {
            one.key.name: (
                [from_microseconds(int(micros)) for micros in one.timestamps],
                [float(value) for value in one.values],
            )
            for one in series
        }
        in_force = self._parts.stores.rules.all() if rules is None else rules
        return infer(given, in_force, self._parts.settings.detection)

    def window(self, step_s: int) -> Window | None:
        return self._parts.windows.view(step_s)

    def sources(self) -> Sequence[SourceHealth]:
        return self._parts.sources.health(self.now())

    def warming_up(self) -> tuple[Sequence[str], int]:
        return self._parts.pipeline.warming_up, self._parts.settings.detection.min_points

    def check_source(self, name: str) -> CheckResult:
        settings = next((one for one in self._parts.settings.sources if one.name == name), None)
        if settings is None:
            raise NotFound("source", name)
        started = time.perf_counter()
        found = check_source(settings, os.environ, self.now(), self.step_s)
        return CheckResult(ok=found.ok, answer=found.answer, ms=_ms_since(started))

    def check_llm(self) -> CheckResult:
        started = time.perf_counter()
        try:
            answer = self._parts.investigations.check_model()
        except ReasonerError as error:
            return CheckResult(ok=False, answer=str(error), ms=_ms_since(started))
        answer = answer or "no model is configured; the statistical reasoner diagnoses"
        return CheckResult(ok=True, answer=answer, ms=_ms_since(started))

    def check_receiver(self, name: str) -> CheckResult:
        return self._parts.alerting.check(name, self.now())

    def about(self) -> ServiceFacts:
        return facts_of(self._parts.settings, self._parts.database)

    def budget_left_usd(self) -> float | None:
        parts = self._parts
        return DayBudget(parts.settings.llm, parts.stores.usage, parts.clock).left()

    def chat(self, message: str, thread_id: str | None, author: str, role: Role = "viewer") -> ChatAnswer:
        return self._chat.answer(message, thread_id, author, role)

    def chat_events(
        self, message: str, thread_id: str | None, author: str, role: Role = "viewer"
    ) -> AsyncIterator[RunEvent]:
        return self._chat.events(message, thread_id, author, role)

    def start_chat(self) -> None:
        """End the answers that an earlier process left half told."""
        self._chat.end_interrupted()

    def stop_chat(self) -> None:
        """Take no more questions."""
        self._chat.close()

    def cancel_chat(self, thread_id: str) -> int:
        return self._chat.cancel(thread_id)

    def demo_kinds(self) -> Sequence[str]:
        return () if self._parts.desk is None else self._parts.desk.kinds

    def inject_incident(self, kind: str) -> InjectedIncident:
        if self._parts.desk is None:
            raise NotFound("demo", "this is not the demo")
        said = self._parts.desk.inject(kind)
        return InjectedIncident(
            kind=kind,
            starts_at=parse_rfc3339(said["started_at"]),
            ends_at=parse_rfc3339(said["ended_at"]) if said.get("ended_at") else None,
        )


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
