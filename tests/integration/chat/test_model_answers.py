"""A model answers in the chat: by looking things up, within bounds, and never by itself."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_desk import LATENCY, NOW
from chat_rig import Talk, chat_with, section, serving

from agent.model.tokens import count_tokens
from api.service_port import ChatAnswer
from domain.event import Event
from evaluation.fake_model.behaviours import BEHAVIOURS
from evaluation.fake_model.server import FakeModelServer
from service.commands.chat import _over_http
from service.model_calls import StoredCalls
from service.rest_client import server_sent

QUESTION = "what is the ack latency on bybit right now?"
# What a model may do so that its answer is used; what makes the reader answer, with words of the reason.
BY_MODEL = (
    *("honest", "tools", "needs", "obedient", "inventing", "no-usage", "429-ms", "429-bare", "500-once"),
    *("truncated", "truncated-once", "fenced", "control", "odd-tools", "bad-json-once"),
    *("no-schema", "no-tools", "no-stream", "alternating"),
)
BY_READER = {
    "hang": "in time",
    "drip": "in time",
    "stall": "in time",
    "reset": "reached or broke off",
    "cut": "reached or broke off",
    "html": "could not be read",
    "redirect": "not followed",
    "broken": "could not be read",
    "no-choices": "could not be read",
    "429": "less often",
    "429-date": "less often",
    "quota": "no quota left",
    "401": "does not accept the key",
    "403": "does not accept the key",
    "404": "does not know this model",
    "500": "HTTP 500",
    "502": "HTTP 502",
    "503": "HTTP 503",
    "504": "HTTP 504",
    "529": "HTTP 529",
    "bad-json": "valid JSON",
    "wrong-schema": "wrong shape",
    "nan": "wrong shape",
    "null": "no sentence",
    "empty": "answered nothing",
    "refusal": "refused",
    "filter": "refused",
    "declines": "had no answer",
    "tool-loop": "asking for tools",
    "tool-flood": "asking for tools",
    "huge": "no sentence",
    "context": "too long",
}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, server: FakeModelServer) -> Iterator[Talk]:
    with serving(tmp_path_factory.mktemp("model"), section("tools", server)) as served:
        yield served


def last_latency(talk: Talk) -> str:
    series = next(one for one in talk.service.parts.stores.series.all() if one.name == LATENCY)
    _, values = talk.service.parts.stores.samples.read(series.id, NOW.replace(hour=11), NOW)
    return f"{values[-1]:.1f} ms"


def test_every_behaviour_of_the_fake_model_is_tried_in_the_chat() -> None:
    assert set(BY_MODEL) | set(BY_READER) == set(BEHAVIOURS)


@pytest.mark.parametrize("behaviour", BY_MODEL)
def test_an_answer_of_a_model_that_can_be_used_is_used(
    behaviour: str, server: FakeModelServer, talk: Talk
) -> None:
    with chat_with(talk, behaviour, server) as one:
        said = one.ask(QUESTION)
        told = one.ended(said.thread_id)
        assert told["model"] == f"fake-{behaviour}"
        assert told["fallback_reason"] is None
        if not behaviour.startswith("truncated"):
            assert last_latency(talk) in said.answer
            assert ("series", LATENCY) in {(cited.kind, cited.id) for cited in said.citations}
        assert [call.name for call in said.tool_calls] == ["list_series", "series_statistics"]
        assert len(one.calls(said.thread_id)) <= 8


@pytest.mark.parametrize("behaviour", BY_READER)
def test_whatever_a_model_does_there_is_an_answer_in_time_that_says_why(
    behaviour: str, server: FakeModelServer, talk: Talk
) -> None:
    with chat_with(talk, behaviour, server) as one:
        started = time.monotonic()
        said = one.ask(QUESTION)
        assert time.monotonic() - started < 20
        told = one.ended(said.thread_id)
        assert told["model"] is None
        assert BY_READER[behaviour] in told["fallback_reason"]
        assert told["fallback_reason"] in said.answer
        assert last_latency(talk) in said.answer
        assert "sk-canary" not in said.answer


def test_a_prompt_that_is_too_long_is_made_shorter_once(server: FakeModelServer, talk: Talk) -> None:
    with chat_with(talk, "context", server) as one:
        thread = one.ask("status?").thread_id
        one.ask("what happened today?", thread)
        sent = len(server.requests)
        said = one.ask(QUESTION, thread)
        first, second = (str(body["messages"]) for body in server.requests[sent:])
        assert len(second) < len(first)
        assert QUESTION in second
        assert [call.cost_usd for call in one.calls(said.thread_id)] == [0.0, 0.0]


def test_a_call_that_reached_nobody_cost_nothing(server: FakeModelServer, talk: Talk) -> None:
    # Port 9 discards; nobody listens there.
    with chat_with(talk, "honest", server, base_url="http://127.0.0.1:9/v1") as one:
        said = one.ask(QUESTION)
        assert "could not be reached" in one.ended(said.thread_id)["fallback_reason"]
        assert [call.cost_usd for call in one.calls(said.thread_id)] == [0.0] * 3


def test_an_answer_streams_as_tokens_with_what_it_used(talk: Talk) -> None:
    events = talk.stream("what happened today?")
    names = [name for name, _ in events]
    answer = events[-1][1]["answer"]
    assert events[0][1]["model"] == "fake-tools"
    assert "".join(data["text"] for name, data in events if name == "token") == answer
    assert names.count("token") > 1
    assert names.index("tool.finished") < names.index("token") < names.index("run.finished")
    used = [data for name, data in events if name == "usage"]
    assert used[-1]["input_tokens"] == sum(one["input_tokens"] for one in used[:-1]) > 1_000
    cost = (used[-1]["input_tokens"] + 4 * used[-1]["output_tokens"]) / 1e6
    assert used[-1]["cost_usd"] == pytest.approx(cost, abs=1e-6)
    assert 0 < used[-1]["budget_left_usd"] < 100.0


def test_an_answer_that_streamed_is_replayed_from_where_it_broke_off(talk: Talk) -> None:
    events = talk.stream("what happened today?")
    headers = {**talk.role("viewer"), "Last-Event-ID": "5"}
    again = talk.client.get(f"/api/v1/chat/{events[-1][1]['thread_id']}/events", headers=headers)
    assert list(server_sent(iter(again.text.splitlines()))) == events[5:]


def test_threads_runs_and_calls_of_a_model_are_stored_on_either_database(
    database_url: str, tmp_path: Path, server: FakeModelServer
) -> None:
    with serving(tmp_path, section("tools", server), database_url) as one:
        said = one.ask(QUESTION).json()
        runs = one.service.parts.stores.runs.of_subject(said["thread_id"])
        calls = StoredCalls(one.service.parts.stores.usage).of(f"{said['thread_id']}/{runs[-1].id}")
        assert [call.model for call in calls] == ["fake-tools"] * 3
        assert all(QUESTION in call.prompt and call.cost_usd for call in calls)
        assert last_latency(one) in said["answer"]
        begun = one.ask("diagnose A-1", role="operator").json()
        identifier = next(cited["id"] for cited in begun["citations"] if cited["kind"] == "diagnosis")
        _eventually(lambda: one.service.parts.stores.diagnoses.get(identifier).status == "done")
        done = one.service.parts.stores.diagnoses.get(identifier)
        assert (done.reasoner, done.fallback_reason) == ("llm", None)
        path = f"/api/v1/diagnoses/{identifier}/events"
        whole = one.client.get(path, headers=one.role("viewer")).text
        rest = one.client.get(path, headers={**one.role("viewer"), "Last-Event-ID": "7"}).text
        assert whole.endswith(rest)
        assert rest.startswith("event: ") or "id: 8" in rest.partition("\n\n")[0]


def test_a_model_may_lean_on_what_was_cited_before(talk: Talk) -> None:
    first = talk.ask("why did pnl drop?").json()
    assert ("diagnosis", "D-1") in {(one["kind"], one["id"]) for one in first["citations"]}
    assert "72 %" in first["answer"]
    second = talk.ask("what should I do first?", first["thread_id"]).json()
    assert "Route hedges to another venue" in second["answer"]
    assert "(unverified)" not in first["answer"] + second["answer"]


def test_what_no_tool_returned_is_marked(server: FakeModelServer, talk: Talk) -> None:
    with chat_with(talk, "inventing", server) as one:
        said = one.ask(QUESTION)
        for lie in ("gateway:kraken", "98765", "03:33", "I-404", "-$77,777,777"):
            assert f"{lie} (unverified)" in said.answer
        assert f"{last_latency(talk)} (unverified)" not in said.answer
        assert "I-404" not in {cited.id for cited in said.citations}


def test_without_a_budget_the_reader_answers_and_nothing_is_sent(server: FakeModelServer, talk: Talk) -> None:
    sent = len(server.requests)
    with chat_with(talk, "tools", server, budget_usd_per_day=0.0) as one:
        assert "the budget for language models is spent" in one.ask(QUESTION).answer
    with chat_with(talk, "tools", server, budget_usd_per_answer=0.0) as one:
        assert "at most 0 USD for one" in one.ask(QUESTION).answer
    assert len(server.requests) == sent


def test_the_calls_of_one_answer_are_bounded(server: FakeModelServer, talk: Talk) -> None:
    sent = len(server.requests)
    with chat_with(talk, "tools", server, max_calls_per_answer=2) as one:
        said = one.ask(QUESTION)
        assert "at most 2 calls" in one.ended(said.thread_id)["fallback_reason"]
    assert len(server.requests) - sent == 2


def test_equal_calls_end_the_tools(server: FakeModelServer, talk: Talk) -> None:
    with chat_with(talk, "tool-loop", server) as one:
        said = one.ask(QUESTION)
        asked = [data for data in one.events(said.thread_id) if data.type == "tool.started"]
        assert [data.data["name"] for data in asked][:2] == ["desk_status", "list_series"]
        assert len(one.calls(said.thread_id)) == 3


def test_a_model_can_be_kept_out_of_the_chat(server: FakeModelServer, talk: Talk) -> None:
    sent = len(server.requests)
    with chat_with(talk, "tools", server, chat=False) as one:
        said = one.ask(QUESTION)
        assert one.ended(said.thread_id)["fallback_reason"] is None
    assert len(server.requests) == sent


def test_only_an_operator_who_asks_for_it_starts_a_diagnosis(talk: Talk) -> None:
    refused = talk.ask("diagnose A-1").json()["answer"]
    assert "takes the role operator" in refused
    begun = talk.ask("diagnose A-1", role="operator").json()
    assert "start_diagnosis" in [one["name"] for one in begun["tool_calls"]]
    assert any(one["kind"] == "diagnosis" for one in begun["citations"])


def test_stop_ends_the_call_and_its_connection(server: FakeModelServer, talk: Talk) -> None:
    with chat_with(talk, "hang", server, chat_timeout_seconds=60.0) as one:
        thread = talk.ask("is everything ok?").json()["thread_id"]
        said: list[ChatAnswer] = []
        hung = server.hanging
        asking = threading.Thread(target=lambda: said.append(one.ask(QUESTION, thread)))
        asking.start()
        _eventually(lambda: server.hanging == hung + 1)
        started = time.monotonic()
        assert one.chat.cancel(thread) == 1
        asking.join(10)
        assert time.monotonic() - started < 5
        assert said[0].answer == "Stopped."
        # The server sees that nobody listens any more.
        _eventually(lambda: server.hanging == hung)
        assert len(one.calls(thread)) == 1
        assert "cancelled" in str(one.calls(thread)[0].answer)


def _eventually(holds: Any) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_giant_result_of_a_tool_is_cut_to_the_prompt(server: FakeModelServer, talk: Talk) -> None:
    text = "order 4711 was rejected by the venue for reasons unknown " * 3
    at = NOW.replace(month=2, day=20)
    found = [
        Event(timestamp=at, source="news", text=f"{i} {text}", labels={"kind": "news"}) for i in range(1_500)
    ]
    talk.service.parts.stores.events.append(found)
    with chat_with(talk, "tools", server) as one:
        said = one.ask("any news on 2026-02-20?")
        assert one.ended(said.thread_id)["model"] == "fake-tools"
        assert "1500 news" in said.answer
        longest = max(count_tokens(str(sent["messages"][1]["content"])) for sent in server.requests[-2:])
        assert longest < 5_000


def test_the_terminal_shows_the_model_s_answer_as_it_comes(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_ANALYST_TOKEN", talk.role("viewer")["Authorization"].removeprefix("Bearer "))
    events = list(_over_http(talk.url)("is everything ok?", None))
    assert events[0][1]["model"] == "fake-tools"
    assert events[-1][1]["fallback_reason"] is None
