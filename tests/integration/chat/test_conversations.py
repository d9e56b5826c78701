"""Conversations over the real API, the real chat and a real database."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_desk import LATENCY, NASTY, NOW
from chat_rig import Talk, serving

from agent.chat.asked import Asked
from agent.chat.desk_tools import Tools
from db.records import ChatMessage
from service.rest_client import server_sent


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    with serving(tmp_path_factory.mktemp("chat")) as served:
        yield served


def test_why_names_the_cause_and_cites_incident_diagnosis_and_evidence(talk: Talk) -> None:
    answer = talk.ask("why did pnl drop?").json()
    assert "the gateway of bybit is slow" in answer["answer"]
    assert "72 %" in answer["answer"]
    cited = {(one["kind"], one["id"]) for one in answer["citations"]}
    assert {("incident", "I-1"), ("diagnosis", "D-1"), ("evidence", "E1")} <= cited
    assert [one["name"] for one in answer["tool_calls"]] == ["list_incidents", "get_incident"]


def test_a_value_is_the_stored_one_and_cites_its_series(talk: Talk) -> None:
    answer = talk.ask("what is the ack latency on bybit right now?").json()
    series = next(one for one in talk.service.parts.stores.series.all() if one.name == LATENCY)
    _, values = talk.service.parts.stores.samples.read(series.id, NOW.replace(hour=11), NOW)
    assert f"{values[-1]:.1f} ms" in answer["answer"]
    assert {"kind": "series", "id": LATENCY} in answer["citations"]


def test_a_thread_is_remembered_and_its_messages_are_stored(talk: Talk) -> None:
    first = talk.ask("why did pnl drop?").json()
    second = talk.ask("what should I do first?", first["thread_id"]).json()
    assert "Route hedges to another venue" in second["answer"]
    stored = talk.client.get(f"/api/v1/chat/{first['thread_id']}", headers=talk.role("viewer")).json()
    assert [one["role"] for one in stored["items"]] == ["user", "assistant"] * 2
    listed = talk.client.get("/api/v1/chat", headers=talk.role("viewer")).json()["items"]
    assert first["thread_id"] in {one["id"] for one in listed}


def test_another_persons_thread_is_not_there_in_any_way(talk: Talk) -> None:
    thread = talk.ask("is everything ok?").json()["thread_id"]
    operator = talk.role("operator")
    assert talk.ask("and now?", thread, "operator").status_code == 404
    assert talk.client.get(f"/api/v1/chat/{thread}", headers=operator).status_code == 404
    assert talk.client.get(f"/api/v1/chat/{thread}/events", headers=operator).status_code == 404
    assert talk.client.post(f"/api/v1/chat/{thread}/cancel", headers=operator).status_code == 404
    assert thread not in {
        one["id"] for one in talk.client.get("/api/v1/chat", headers=operator).json()["items"]
    }


def test_an_answer_streams_as_events_and_is_replayed_from_where_it_broke_off(talk: Talk) -> None:
    events = talk.stream("why did pnl drop?")
    names = [name for name, _ in events]
    assert names[0] == "run.started"
    assert names[-2:] == ["usage", "run.finished"]
    assert {"step.started", "tool.started", "tool.finished", "step.finished", "token"} <= set(names)
    ended = events[-1][1]
    assert "".join(data["text"] for name, data in events if name == "token") == ended["answer"]
    headers = {**talk.role("viewer"), "Last-Event-ID": "4"}
    again = talk.client.get(f"/api/v1/chat/{ended['thread_id']}/events", headers=headers)
    assert list(server_sent(iter(again.text.splitlines()))) == events[4:]
    assert "id: 5\n" in again.text


def test_only_an_operator_starts_a_diagnosis(talk: Talk) -> None:
    refused = talk.ask("diagnose A-1").json()
    assert "takes the role operator" in refused["answer"]
    begun = talk.ask("diagnose A-1", role="operator").json()
    assert ("diagnosis", "D-2") in {(one["kind"], one["id"]) for one in begun["citations"]}


def test_text_from_outside_is_quoted_and_nothing_in_it_is_obeyed(talk: Talk) -> None:
    answer = talk.ask("show me evidence E2 of D-1").json()["answer"]
    assert f"“{NASTY}”" in answer
    assert "[D-" in answer


def test_what_is_not_known_is_said_with_what_is(talk: Talk) -> None:
    answer = talk.ask("what is the price of DOGE?").json()
    assert "no data" in answer["answer"]
    assert answer["citations"] == []
    unknown = talk.ask("what is the ack latency on kraken?").json()["answer"]
    assert "“kraken”" in unknown
    assert "bybit" in unknown


def test_every_number_of_an_answer_was_returned_by_a_tool(talk: Talk) -> None:
    for question in ("pnl today", "compare pnl today with yesterday", "what happened today?", "explain A-1"):
        assert "(unverified)" not in talk.ask(question).json()["answer"]


def test_threads_survive_a_restart_and_half_told_answers_are_ended(tmp_path: Path) -> None:
    with serving(tmp_path) as before:
        thread = before.ask("why did pnl drop?").json()["thread_id"]
        stores = before.service.parts.stores
        run = stores.runs.start("chat", thread, NOW)
        stores.chats.append(thread, ChatMessage(0, "user", "and then?", NOW, run_id=run.id))
    with serving(tmp_path) as after:
        events = after.client.get(f"/api/v1/chat/{thread}/events", headers=after.role("viewer"))
        names = [name for name, _ in server_sent(iter(events.text.splitlines()))]
        assert names == ["error", "run.finished"]
        assert "Route hedges" in after.ask("what should I do first?", thread).json()["answer"]


def test_a_conversation_lasts_on_either_database(database_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, database_url=database_url) as before:
        thread = before.ask("why did pnl drop?").json()["thread_id"]
        assert "“" in before.ask("show me evidence E2 of D-1", thread).json()["answer"]
        events = before.client.get(
            f"/api/v1/chat/{thread}/events", headers={**before.role("viewer"), "Last-Event-ID": "2"}
        )
        assert "id: 3\n" in events.text
        assert "id: 2\n" not in events.text
    with serving(tmp_path, database_url=database_url) as after:
        assert "Route hedges" in after.ask("what should I do first?", thread).json()["answer"]
        stored = after.client.get(f"/api/v1/chat/{thread}", headers=after.role("viewer")).json()
        assert [one["role"] for one in stored["items"]] == ["user", "assistant"] * 3


def test_stop_ends_an_answer_between_two_tools(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    calling, goes_on = threading.Event(), threading.Event()
    whole = Asked.call

    def slow(self: Asked, tool: Any, **arguments: Any) -> Any:
        if tool.__name__ == "get_incident":
            calling.set()
            goes_on.wait(10)
        return whole(self, tool, **arguments)

    monkeypatch.setattr(Asked, "call", slow)
    said: list[Any] = []
    asking = threading.Thread(target=lambda: said.append(talk.ask("why did pnl drop?").json()))
    asking.start()
    assert calling.wait(10)
    thread = talk.service.parts.stores.chats.list("viewer").items[0].id
    stopped = talk.client.post(f"/api/v1/chat/{thread}/cancel", headers=talk.role("viewer")).json()
    goes_on.set()
    asking.join(10)
    assert stopped == {"stopped": 1}
    assert said[0]["answer"] == "Stopped."
    assert talk.service.parts.stores.runs.of_subject(thread)[0].status == "cancelled"


def test_tools_have_schemas_that_a_model_could_be_given() -> None:
    from pydantic import TypeAdapter  # noqa: PLC0415

    for name in ("series_statistics", "money", "movers", "list_incidents", "log_templates", "list_events"):
        schema = TypeAdapter(getattr(Tools, name)).json_schema()
        assert json.dumps(schema)
