"""Stored diagnoses are derived again, byte for byte, from what they were reasoned from."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from model_rig import Rig, a_case, hurried, rig, settings_for
from small_desk import INCIDENTS

from agent.replay import differences, packed, replay, unpacked
from agent.runbooks import load_runbooks
from domain.diagnosis import Diagnosis
from evaluation.fake_model.server import FakeModelServer

BEHAVIOURS = (
    "honest",
    "tools",
    "needs",
    "obedient",
    "inventing",
    "truncated-once",
    "bad-json",
    "500",
    "refusal",
)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


async def _again(one: Rig, diagnosis: Diagnosis) -> list[str]:
    stored = Diagnosis.model_validate_json(diagnosis.model_dump_json())
    record = unpacked(packed(one.diary.kept[diagnosis.id]))
    found = await replay(stored, record, load_runbooks(), one.calls.of(diagnosis.id))
    assert found.notes == ()
    assert found.diagnosis.model_dump_json() == stored.model_dump_json() or differences(
        stored, found.diagnosis
    )
    return differences(stored, found.diagnosis)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_a_replay_gives_the_same_diagnosis(behaviour: str, server: FakeModelServer) -> None:
    one = rig(settings_for(behaviour, server), sleep=hurried)
    assert await _again(one, await one.diagnose()) == []


async def test_a_run_without_budget_is_replayed_as_it_was(server: FakeModelServer) -> None:
    for dollars in (0.0, 0.02):
        one = rig(settings_for("honest", server, budget_usd_per_diagnosis=dollars, max_tokens=4_000))
        diagnosis = await one.diagnose()
        assert diagnosis.fallback_reason is not None
        assert await _again(one, diagnosis) == []


async def test_what_differs_is_named(server: FakeModelServer) -> None:
    one = rig(settings_for("honest", server))
    diagnosis = await one.diagnose()
    forged = diagnosis.model_copy(update={"executive_summary": "All is well.", "confidence_score": 0.01})
    found = await _again(one, forged)
    assert [line.partition(":")[0] for line in found] == ["executive_summary", "confidence_score"]


@pytest.mark.endurance
async def test_two_hundred_diagnoses_are_replayed_without_a_difference(server: FakeModelServer) -> None:
    kinds = sorted(INCIDENTS)
    for i in range(200):
        case = a_case(kinds[i % len(kinds)], i)
        one = rig(settings_for(BEHAVIOURS[i % len(BEHAVIOURS)], server), replace(case), sleep=hurried)
        assert await _again(one, await one.diagnose(f"D-{i}")) == [], i
