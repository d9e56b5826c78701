"""A bounded number of investigations use the model at once; nearly the same is not put to it twice."""

import asyncio
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

from agent.model.settings import LlmSettings
from domain.diagnosis import Diagnosis, Hypothesis, ReasonerName
from service.model_turns import ModelTurns

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _diagnosis(component: str = "gateway:okx", reasoner: ReasonerName = "statistical") -> Diagnosis:
    primary = Hypothesis(
        id="H1", title="t", cause="slow", component=component, description="", confidence=0.9
    )
    return Diagnosis(
        timestamp=NOW,
        start_time=NOW,
        end_time=NOW,
        affected_metrics=("pnl", "latency"),
        primary_hypothesis=primary,
        reasoner=reasoner,
    )


def _done(diagnosis: Diagnosis) -> "Future[Diagnosis]":
    future: Future[Diagnosis] = Future()
    future.set_result(diagnosis)
    return future


def test_nearly_the_same_is_known_for_a_while() -> None:
    turns = ModelTurns(LlmSettings(reuse_minutes=30))
    turns.began(_diagnosis(), "D-2", NOW)
    turns.ended(_diagnosis(), _done(_diagnosis(reasoner="llm")))
    assert turns.alike(_diagnosis(), NOW + timedelta(minutes=29)) == "D-2"
    assert turns.alike(_diagnosis("gateway:bybit"), NOW) is None
    assert turns.alike(_diagnosis(), NOW + timedelta(minutes=31)) is None


def test_one_that_the_model_did_not_answer_is_put_to_it_again() -> None:
    turns = ModelTurns(None)
    turns.began(_diagnosis(), "D-2", NOW)
    turns.ended(_diagnosis(), _done(_diagnosis()))
    assert turns.alike(_diagnosis(), NOW) is None


async def test_no_more_than_so_many_run_at_once() -> None:
    turns = ModelTurns(LlmSettings(concurrency=2))
    running = most = 0

    async def work() -> Diagnosis:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return _diagnosis()

    assert not turns.full
    tasks = [asyncio.ensure_future(turns.in_turn(work())) for _ in range(50)]
    await asyncio.sleep(0)
    assert turns.full
    await asyncio.gather(*tasks)
    assert most == 2
    assert not turns.full
