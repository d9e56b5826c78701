"""Whatever a model or its endpoint does, there is a usable diagnosis in time that says what happened."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from model_rig import Rig, hurried, rig, settings_for

from domain.diagnosis import STEP_NAMES, Diagnosis
from evaluation.fake_model.behaviours import BEHAVIOURS
from evaluation.fake_model.server import FakeModelServer

# What each behaviour comes to: who reasoned, how many calls were made, words of the reason.
MODEL: dict[str, int] = {
    "honest": 2,
    "tools": 3,
    "needs": 3,
    "obedient": 3,
    "inventing": 3,
    "no-usage": 2,
    "429-ms": 3,
    "429-bare": 3,
    "500-once": 3,
    "truncated-once": 3,
    "bad-json-once": 3,
    "fenced": 2,
    "odd-tools": 3,
    "control": 2,
    "no-schema": 3,
    "no-tools": 3,
    "no-stream": 3,
    "alternating": 4,
}
STATISTICAL: dict[str, tuple[int, str]] = {
    "hang": (1, "in time"),
    "drip": (1, "in time"),
    "stall": (1, "in time"),
    "reset": (3, "reached or broke off"),
    "cut": (3, "ended early"),
    "html": (2, "could not be read"),
    "redirect": (1, "not followed"),
    "broken": (2, "could not be read"),
    "no-choices": (2, "could not be read"),
    "429": (1, "less often"),
    "429-date": (1, "less often"),
    "quota": (1, "no quota left"),
    "401": (1, "does not accept the key"),
    "403": (1, "does not accept the key"),
    "404": (1, "does not know this model"),
    "500": (3, "HTTP 500"),
    "502": (3, "HTTP 502"),
    "503": (3, "HTTP 503"),
    "504": (3, "HTTP 504"),
    "529": (3, "HTTP 529"),
    "truncated": (2, "cut off at its length limit"),
    "bad-json": (2, "JSON"),
    "wrong-schema": (2, "wrong shape"),
    "nan": (2, "not valid JSON"),
    "null": (2, "no JSON object"),
    "empty": (1, "answered nothing"),
    "refusal": (1, "refused"),
    "filter": (1, "refused"),
    "declines": (2, "no JSON object"),
    "tool-loop": (2, "asking for tools"),
    "tool-flood": (3, "asking for tools"),
    "huge": (2, "cut off at its length limit"),
    "context": (2, "too long"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


def _usable(diagnosis: Diagnosis) -> None:
    assert diagnosis.status == "done"
    assert diagnosis.outcome == "cause_found"
    assert [step.name for step in diagnosis.steps] == list(STEP_NAMES)
    assert all(step.text for step in diagnosis.steps)
    assert diagnosis.executive_summary
    assert diagnosis.primary_hypothesis is not None
    assert diagnosis.primary_hypothesis.cause == "venue_gateway_latency"
    assert 0 <= diagnosis.confidence_score <= 1
    assert diagnosis.immediate_actions


async def _run(behaviour: str, server: FakeModelServer) -> tuple[Rig, Diagnosis, float]:
    slow = behaviour in {"hang", "drip", "stall"}
    # What an endpoint asks for is waited for; only our own pauses are cut short.
    sleep = asyncio.sleep if behaviour == "429-ms" else hurried
    one = rig(settings_for(behaviour, server, timeout_seconds=1.5 if slow else 20), sleep=sleep)
    started = time.monotonic()
    diagnosis = await one.diagnose()
    return one, diagnosis, time.monotonic() - started


def test_every_behaviour_of_the_fake_model_is_tried() -> None:
    assert set(MODEL) | set(STATISTICAL) == set(BEHAVIOURS)


@pytest.mark.parametrize("behaviour", MODEL)
async def test_what_can_be_mended_is_mended(behaviour: str, server: FakeModelServer) -> None:
    one, diagnosis, seconds = await _run(behaviour, server)
    _usable(diagnosis)
    assert diagnosis.reasoner == "llm"
    assert diagnosis.llm_model_used == f"fake-{behaviour}"
    assert diagnosis.fallback_reason is None
    assert len(one.calls.calls) == MODEL[behaviour]
    assert diagnosis.verification.verified > 50
    assert seconds < 30


@pytest.mark.parametrize("behaviour", STATISTICAL)
async def test_what_cannot_be_mended_leaves_the_statistical_diagnosis(
    behaviour: str, server: FakeModelServer
) -> None:
    sent = len(server.requests)
    one, diagnosis, seconds = await _run(behaviour, server)
    calls, words = STATISTICAL[behaviour]
    _usable(diagnosis)
    assert diagnosis.reasoner == "statistical"
    assert diagnosis.llm_model_used is None
    assert diagnosis.fallback_reason is not None
    assert words in diagnosis.fallback_reason
    assert "sk-canary" not in diagnosis.model_dump_json()
    assert len(server.requests) - sent <= calls if behaviour != "429" else True
    assert seconds < 30
    if behaviour != "429":
        assert len(one.calls.calls) == calls


async def test_an_answer_that_was_cut_off_is_asked_for_once_more_and_by_less(server: FakeModelServer) -> None:
    sent = len(server.requests)
    await _run("truncated", server)
    first, second = (str(one["messages"]) for one in server.requests[sent:])
    assert len(second) < len(first)
    assert "one short sentence" in second
    assert "one short sentence" not in first


async def test_redirects_are_not_followed(server: FakeModelServer) -> None:
    await _run("redirect", server)
    assert server.redirected == 0


async def test_retry_after_is_waited_for(server: FakeModelServer) -> None:
    one = rig(settings_for("429", server, timeout_seconds=2.0))
    started = time.monotonic()
    diagnosis = await one.diagnose()
    # The second try may come after one second only, and the third would miss the deadline.
    assert one.outcomes() == ["rate_limited"] * 2
    assert 1.0 <= time.monotonic() - started < 2.0
    assert diagnosis.reasoner == "statistical"


async def test_a_dead_endpoint_is_left_alone_and_tried_again_later(server: FakeModelServer) -> None:
    one = rig(settings_for("quota", server))
    sent = len(server.requests)
    for i in range(6):
        diagnosis = await one.diagnose(f"D-{i}")
        assert diagnosis.reasoner == "statistical"
        assert "no quota left" in str(diagnosis.fallback_reason)
    assert len(server.requests) - sent == 1


async def test_the_responses_api_does_as_well(server: FakeModelServer) -> None:
    diagnosis = await rig(settings_for("tools", server, api="responses")).diagnose()
    assert diagnosis.reasoner == "llm"
    assert diagnosis.usage.input_tokens > 1_000
    assert any(one.kind == "query" for one in diagnosis.evidence)


async def test_a_fallback_model_is_asked_once(server: FakeModelServer) -> None:
    one = rig(settings_for("503", server, fallback_model="fake-honest"), sleep=hurried)
    diagnosis = await one.diagnose()
    assert diagnosis.reasoner == "llm"
    assert [call.model for call in one.calls.calls].count("fake-honest") == 2


async def test_without_a_budget_left_the_statistical_diagnosis_stands(server: FakeModelServer) -> None:
    sent = len(server.requests)
    diagnosis = await rig(settings_for("honest", server, budget_usd_per_day=0.0)).diagnose()
    _usable(diagnosis)
    assert "budget" in str(diagnosis.fallback_reason)
    assert len(server.requests) == sent


async def test_cost_is_known_or_said_to_be_unknown(server: FakeModelServer) -> None:
    priced = await rig(settings_for("honest", server)).diagnose()
    used = priced.usage
    assert used.cost_usd == pytest.approx((used.input_tokens + 4 * used.output_tokens) / 1e6, abs=1e-6)
    assert (await rig(settings_for("honest", server, prices={})).diagnose()).usage.cost_usd is None
    assert (await rig(settings_for("no-usage", server)).diagnose()).usage.cost_usd is None


async def test_steps_tools_tokens_and_usage_are_told_as_they_come(server: FakeModelServer) -> None:
    one = rig(settings_for("tools", server))
    diagnosis = await one.diagnose()
    names = [name for name, _ in one.diary.events]
    assert names[0] == "run.started"
    assert names[-1] == "run.finished"
    assert names.count("step.finished") == 6
    assert names.index("tool.started") < names.index("tool.finished") < names.index("step.finished")
    assert one.diary.named("tool.finished")[0]["error"] is None
    told = "".join(str(data["text"]) for data in one.diary.named("token")).strip()
    assert told == diagnosis.executive_summary
    assert len(one.diary.named("usage")) == 4


async def test_calls_that_were_paid_are_not_paid_again(server: FakeModelServer) -> None:
    first = rig(settings_for("tools", server))
    before = await first.diagnose()
    sent = len(server.requests)
    # Another process, the same record of calls: the run was killed before its diagnosis was stored.
    again = await rig(settings_for("tools", server), calls=first.calls).diagnose()
    assert len(server.requests) == sent
    kept = {"analysis_duration", "steps"}
    assert again.model_dump(exclude=kept) == before.model_dump(exclude=kept)
    assert [one.text for one in again.steps] == [one.text for one in before.steps]


async def test_a_cancelled_run_ends_its_call(server: FakeModelServer) -> None:
    one = rig(settings_for("hang", server))
    task = asyncio.ensure_future(one.diagnose())
    for _ in range(300):
        if one.calls.calls:
            break
        await asyncio.sleep(0.02)
    started = time.monotonic()
    for _ in range(300):
        if server.hanging:
            break
        await asyncio.sleep(0.02)
    hung = server.hanging
    cancelled = await one.investigator.cancel("D-1")
    assert cancelled.status == "cancelled"
    assert time.monotonic() - started < 5
    # The connection is closed with it: the server generates for nobody.
    for _ in range(300):
        if server.hanging < hung:
            break
        await asyncio.sleep(0.02)
    assert server.hanging < hung
    assert (await task).status == "cancelled"
    assert len(one.calls.calls) == 1
