"""What the doors need of the running service; the composition root implements it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from api.alert_port import AlertDesk
from api.live import LiveFeed
from api.settings import Role
from domain.anomaly import Anomaly
from domain.cycle import Cycle, SourceHealth
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.incident import Incident
from domain.rule import Rule
from domain.series import FloatArray, IntArray, SeriesKey, Window


@dataclass(frozen=True, slots=True)
class SuppliedSeries:
    """A series that came with a request and is not stored.

    Args:
        key: its identity.
        timestamps: shape (n,), microseconds since 1970, ascending and distinct.
        values: shape (n,), float64; NaN is a gap.
    """

    key: SeriesKey
    timestamps: IntArray
    values: FloatArray


class WhatIf(BaseModel):
    """What a rule would change over a stretch of stored data, against the rules in force."""

    model_config = ConfigDict(frozen=True)

    appear: tuple[Anomaly, ...] = ()
    vanish: tuple[Anomaly, ...] = ()


class Readiness(BaseModel):
    """Whether this process can serve; each part is `ok` or one sentence saying what is wrong."""

    model_config = ConfigDict(frozen=True)

    database: str = "ok"
    migrations: str = "ok"
    scheduler: str = "ok"

    @property
    def ready(self) -> bool:
        return self.database == self.migrations == self.scheduler == "ok"


class CheckResult(BaseModel):
    """One plain answer to "does it work now?"."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    answer: str
    ms: float = 0.0


class Citation(BaseModel):
    """An object that an answer rests on, such as `evidence` `E1` or `anomaly` `A-7`."""

    model_config = ConfigDict(frozen=True)

    kind: str
    id: str


class ToolCall(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    arguments: Mapping[str, Any] = {}


class ChatAnswer(BaseModel):
    model_config = ConfigDict(frozen=True)

    thread_id: str
    answer: str
    citations: tuple[Citation, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()


class InjectedIncident(BaseModel):
    """A demo incident that has just been started; `cause` stays hidden from the analyst."""

    model_config = ConfigDict(frozen=True)

    kind: str
    starts_at: datetime
    ends_at: datetime | None = None
    description: str = ""


class ConfigurationEntry(BaseModel):
    """One key as it is in force; secrets are masked. `variable` is the environment variable that sets it."""

    model_config = ConfigDict(frozen=True)

    key: str
    value: str
    variable: str
    overridden: bool = False


class ServiceFacts(BaseModel):
    """What the service says about itself."""

    model_config = ConfigDict(frozen=True)

    storage: str = ""
    configuration: tuple[ConfigurationEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a run as it is streamed: `seq` is its number in the stored log (0 where not stored)."""

    event: str
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


class AnalystService(Protocol):
    """The running service. Methods are called from worker threads unless they are `async`."""

    @property
    def live(self) -> LiveFeed:
        """Where cycles, diagnoses and sources announce themselves to open pages."""

    @property
    def alerts(self) -> AlertDesk:
        """The delivery of alerts."""

    @property
    def step_s(self) -> int:
        """The width in seconds of the grid cells of series that are pushed for the first time."""

    def now(self) -> datetime:
        """The service's clock (the demo's runs faster than the wall)."""

    def real_now(self) -> datetime:
        """The wall clock."""

    def readiness(self) -> Readiness: ...

    def data_arrived(self) -> None:
        """Samples or events were stored by a request; the window advances with the next cycle."""

    def rules_changed(self) -> None:
        """The stored rules are not the ones that the engine holds any more."""

    def run_cycle(self) -> Cycle:
        """Run a detection cycle now, or join the one that runs; returns when it ended."""

    def incident_changed(self, before: Incident, after: Incident) -> None:
        """A person changed an incident; whoever was told of it is told of the change."""

    def diagnose(self, request: DiagnosisRequest, idempotency_key: str | None = None) -> Diagnosis:
        """Start an investigation, or return the one that an equal request started; does not wait for its end.

        Raises:
            InvalidInput: the request names metrics that no series has, or an unusable window.
            Overloaded: the queue of investigations is full.
        """

    def cancel_diagnosis(self, diagnosis_id: str) -> Diagnosis:
        """Stop a run and keep what it found; one that has ended is returned as it is."""

    def what_if(self, rule: Rule, start: datetime, end: datetime) -> WhatIf: ...

    def infer(self, series: Sequence[SuppliedSeries], rules: Sequence[Rule] | None) -> Sequence[Anomaly]:
        """Score series that are not stored; without rules the ones in force apply."""

    def window(self, step_s: int) -> Window | None:
        """The recent window kept in memory, for pictures; None where there is none of this step width."""

    def sources(self) -> Sequence[SourceHealth]: ...

    def warming_up(self) -> tuple[Sequence[str], int]:
        """The series that are too new to be judged, and how many points each of them needs."""

    def check_source(self, name: str) -> CheckResult:
        """Try a source now; raises NotFound."""

    def check_llm(self) -> CheckResult: ...

    def check_receiver(self, name: str) -> CheckResult:
        """Send a test message; raises NotFound."""

    def about(self) -> ServiceFacts:
        """Storage and configuration, for the page of the service's health."""

    def budget_left_usd(self) -> float | None:
        """What the model may still cost today; None where no budget is set."""

    def chat(self, message: str, thread_id: str | None, author: str, role: Role = "viewer") -> ChatAnswer:
        """Answer a question; the role decides whether a diagnosis may be started. Raises NotFound."""

    def chat_events(
        self, message: str, thread_id: str | None, author: str, role: Role = "viewer"
    ) -> AsyncIterator[RunEvent]:
        """The same answer as it comes into being; ends with `run.finished` or `error`."""

    def cancel_chat(self, thread_id: str) -> int:
        """Stop the answers of a thread that are under way; how many were."""

    def demo_kinds(self) -> Sequence[str]:
        """The incidents that can be injected; empty where this is not the demo."""

    def inject_incident(self, kind: str) -> InjectedIncident:
        """Start a demo incident now; raises NotFound for an unknown kind."""
