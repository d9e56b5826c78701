"""A bounded number of investigations use the model at once; nearly the same is not put to it twice."""

import asyncio
from datetime import UTC, datetime, timedelta

from agent.model.settings import LlmSettings
from db.database import Database
from db.diagnoses import DiagnosisStore
from domain.diagnosis import Diagnosis, DiagnosisRequest, Hypothesis, ReasonerName
from service.model_turns import ModelTurns

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTINGS = LlmSettings(reuse_minutes=30)


def _found(diagnosis: Diagnosis, component: str = "gateway:okx") -> Diagnosis:
    primary = Hypothesis(
        id="H1", title="t", cause="slow", component=component, description="", confidence=0.9
    )
    return diagnosis.model_copy(update={"status": "done", "primary_hypothesis": primary})


def _asked(
    store: DiagnosisStore, reasoner: ReasonerName, incident: str | None = None, n: int = 0
) -> Diagnosis:
    request = DiagnosisRequest(
        incident_id=incident,
        start_time=NOW - timedelta(hours=1, minutes=n),
        end_time=NOW,
        affected_metrics=("pnl", "latency"),
        reasoner=reasoner,
    )
    return store.create(request, now=NOW).diagnosis


def _statistical(store: DiagnosisStore, component: str = "gateway:okx") -> Diagnosis:
    return _found(_asked(store, "statistical", n=len(component)), component)


def test_nearly_the_same_is_known_for_a_while_to_every_replica_and_after_a_restart(
    database: Database,
) -> None:
    store = DiagnosisStore(database)
    looked = store.save(_found(_asked(store, "llm")))
    turns = ModelTurns(SETTINGS, DiagnosisStore(database))
    assert turns.alike(_statistical(store), NOW + 29 * MINUTE) == looked.id
    assert turns.alike(_statistical(store, "gateway:bybit"), NOW) is None
    assert turns.alike(_statistical(store), NOW + 31 * MINUTE) is None


def test_one_that_the_model_did_not_answer_is_put_to_it_again(database: Database) -> None:
    store = DiagnosisStore(database)
    asked = _asked(store, "llm")
    # A fallback is stored as what it is.
    store.save(_found(asked).model_copy(update={"reasoner": "statistical", "fallback_reason": "no answer"}))
    store.save(_asked(store, "llm", n=1).model_copy(update={"status": "cancelled"}))
    assert ModelTurns(SETTINGS, store).alike(_statistical(store), NOW) is None


def test_what_a_model_looks_at_now_is_not_put_to_it_once_more(database: Database) -> None:
    store = DiagnosisStore(database)
    store.save(_found(_asked(store, "statistical", "I-7")))
    running = _asked(store, "llm", "I-7")
    turns = ModelTurns(SETTINGS, store)
    assert turns.alike(_statistical(store), NOW) == running.id
    assert turns.alike(_statistical(store, "gateway:bybit"), NOW) is None


async def test_no_more_than_so_many_run_at_once(database: Database) -> None:
    turns = ModelTurns(LlmSettings(concurrency=2), DiagnosisStore(database))
    running = most = 0

    async def work() -> Diagnosis:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return Diagnosis(timestamp=NOW, start_time=NOW, end_time=NOW)

    assert not turns.full
    tasks = [asyncio.ensure_future(turns.in_turn(work())) for _ in range(50)]
    await asyncio.sleep(0)
    assert turns.full
    await asyncio.gather(*tasks)
    assert most == 2
    assert not turns.full
