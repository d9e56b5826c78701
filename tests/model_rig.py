"""A model's investigation from the request to the diagnosis, in memory, against a real HTTP endpoint."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from small_desk import incident

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.investigator import Investigator, Surroundings
from agent.model.call_log import CallLog, MemoryCallLog
from agent.model.endpoint import OpenAIEndpoint
from agent.model.gateway import ModelGateway, World
from agent.model.settings import LlmSettings, ModelPrice
from agent.model_desk import ModelDesk
from agent.reasoners.investigation import Investigation
from agent.reasoners.offline import StatisticalReasoner
from agent.runbooks import load_runbooks
from domain.diagnosis import Diagnosis, DiagnosisRequest
from evaluation.fake_model.server import FakeModelServer

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PRICE = ModelPrice(input=1.0, output=4.0)


@dataclass
class Diary:
    """Diagnoses and the events of their runs, as they came."""

    diagnoses: dict[str, Diagnosis] = field(default_factory=dict)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    kept: dict[str, Investigation] = field(default_factory=dict)

    def get(self, diagnosis_id: str) -> Diagnosis:
        return self.diagnoses[diagnosis_id]

    def save(self, diagnosis: Diagnosis) -> Diagnosis:
        self.diagnoses[diagnosis.id] = diagnosis
        return diagnosis

    def append(self, run_id: str, event: str, data: Mapping[str, Any]) -> int:
        self.events.append((event, data))
        return len(self.events)

    def named(self, event: str) -> list[Mapping[str, Any]]:
        return [data for name, data in self.events if name == event]


def settings_for(behaviour: str, server: FakeModelServer, **more: Any) -> LlmSettings:
    """Settings of an installation that uses the fake server with one behaviour."""
    model = f"fake-{behaviour}"
    values = {"model": model, "base_url": server.base_url, "prices": {model: PRICE}, **more}
    return LlmSettings.model_validate(values)


Sleep = Callable[[float], Awaitable[None]]


async def hurried(seconds: float) -> None:
    """A pause between two tries, twenty times as short."""
    await asyncio.sleep(seconds / 20)


def gateway_for(
    settings: LlmSettings, calls: CallLog | None = None, sleep: Sleep = asyncio.sleep
) -> ModelGateway:
    """The door to the endpoint, with real time and a seeded dice."""
    dice = random.Random(3)
    world = World(lambda: NOW, time.monotonic, sleep, dice.random)
    endpoint = OpenAIEndpoint(
        settings.base_url, "sk-test", api=settings.api, temperature=settings.temperature, now=_wall
    )
    return ModelGateway(settings, endpoint, calls or MemoryCallLog(), world)


def _wall() -> datetime:
    return datetime.now(UTC)


def a_case(kind: str = "venue_gateway_latency", seed: int = 2) -> Case:
    """A case with logs and decoy events."""
    return incident(kind, seed, decoys=True)


def request_of(case: Case) -> DiagnosisRequest:
    return DiagnosisRequest(
        start_time=case.start, end_time=case.end, affected_metrics=case.targets, reasoner="llm"
    )


@dataclass
class Rig:
    """Everything that one investigation leaves behind."""

    diary: Diary
    calls: MemoryCallLog
    gateway: ModelGateway
    investigator: Investigator
    case: Case

    async def diagnose(self, identifier: str = "D-1") -> Diagnosis:
        request = request_of(self.case)
        self.diary.save(
            Diagnosis(
                id=identifier,
                timestamp=NOW,
                start_time=request.start_time,
                end_time=request.end_time,
                affected_metrics=request.affected_metrics,
                reasoner="llm",
            )
        )
        return await self.investigator.run(identifier)

    def outcomes(self) -> Sequence[str]:
        """What the calls came to."""
        return [str(one.answer).split('"')[3] for one in self.calls.calls]


def rig(
    settings: LlmSettings,
    case: Case | None = None,
    calls: MemoryCallLog | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Rig:
    """An investigator with a model behind it."""
    case = case or a_case()
    diary, calls = Diary(), calls or MemoryCallLog()
    gateway = gateway_for(settings, calls, sleep)
    surroundings = Surroundings(
        diagnoses=diary,
        runs=diary,
        gather=lambda _request: gather(case, EvidenceSettings()),
        runbooks=load_runbooks(),
        reasoner=StatisticalReasoner(),
        clock=lambda: NOW,
        finished=lambda _diagnosis: None,
        models=ModelDesk(gateway, lambda _request: case),
        keep=diary.kept.__setitem__,
    )
    return Rig(diary, calls, gateway, Investigator(surroundings, None), case)
