"""A chat behind the real API over a seeded desk, with or without a model."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from api_desk import NOW, TOKENS, seed, token_settings
from model_rig import gateway_for, hurried

from agent.model.call_log import Call
from agent.model.settings import LlmSettings
from api.app import create_app
from api.server import bind, build_server
from api.service_port import ChatAnswer
from api.settings import Role, ServerSettings
from db.records import RunEvent
from evaluation.fake_model.server import FakeModelServer
from service.chat import Chat
from service.chat_data import StoredDesk
from service.chat_model import build_chat_model
from service.chat_turn import ChatStores
from service.model_calls import StoredCalls
from service.rest_client import server_sent
from service.settings import settings_from
from service.wiring import Service, build_service


@dataclass
class Talk:
    """A served chat."""

    service: Service
    client: httpx2.Client
    url: str

    def ask(self, message: str, thread: str | None = None, role: Role = "viewer") -> Any:
        body = {"message": message, **({"thread_id": thread} if thread else {})}
        return self.client.post("/api/v1/chat", json=body, headers=self.role(role))

    def role(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKENS[role]}"}

    def stream(self, message: str, role: Role = "viewer") -> list[tuple[str, Any]]:
        headers = {"Accept": "text/event-stream", **self.role(role)}
        with self.client.stream("POST", "/api/v1/chat", json={"message": message}, headers=headers) as answer:
            assert answer.status_code == 200
            return list(server_sent(answer.iter_lines()))


@contextmanager
def serving(
    folder: Path, llm: Mapping[str, Any] | None = None, database_url: str | None = None
) -> Iterator[Talk]:
    """A service with a stopped clock and a seeded desk; its scheduler does not run.

    Args:
        folder: for its database, unless another one is named.
        llm: the section of a model.
        database_url: of an empty or a seeded database.
    """
    url = database_url or f"sqlite:///{folder / 'chat.db'}"
    settings = settings_from({"database": {"url": url}, **({"llm": dict(llm)} if llm else {})})
    service = build_service(settings, clock=lambda: NOW)
    stores, database = service.parts.stores, service.parts.database
    if not stores.series.all():
        seed(stores, database)
    service.parts.investigations.start()
    service.analyst.start_chat()
    server_settings = ServerSettings(port=0)
    app = create_app(service.analyst, stores, server_settings, token_settings())
    server = build_server(app, service.live, server_settings)
    listening = bind(server_settings, token_settings())
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield Talk(service, client, url)
    finally:
        server.should_exit = True
        thread.join(10)
        service.analyst.stop_chat()
        service.parts.investigations.stop()
        service.parts.sources.close()
        database.close()


def section(behaviour: str, server: FakeModelServer, **more: Any) -> dict[str, Any]:
    """The configuration of a model that behaves so."""
    model = f"fake-{behaviour}"
    slow = behaviour in {"hang", "drip", "stall"}
    return {
        "model": model,
        "base_url": server.base_url,
        "prices": {model: {"input": 1.0, "output": 4.0}},
        "chat_timeout_seconds": 1.2 if slow else 20.0,
        "budget_usd_per_day": 100.0,
        **more,
    }


@dataclass
class Asking:
    """A chat of its own over the stored desk, with one model."""

    talk: Talk
    chat: Chat

    def ask(self, message: str, thread: str | None = None, role: Role = "viewer") -> ChatAnswer:
        return self.chat.answer(message, thread, "tester", role)

    def ended(self, thread: str) -> Any:
        """The last event of the newest answer of a thread."""
        return self.events(thread)[-1].data

    def events(self, thread: str) -> list[RunEvent]:
        runs = self.talk.service.parts.stores.runs
        return runs.after(runs.of_subject(thread)[-1].id)

    def calls(self, thread: str) -> Sequence[Call]:
        """The calls that were made for the newest answer of a thread."""
        stores = self.talk.service.parts.stores
        return StoredCalls(stores.usage).of(f"{thread}/{stores.runs.of_subject(thread)[-1].id}")


@contextmanager
def chat_with(talk: Talk, behaviour: str, server: FakeModelServer, **more: Any) -> Iterator[Asking]:
    """Another model behind the same desk, impatient between two tries."""
    parts = talk.service.parts
    settings = LlmSettings.model_validate(section(behaviour, server, **more))
    # What an endpoint asks for is waited for; only our own pauses are cut short.
    sleep = asyncio.sleep if behaviour == "429-ms" else hurried
    gateway = gateway_for(settings, StoredCalls(parts.stores.usage), sleep)
    analyst = talk.service.analyst
    data = StoredDesk(
        parts.stores,
        parts.windows,
        parts.clock,
        health=analyst.sources,
        budget=analyst.budget_left_usd,
        begin=analyst.diagnose,
    )
    stores = ChatStores(parts.stores.chats, parts.stores.runs)
    chat = Chat(data, stores, parts.clock, analyst.budget_left_usd, build_chat_model(gateway))
    yield Asking(talk, chat)
    chat.close()
