"""Chat Completions and Responses over HTTP, with streaming, tools and usage, in one thread per connection."""

import json
import select
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from evaluation.fake_model.behaviours import BEHAVIOURS, Turn
from evaluation.fake_model.reader import read_prompt
from evaluation.fake_model.wire import chat_body, chat_chunks, responses_body, responses_events

HEADER = "x-fake-behaviour"
PREFIX = "fake-"
HANG_S = 600.0
POLL_S = 0.05
DRIP_S = 1.0
MAX_BODY = 10_000_000
MAX_KEPT = 2_000


class FakeModelServer:
    """Serves on loopback while the block lasts.

    The behaviour of a request is that of the header `x-fake-behaviour`, else of a model named
    `fake-BEHAVIOUR`, else the server's own.

    Args:
        behaviour: one of BEHAVIOURS.
        port: 0 takes a free one.
        delay_s: time before an answer begins.
    """

    def __init__(self, behaviour: str = "honest", *, port: int = 0, delay_s: float = 0.0) -> None:
        self.behaviour = behaviour
        self.delay_s = delay_s
        self.requests: list[Mapping[str, Any]] = []
        self.redirected = 0
        # Requests that hang now: a client that leaves ends its own.
        self.hanging = 0
        self.stopping = threading.Event()
        self._numbers: Counter[str] = Counter()
        self.guard = threading.Lock()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.fake = self
        self.port = int(self._http.server_address[1])
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def turn(self, body: Mapping[str, Any], header: str | None) -> Turn:
        """What a request gets."""
        name = header or str(body.get("model", "")).removeprefix(PREFIX)
        name = name if name in BEHAVIOURS else self.behaviour
        with self.guard:
            number = self._numbers[name]
            self._numbers[name] += 1
            self.requests = [*self.requests, body][-MAX_KEPT:]
        messages = body.get("messages") or body.get("input") or []
        messages = messages if isinstance(messages, list) else [{"role": "user", "content": messages}]
        return BEHAVIOURS[name](read_prompt(messages, tools=bool(body.get("tools"))), number, body)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    fake: FakeModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news; a fault of our own is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
        """Quiet."""

    def do_GET(self) -> None:
        """The list of models, and the place that a redirect leads to."""
        if self.path.startswith("/elsewhere"):
            self.server.fake.redirected += 1
        models = [{"id": f"{PREFIX}{name}", "object": "model"} for name in BEHAVIOURS]
        self._send(200, json.dumps({"object": "list", "data": models}).encode())

    def do_POST(self) -> None:
        """One completion."""
        if self.path.startswith("/elsewhere"):
            self.server.fake.redirected += 1
        length = min(int(self.headers.get("content-length", 0)), MAX_BODY)
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            self._send(400, b'{"error": {"message": "not JSON"}}')
            return
        fake = self.server.fake
        turn = fake.turn(body, self.headers.get(HEADER))
        if fake.delay_s:
            fake.stopping.wait(fake.delay_s)
        if turn.status != 200:
            self._error(turn)
        elif turn.wire and self._trouble(turn):
            return
        elif self.path.endswith("/responses"):
            self._responses(turn, body)
        else:
            self._chat(turn, body)

    def _chat(self, turn: Turn, body: Mapping[str, Any]) -> None:
        if body.get("stream"):
            self._stream(chat_chunks(turn, body), turn)
        else:
            self._send(200, json.dumps(chat_body(turn, body)).encode())

    def _responses(self, turn: Turn, body: Mapping[str, Any]) -> None:
        if body.get("stream"):
            self._stream(responses_events(turn, body), turn)
        else:
            self._send(200, json.dumps(responses_body(turn, body)).encode())

    def _error(self, turn: Turn) -> None:
        code, message = turn.error
        content = {"error": {"message": message, "type": code or None, "code": code or None}}
        kind = "text/html" if message.startswith("<") else "application/json"
        data = message.encode() if message.startswith("<") else json.dumps(content).encode()
        self._send(turn.status, data, kind, turn.headers)

    def _trouble(self, turn: Turn) -> bool:
        """Trouble before any answer; false where it comes inside the stream."""
        if turn.wire == "hang":
            self._hang()
        elif turn.wire == "reset":
            # Closing with linger 0 sends a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif turn.wire == "html":
            self._send(200, b"<html><body>Sign in to the gateway</body></html>", "text/html")
            return True
        elif turn.wire == "redirect":
            place = f"http://127.0.0.1:{self.server.fake.port}/elsewhere/chat/completions"
            self._send(307, b"", headers={"location": place})
            return True
        elif turn.wire == "broken":
            self._send(200, b'{"id": "x", "choices": [{"message": ')
            return True
        elif turn.wire == "no_choices":
            self._send(200, b'{"id": "x", "object": "chat.completion", "choices": null}')
            return True
        else:
            return False
        self.close_connection = True
        self.connection.close()
        return True

    def _hang(self) -> None:
        """Wait until the server stops, the client leaves, or very long."""
        fake = self.server.fake
        with fake.guard:
            fake.hanging += 1
        deadline = time.monotonic() + HANG_S
        while time.monotonic() < deadline and not fake.stopping.wait(POLL_S):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        with fake.guard:
            fake.hanging -= 1

    def _stream(self, events: list[str], turn: Turn) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for i, event in enumerate(events):
            if turn.wire == "stall" and i == len(events) // 2:
                self._hang()
            if turn.wire == "cut" and i == len(events) // 2:
                return
            self.wfile.write(event.encode())
            self.wfile.flush()
            if turn.wire == "drip":
                time.sleep(DRIP_S)

    def _send(
        self,
        status: int,
        data: bytes,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
