"""A small desk behind the real HTTP server and a real SQLite database, for black-box tests of the API."""

import asyncio
import hashlib
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from api.alert_port import DeliveryState
from api.app import create_app
from api.hooks.settings import HookSettings
from api.live import LiveFeed
from api.server import bind, build_server
from api.service_port import (
    ChatAnswer,
    CheckResult,
    Citation,
    ConfigurationEntry,
    InjectedIncident,
    Readiness,
    RunEvent,
    ServiceFacts,
    SuppliedSeries,
    ToolCall,
    WhatIf,
)
from api.settings import Role, ServerSettings, TokenSettings
from api.stores import Stores
from api.tool_port import DeskTools
from db.database import Database
from db.detections import CycleWriter
from db.records import ChatMessage, IncidentPlan
from db.settings import DatabaseSettings
from domain.anomaly import Anomaly, Expected
from domain.cycle import Cycle, SourceHealth, StepTime
from domain.diagnosis import STEP_NAMES, Action, Diagnosis, DiagnosisRequest, Hypothesis, Step
from domain.errors import InvalidInput, NotFound
from domain.evidence import Evidence, TimeWindow
from domain.feedback import Feedback
from domain.incident import Incident
from domain.money import Impact, ImpactPart
from domain.rule import Rule
from domain.series import SampleBatch, Series, SeriesKey, Window

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PNL = 'pnl{strategy="mm_btc",venue="bybit"}'
LATENCY = 'order_ack_latency_ms{venue="bybit"}'
NASTY = "<script>alert('x')</script>"
TOKENS: dict[Role, str] = {
    "viewer": "viewer-token-0123456789",
    "operator": "operator-token-012345678",
    "ingest": "ingest-token-0123456789",
    "admin": "admin-token-01234567890",
}


@dataclass
class FakeAlerts:
    """The delivery of alerts in little."""

    state: DeliveryState = field(default_factory=lambda: DeliveryState(status="off"))
    retried: list[str] = field(default_factory=list)
    verdicts: list[Feedback] = field(default_factory=list)

    def delivery(self) -> DeliveryState:
        return self.state

    def try_again(self, name: str) -> int:
        if name not in {one.name for one in self.state.receivers}:
            raise NotFound("alert receiver", name)
        self.retried.append(name)
        return 1

    def judged(self, feedback: Feedback) -> None:
        self.verdicts.append(feedback)


