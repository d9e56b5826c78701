"""Budgets hold whoever asks, and whenever: over a hundred threads and across a restart."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.call_log import Call, Limits
from agent.model.outcomes import ModelFailure
from agent.model.settings import LlmSettings, ModelPrice
from db.database import Database
from db.runs import RunStore
from db.usage import UsageStore
from service.model_calls import DayBudget, StoredCalls, packed, unpacked
from service.run_journal import RunJournal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASSUMED = ModelPrice(input=5.0, output=20.0)


def _call(subject: str, at: datetime = NOW) -> Call:
    return Call(at, "m", subject, "p@1", '{"key": "k"}', 1_000)


def _limits(per_day: float | None, per_subject: float | None = None) -> Limits:
    return Limits(0.01, per_day, per_subject, 8, ASSUMED)


def test_a_hundred_diagnoses_at_once_do_not_exceed_the_budget_of_a_day(database: Database) -> None:
    calls = StoredCalls(UsageStore(database))

    def reserve(number: int) -> bool:
        try:
            calls.reserve(_call(f"D-{number}"), _limits(0.25))
        except ModelFailure:
            return False
        return True

    with ThreadPoolExecutor(100) as pool:
        taken = list(pool.map(reserve, range(100)))
    assert taken.count(True) == 25
    # Another process, or the same one after a restart, reads the same record.
    later = StoredCalls(UsageStore(database))
    with pytest.raises(ModelFailure, match="per day"):
        later.reserve(_call("D-200"), _limits(0.25))
    later.reserve(_call("D-200", NOW + timedelta(days=1)), _limits(0.25))


def test_what_a_call_really_cost_takes_the_place_of_what_was_reserved(database: Database) -> None:
    calls = StoredCalls(UsageStore(database))
    number = calls.reserve(_call("D-1"), _limits(0.011))
    with pytest.raises(ModelFailure):
        calls.reserve(_call("D-2"), _limits(0.011))
    done = Call(NOW, "m", "D-1", "p@1", '{"key": "k"}', 10, 1, 0.0001, '{"outcome": "empty", "detail": ""}')
    calls.settle(number, done)
    calls.reserve(_call("D-2"), _limits(0.011))
    assert [one.cost_usd for one in calls.of("D-1")] == [0.0001]


def test_a_call_of_unknown_cost_counts_at_the_assumed_price(database: Database) -> None:
    calls = StoredCalls(UsageStore(database))
    number = calls.reserve(_call("D-1"), _limits(None))
    calls.settle(number, Call(NOW, "m", "D-1", "p@1", "{}", 1_000, 1_000, None, '{"outcome": "empty"}'))
    with pytest.raises(ModelFailure, match="per day"):
        calls.reserve(_call("D-2"), _limits(0.03))
    calls.reserve(_call("D-2"), _limits(0.04))


def test_what_is_left_counts_calls_of_unknown_cost_as_a_reservation_counts_them(database: Database) -> None:
    store = UsageStore(database)
    calls = StoredCalls(store)
    settings = LlmSettings(budget_usd_per_day=1.0, assumed_price=ASSUMED)
    budget = DayBudget(settings, store, lambda: NOW)
    assert budget.left() == 1.0
    calls.settle(calls.reserve(_call("D-1"), _limits(1.0)), replace(_call("D-1"), answer='{"outcome": "x"}'))
    assert budget.left() == pytest.approx(1.0 - 1_000 * 5.0 / 1e6)
    calls.reserve(_call("D-2"), _limits(1.0))
    assert budget.left() == pytest.approx(0.995 - 0.01)
    assert DayBudget(settings, store, lambda: NOW + timedelta(days=1)).left() == 1.0
    assert DayBudget(LlmSettings(), store, lambda: NOW).left() is None


def test_the_events_of_an_investigation_tell_what_is_left_of_the_budget(database: Database) -> None:
    runs = RunStore(database)
    journal = RunJournal(runs, lambda: NOW, lambda: 0.75)
    journal.append("D-1", "usage", {"cost_usd": 0.25, "budget_left_usd": None})
    (told,) = runs.after(runs.of_subject("D-1")[-1].id)
    assert told.data == {"cost_usd": 0.25, "budget_left_usd": 0.75}


@given(st.text(max_size=3_000))
def test_what_is_stored_compressed_is_read_as_it_was(text: str) -> None:
    assert unpacked(packed(text)) == text


def test_a_prompt_takes_less_than_half_of_its_length_and_old_rows_stay_readable(database: Database) -> None:
    store = UsageStore(database)
    calls = StoredCalls(store)
    lines = "\n".join(
        f"E{i} | shift | gateway:okx | Latency rose from {i}.5 ms to {i * 7} ms." for i in range(80)
    )
    prompt = f'{{"key": "k", "messages": ["{lines}"]}}'
    call = replace(_call("D-1"), prompt=prompt, answer=f'{{"outcome": "answered", "text": "{lines}"}}')
    calls.settle(calls.reserve(_call("D-1"), _limits(None)), call)
    stored = store.calls("D-1")[0]
    assert len(str(stored.prompt)) < len(prompt) / 2
    assert (calls.of("D-1")[0].prompt, calls.of("D-1")[0].answer) == (prompt, call.answer)
    store.add(replace(stored, subject="D-2", prompt=prompt))
    assert calls.of("D-2")[0].prompt == prompt
