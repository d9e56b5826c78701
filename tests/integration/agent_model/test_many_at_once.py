"""Many investigations at once, and what one costs beside the model's own time."""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from model_rig import NOW, Rig, a_case, hurried, rig, settings_for

from agent.checkpoints import open_checkpoints
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.investigator import Investigator
from agent.model.endpoint import Endpoint, Features
from agent.model.gateway import ModelGateway
from agent.model.outcomes import Question, Reply
from agent.model_desk import ModelDesk
from db.database import Database
from db.usage import UsageStore
from domain.diagnosis import Diagnosis
from evaluation.fake_model.server import FakeModelServer
from service.model_calls import StoredCalls


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


@dataclass
class Timed:
    """An endpoint that counts the seconds spent in it."""

    inner: Endpoint
    seconds: float = field(default=0.0)

    async def call(self, model: str, question: Question, features: Features) -> Reply:
        began = time.perf_counter()
        try:
            return await self.inner.call(model, question, features)
        finally:
            self.seconds += time.perf_counter() - began


def _begun(one: Rig, identifier: str) -> str:
    case = one.case
    one.diary.save(
        Diagnosis(
            id=identifier,
            timestamp=NOW,
            start_time=case.start,
            end_time=case.end,
            affected_metrics=case.targets,
            reasoner="llm",
        )
    )
    return identifier


def _over(one: Rig, gateway: ModelGateway) -> None:
    """The rig with one ledger for all, and another gateway."""
    ledger = gather(one.case, EvidenceSettings())
    one.investigator._around = replace(
        one.investigator._around,
        gather=lambda _request: ledger,
        models=ModelDesk(gateway, lambda _request: one.case),
    )


@pytest.mark.parametrize("count", [6, pytest.param(100, marks=pytest.mark.endurance)])
async def test_a_budget_holds_over_investigations_at_the_same_time(
    count: int, server: FakeModelServer, database: Database
) -> None:
    budget = 0.05 * count / 6
    settings = settings_for(
        "honest", server, budget_usd_per_day=budget, max_tokens=2_000, timeout_seconds=600
    )
    one = rig(settings, sleep=hurried)
    calls = StoredCalls(UsageStore(database))
    one.gateway._calls = calls
    _over(one, one.gateway)
    names = [_begun(one, f"D-{i}") for i in range(count)]
    done = await asyncio.gather(*(one.investigator.run(name) for name in names))
    spent = UsageStore(database).spent(NOW.replace(hour=0, minute=0))
    assert spent <= budget
    assert {diagnosis.status for diagnosis in done} == {"done"}
    without = [diagnosis for diagnosis in done if diagnosis.reasoner == "statistical"]
    assert 0 < len(without) < count
    assert all("budget" in str(diagnosis.fallback_reason) for diagnosis in without)
    answered = sum(len(calls.of(name)) for name in names)
    told = f"{answered} calls, ${spent:.4f} of ${budget:.2f}, {len(without)} without the model"
    sys.stdout.write(f"{count} at once: {told}\n")


@pytest.mark.endurance
async def test_an_investigation_takes_little_beside_the_models_own_time(
    server: FakeModelServer, tmp_path: Path
) -> None:
    one = rig(settings_for("tools", server), a_case())
    timed = Timed(one.gateway._endpoint)
    one.gateway._endpoint = timed
    _over(one, one.gateway)
    took: list[float] = []
    async with open_checkpoints(tmp_path / "checkpoints.db") as checkpointer:
        investigator = Investigator(one.investigator._around, checkpointer)
        for i in range(120):
            began, timed.seconds = time.perf_counter(), 0.0
            diagnosis = await investigator.run(_begun(one, f"D-{i}"))
            took.append(time.perf_counter() - began - timed.seconds)
            assert diagnosis.reasoner == "llm"
    took.sort()
    median, late = (took[at] * 1e3 for at in (60, 114))
    sys.stdout.write(f"beside the model: median {median:.0f} ms, p95 {late:.0f} ms, max {took[-1]:.2f} s\n")
    assert took[114] < 0.3
