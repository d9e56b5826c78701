"""The other end of Slack's Socket Mode: it greets, hands out envelopes, collects acknowledgements."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class FakeSocket:
    """Envelopes go to every open connection; `acknowledged` holds what came back, by envelope id."""

    url: str = ""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    connections: list[web.WebSocketResponse] = field(default_factory=list)
    opened: int = 0
    acknowledged: dict[str, Any] = field(default_factory=dict)

    def send(self, kind: str, payload: Mapping[str, Any], envelope_id: str) -> None:
        """Hand out one envelope."""
        envelope = {
            "type": kind,
            "envelope_id": envelope_id,
            "payload": dict(payload),
            "accepts_response_payload": kind != "events_api",
        }
        self._run(self._to_all(json.dumps(envelope)))

    def drop(self) -> None:
        """End the connections, as Slack does every few hours."""
        self._run(self._close_all())

    async def _to_all(self, text: str) -> None:
        for one in list(self.connections):
            await one.send_str(text)

    async def _close_all(self) -> None:
        for one in list(self.connections):
            await one.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        self.connections.append(socket)
        self.opened += 1
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                answer = json.loads(message.data)
                self.acknowledged[answer["envelope_id"]] = answer.get("payload")
        self.connections.remove(socket)
        return socket


@contextmanager
def fake_socket() -> Iterator[FakeSocket]:
    """A socket that listens until the block ends."""
    fake = FakeSocket()
    app = web.Application()
    app.router.add_get("/link", fake.serve)
    runner = web.AppRunner(app)
    thread = threading.Thread(target=fake.loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"ws://{host}:{port}/link?ticket=secret-ticket"

    fake.url = asyncio.run_coroutine_threadsafe(begin(), fake.loop).result(10)
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), fake.loop).result(10)
        fake.loop.call_soon_threadsafe(fake.loop.stop)
        thread.join(10)
        fake.loop.close()