@dataclass
class FakeAnalyst:
    """The running service in little: keeps what it was told, diagnoses at once or on request."""

    stores: Stores
    live: LiveFeed = field(default_factory=LiveFeed)
    instant: datetime = NOW
    step_s: int = 300
    diagnosed: list[DiagnosisRequest] = field(default_factory=list)
    arrivals: int = 0
    rule_changes: int = 0
    injected: list[str] = field(default_factory=list)
    incident_changes: list[tuple[str, str]] = field(default_factory=list)
    state: Readiness = field(default_factory=Readiness)
    health: list[SourceHealth] = field(default_factory=list)
    too_new: list[str] = field(default_factory=list)
    finish_at_once: bool = True
    alerts: FakeAlerts = field(default_factory=FakeAlerts)

    def now(self) -> datetime:
        return self.instant

    def real_now(self) -> datetime:
        return self.instant

    def readiness(self) -> Readiness:
        return self.state

    def data_arrived(self) -> None:
        self.arrivals += 1

    def rules_changed(self) -> None:
        self.rule_changes += 1

    def run_cycle(self) -> Cycle:
        cycles = self.stores.cycles
        slot = self.instant + timedelta(seconds=len(cycles.list(500).items))
        claimed = cycles.claim_slot(slot, "here", self.instant)
        assert claimed is not None
        ended = claimed.model_copy(
            update={
                "finished_at": self.instant,
                "status": "done",
                "steps": (StepTime(name="detect", ms=1.5),),
            }
        )
        return cycles.finish(ended)

    def incident_changed(self, before: Incident, after: Incident) -> None:
        self.incident_changes.append((before.status, after.status))

    def diagnose(self, request: DiagnosisRequest, idempotency_key: str | None = None) -> Diagnosis:
        if "no_such_metric" in request.affected_metrics:
            raise InvalidInput("affected_metrics", "no series has this name")
        created = self.stores.diagnoses.create(request, idempotency_key, now=self.instant)
        if created.created:
            self.diagnosed.append(request)
            threading.Thread(target=self._investigate, args=(created.diagnosis,)).start()
        return created.diagnosis

    def _investigate(self, diagnosis: Diagnosis) -> None:
        run = self.stores.runs.start("diagnosis", diagnosis.id, self.instant)
        self.stores.runs.append(run.id, "run.started", {"kind": "diagnosis"}, self.instant)
        self.stores.diagnoses.save(diagnosis.model_copy(update={"status": "running"}))
        while not self.finish_at_once:
            time.sleep(0.05)
        self.stores.runs.append(run.id, "step.finished", {"id": 1, "ms": float("nan")}, self.instant)
        self.stores.diagnoses.save(finished(diagnosis))
        self.stores.runs.finish(run.id, "done", self.instant, ("run.finished", {"status": "done"}))

    def cancel_diagnosis(self, diagnosis_id: str) -> Diagnosis:
        return self.stores.diagnoses.get(diagnosis_id)

    def what_if(self, rule: Rule, start: datetime, end: datetime) -> WhatIf:
        return WhatIf(appear=(anomaly(rule=rule.name),))

    def infer(self, series: Sequence[SuppliedSeries], rules: Sequence[Rule] | None) -> Sequence[Anomaly]:
        return [anomaly(metrics=(one.key.name,)) for one in series if one.values.size > 5]

    def window(self, step_s: int) -> Window | None:
        return None

    def sources(self) -> Sequence[SourceHealth]:
        return self.health

    def warming_up(self) -> tuple[Sequence[str], int]:
        return self.too_new, 50

    def check_source(self, name: str) -> CheckResult:
        if name not in {source.name for source in self.health}:
            raise NotFound("source", name)
        return CheckResult(ok=True, answer="1 row", ms=2.0)

    def check_llm(self) -> CheckResult:
        return CheckResult(ok=False, answer="no model is configured")

    def check_receiver(self, name: str) -> CheckResult:
        raise NotFound("receiver", name)

    def about(self) -> ServiceFacts:
        entry = ConfigurationEntry(key="llm.api_key", value="•••", variable="ANALYST_LLM__API_KEY")
        return ServiceFacts(storage="SQLite, 1.0 MiB", configuration=(entry,))

    def budget_left_usd(self) -> float | None:
        return None

    def chat(self, message: str, thread_id: str | None, author: str, role: Role = "viewer") -> ChatAnswer:
        chats = self.stores.chats
        thread = thread_id or chats.start(author, message[:50], self.instant).id
        chats.append(thread, ChatMessage(0, "user", message, self.instant))
        answer = chats.append(
            thread,
            ChatMessage(
                0, "assistant", "It fell [A-1].", self.instant, citations=({"kind": "anomaly", "id": "A-1"},)
            ),
        )
        return ChatAnswer(
            thread_id=thread,
            answer=answer.text,
            citations=(Citation(kind="anomaly", id="A-1"),),
            tool_calls=(ToolCall(name="list_anomalies", arguments={"limit": 1}),),
        )

    def cancel_chat(self, thread_id: str) -> int:
        return 0

    async def chat_events(
        self, message: str, thread_id: str | None, author: str, role: Role = "viewer"
    ) -> AsyncIterator[RunEvent]:
        yield RunEvent("run.started", {"kind": "chat"}, 1)
        await asyncio.sleep(0)
        yield RunEvent("token", {"text": "It fell.\n\ndata: not an event"}, 2)
        yield RunEvent("run.finished", {"status": "done"}, 3)

    def demo_kinds(self) -> Sequence[str]:
        return ("venue_latency",)

    def inject_incident(self, kind: str) -> InjectedIncident:
        self.injected.append(kind)
        return InjectedIncident(kind=kind, starts_at=self.instant)


def anomaly(
    rule: str = "pnl_drop", metrics: tuple[str, ...] = (PNL,), onset: datetime = NOW - timedelta(minutes=40)
) -> Anomaly:
    """An open anomaly, nine sigma below normal."""
    return Anomaly(
        timestamp=onset,
        detected_at=onset + timedelta(minutes=10),
        anomaly_type="sudden_loss",
        severity="critical",
        confidence=0.97,
        z_score=-9.4,
        p_value=2e-9,
        threshold_exceeded=4.2,
        rule=rule,
        method="combined",
        score=8.7,
        direction="down",
        value=-3_900.0,
        expected=Expected(low=-300.0, high=420.0),
        affected_metrics=metrics,
        data_sources=("pnl_data",),
        raw_data={"note": NASTY},
    )


