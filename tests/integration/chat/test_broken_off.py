"""An answer that cannot be stored ends; nobody waits for it for ever."""

from collections.abc import Iterator
from typing import Any

import pytest
from api_desk import NOW
from chat_rig import Talk, serving

from api.routes import chat as chat_route
from db.chat import ChatStore
from db.runs import RunStore
from domain.errors import StoreUnavailable
from service.rest_client import server_sent


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    with serving(tmp_path_factory.mktemp("chat")) as served:
        yield served


def _events(talk: Talk, thread: str) -> list[tuple[str, Any]]:
    answer = talk.client.get(f"/api/v1/chat/{thread}/events", headers=talk.role("viewer"))
    return list(server_sent(iter(answer.text.splitlines())))


@pytest.mark.parametrize(
    ("store", "method", "what"),
    [
        (ChatStore, "append", "user"),
        (RunStore, "append", "run.started"),
        (ChatStore, "append", "assistant"),
        (RunStore, "finish", "run.finished"),
    ],
)
def test_an_answer_that_the_database_did_not_take_is_ended_as_failed(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, store: type[Any], method: str, what: str
) -> None:
    whole = getattr(store, method)
    refused: list[Any] = []

    def failing(self: Any, *arguments: Any) -> Any:
        if what in repr(arguments) and not refused:
            refused.append(arguments)
            raise StoreUnavailable("the database is locked")
        return whole(self, *arguments)

    monkeypatch.setattr(store, method, failing)
    assert talk.ask("why did pnl drop?").status_code == 503
    assert refused
    stores = talk.service.parts.stores
    thread = stores.chats.list("viewer").items[0].id
    assert [one.status for one in stores.runs.of_subject(thread)] == ["failed"]
    name, ended = _events(talk, thread)[-1]
    assert (name, ended["status"]) == ("run.finished", "failed")
    assert talk.service.analyst._chat._stops == {}
    assert talk.ask("and what should I do first?", thread).status_code == 200


def test_who_follows_an_answer_that_was_left_behind_is_let_go(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_route, "_SILENT_SECONDS", 0.3)
    stores = talk.service.parts.stores
    thread = stores.chats.start("viewer", "left behind", NOW).id
    run = stores.runs.start("chat", thread, NOW)
    stores.runs.append(run.id, "run.started", {"kind": "chat"}, NOW)
    assert [name for name, _ in _events(talk, thread)] == ["run.started"]