def finished(diagnosis: Diagnosis) -> Diagnosis:
    """A diagnosis as a statistical reasoner would leave it, with hostile text in every foreign field."""
    window = TimeWindow(start=diagnosis.start_time, end=diagnosis.end_time)
    return diagnosis.model_copy(
        update={
            "status": "done",
            "outcome": "cause_found",
            "primary_hypothesis": Hypothesis(
                id="H1",
                title="Hedges fill late: the gateway of bybit is slow",
                cause="venue_gateway_latency",
                component="gateway:bybit",
                description=f"Acknowledgements take 13 times as long. {NASTY}",
                root_series=(LATENCY,),
                confidence=0.72,
                supporting=("E1", "E2"),
                verdict="validated",
                separating_check="Ask the venue for its acknowledgement log",
            ),
            "alternative_hypotheses": (
                Hypothesis(
                    id="H2",
                    title="Funding shock",
                    cause="funding_shock",
                    description="",
                    confidence=0.2,
                    contradicting=("E2",),
                ),
                Hypothesis(id="H3", title="Unknown", cause="unknown", description="", confidence=0.08),
            ),
            "executive_summary": f"Hedges on **bybit** were late [E1]; the desk lost money. {NASTY}",
            "detailed_analysis": "The latency moved first (E1).\n\n- fills fell\n- inventory rose",
            "steps": tuple(
                Step(
                    name=name,
                    text=f"What was done in {name}, see E1.",
                    evidence_ids=("E1",),
                    duration_ms=12.0,
                )
                for name in STEP_NAMES
            ),
            "immediate_actions": (Action(n=1, text="Route hedges to another venue", reversible=True),),
            "preventive_measures": (Action(n=2, text="Add a latency limit per venue"),),
            "monitoring_recommendations": (Action(n=3, text="Watch p99 of acknowledgements"),),
            "evidence": (
                Evidence(
                    id="E1",
                    kind="shift",
                    series=(LATENCY,),
                    component="gateway:bybit",
                    statement="The latency rose from 9 ms to 118 ms",
                    value=118.0,
                    unit="ms",
                    baseline=9.1,
                    q_value=1e-6,
                    window=window,
                ),
                Evidence(
                    id="E2",
                    kind="log_template",
                    statement="A log pattern appeared",
                    quoted=NASTY,
                    window=window,
                ),
            ),
            "impact": Impact(
                amount=-41_200,
                low=-52_000,
                high=-33_000,
                by=(ImpactPart(label="venue", value="bybit", amount=-40_000),),
                unexplained=-1_200,
            ),
            "confidence_score": 0.72,
            "analysis_duration": 0.4,
        }
    )


def seed(stores: Stores, database: Database) -> None:
    """A day of two series with an incident in it, diagnosed."""
    pnl, latency = (
        Series(0, SeriesKey.parse(PNL), "pnl_data", "USD"),
        Series(0, SeriesKey.parse(LATENCY), unit="ms"),
    )
    start, rows = NOW - timedelta(hours=24), []
    for i in range(288):
        odd = i >= 280
        at = start + timedelta(minutes=5 * i)
        rows.append((pnl, at, 60 * math.sin(i / 7) + 50 - (3_900 if odd else 0)))
        rows.append((latency, at, 9 + 2 * math.sin(i / 5) + (110 if odd else 0)))
    stores.samples.append(SampleBatch.of(rows))

    def group(found: Sequence[Anomaly], _open: object) -> Sequence[IncidentPlan]:
        return [IncidentPlan(None, tuple(one.id for one in found), "Sudden loss of mm_btc")]

    late = anomaly("latency", (LATENCY,)).model_copy(
        update={"severity": "high", "direction": "up", "z_score": 8.1}
    )
    CycleWriter(database).save_detections([anomaly(), late], NOW, group, lambda *_: [])
    request = DiagnosisRequest(
        anomaly_id="A-1",
        incident_id="I-1",
        start_time=NOW - timedelta(minutes=40),
        end_time=NOW,
        affected_metrics=(PNL,),
    )
    stores.diagnoses.save(
        finished(stores.diagnoses.create(request, now=NOW - timedelta(minutes=5)).diagnosis)
    )


@dataclass
class Desk:
    """A running server with its parts."""

    url: str
    service: FakeAnalyst
    stores: Stores
    client: httpx2.Client

    def as_role(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKENS[role]}"}


def token_settings() -> list[TokenSettings]:
    return [
        TokenSettings(name=role, role=role, sha256=hashlib.sha256(token.encode()).hexdigest())
        for role, token in TOKENS.items()
    ]


@contextmanager
def running_desk(
    folder: Path,
    settings: ServerSettings | None = None,
    tokens: Sequence[TokenSettings] = (),
    hooks: HookSettings | None = None,
    tools: Callable[["FakeAnalyst"], DeskTools] | None = None,
    service_type: type["FakeAnalyst"] = FakeAnalyst,
    **database_settings: float,
) -> Iterator[Desk]:
    """Serve a seeded desk on a free port until the block ends."""
    settings = (settings or ServerSettings()).model_copy(update={"port": 0})
    url = f"sqlite:///{folder / 'desk.db'}"
    database = Database(url, DatabaseSettings.model_validate({"url": url, **database_settings}))
    database.upgrade()
    stores = Stores.of(database)
    seed(stores, database)
    service = service_type(stores)
    app = create_app(service, stores, settings, tokens, hooks=hooks, tools=tools(service) if tools else None)
    server = build_server(app, service.live, settings)
    listening = bind(settings, tokens)
    port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            yield Desk(f"http://127.0.0.1:{port}", service, stores, client)
    finally:
        service.finish_at_once = True
        server.should_exit = True
        thread.join(10)
        database.close()
    assert not thread.is_alive()
