"""A Slack on a loopback socket: the Web API's messages, incoming webhooks, and their ways to fail."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

CHANNEL = "C0ALERTS"
TOKEN = "xoxb-test"
HOOK = "/services/T000/B000/secret"
APP_TOKEN = "xapp-test"
# Faults that Slack answers with, by their status and body.
_ERRORS = (
    "invalid_auth",
    "token_revoked",
    "channel_not_found",
    "is_archived",
    "invalid_blocks",
    "internal_error",
    "ratelimited",
    "message_limit_exceeded",
    "team_added_to_org",
    "org_login_required",
    "accesslimited",
)
_OTHERS = {
    "conversations.replies",
    "usergroups.users.list",
    "views.open",
    "apps.connections.open",
    "chat.postEphemeral",
}
_HOOK_ERRORS = {"no_active_hooks": 404, "invalid_token": 403, "channel_is_archived": 410}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a call meets: a status (200: nothing), an error's name, `hang`, `reset`, `lost` (taken, cut)."""

    mode: str
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    at: float
    body: dict[str, Any]
    fault: str | None


@dataclass
class FakeSlack:
    """Records every call and message; `faults` are met one call each, `always` by all."""

    calls: list[Call] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    whispers: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    socket_url: str = ""
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    inside_retry_after: int = 0
    url: str = ""
    clock: Callable[[], float] = time.monotonic
    lock: threading.Lock = field(default_factory=threading.Lock)
    _blocked_until: float = 0.0
    _stamp: int = 1_700_000_000
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def hook_url(self) -> str:
        return self.url + HOOK

    def posts(self) -> list[dict[str, Any]]:
        """The messages that people see, oldest first."""
        return list(self.messages.values())

    @property
    def response_url(self) -> str:
        """Where an answer to one person goes."""
        return f"{self.url}/commands/T000/1/secret"

    def thread(self, ts: str) -> list[dict[str, Any]]:
        """The answers in a thread, oldest first."""
        return [one for one in self.messages.values() if one.get("thread_ts") == ts]

    def count(self, method: str) -> int:
        return sum(1 for call in self.calls if call.method == method)

    def begin(self, method: str, body: dict[str, Any]) -> Fault | None:
        """Record a call and say which fault it meets."""
        with self.lock:
            now = self.clock()
            if now < self._blocked_until:
                self.inside_retry_after += 1
            fault = self.always or (self.faults.pop(0) if self.faults else None)
            self.calls.append(Call(method, now, body, fault.mode if fault else None))
            if fault and fault.mode == "429" and fault.retry_after:
                self._blocked_until = now + float(fault.retry_after)
            return fault

    def answer(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """What Slack says when nothing is wrong with it."""
        with self.lock:
            if method == "auth.test":
                return {"ok": True, "user": "analyst", "team_id": "T0"}
            if method == "conversations.history":
                shown = [
                    one
                    for one in reversed(self.messages.values())
                    if not one.get("thread_ts") or one.get("reply_broadcast")
                ]
                return {"ok": True, "messages": shown}
            if method in _OTHERS:
                return self._other(method, body)
            if method == "conversations.list":
                return {"ok": True, "channels": [{"id": CHANNEL, "name": "alerts"}]}
            if complaint := self._complaint(body):
                return {"ok": False, "error": complaint}
            return self._update(body) if method == "chat.update" else self.keep(body)

    def _complaint(self, body: dict[str, Any]) -> str | None:
        return too_much(body) if body.get("channel") in {CHANNEL, "#alerts"} else "channel_not_found"

    def _other(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if method == "conversations.replies":
            return {"ok": True, "messages": self.thread(str(body.get("ts")))}
        if method == "usergroups.users.list":
            group = self.groups.get(str(body.get("usergroup")))
            return (
                {"ok": False, "error": "no_such_subteam"} if group is None else {"ok": True, "users": group}
            )
        if method == "views.open":
            if body.get("trigger_id") == "expired":
                return {"ok": False, "error": "expired_trigger_id"}
            self.windows.append(body["view"])
            return {"ok": True, "view": {"id": f"V{len(self.windows)}"}}
        if method == "apps.connections.open":
            return {"ok": True, "url": self.socket_url}
        self.whispers.append(body)
        return {"ok": True, "message_ts": "1.1"}

    def keep(self, body: dict[str, Any]) -> dict[str, Any]:
        self._stamp += 1
        ts = f"{self._stamp}.000100"
        self.messages[ts] = {**body, "ts": ts}
        return {"ok": True, "channel": CHANNEL, "ts": ts}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("channel") != CHANNEL:
            return {"ok": False, "error": "channel_not_found"}
        if body.get("ts") not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[body["ts"]] = body
        return {"ok": True, "channel": CHANNEL, "ts": body["ts"]}


def too_much(body: dict[str, Any]) -> str | None:
    """Slack's own complaint about a message's size, if it has one."""
    blocks = body.get("blocks", [])
    texts = [text for block in blocks for text in _texts(block)]
    if len(blocks) > 50 or any(not _fits(block) for block in blocks):
        return "invalid_blocks"
    if sum(len(text) for text in texts) > 13_200:
        return "msg_blocks_too_long"
    return "msg_too_long" if len(body.get("text", "")) > 40_000 else None


def _texts(block: dict[str, Any]) -> Iterator[str]:
    for one in (block.get("text"), *block.get("fields", []), *block.get("elements", [])):
        text = one.get("text") if isinstance(one, dict) else None
        if isinstance(text, dict):
            text = text.get("text")
        if isinstance(text, str):
            yield text


def _fits(block: dict[str, Any]) -> bool:
    longest = {"header": 150, "section": 3_000, "context": 3_000, "actions": 75}[block["type"]]
    if len(block.get("fields", [])) > 10 or any(len(one["text"]) > 2_000 for one in block.get("fields", [])):
        return False
    if len(block.get("elements", [])) > (25 if block["type"] == "actions" else 10):
        return False
    return all(0 < len(text) <= longest for text in _texts(block))


class _Handler(BaseHTTPRequestHandler):
    slack: FakeSlack
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self._body(self.rfile.read(length))
        method = self._method()
        fault = self.slack.begin(method, body)
        if fault is not None and fault.mode != "200":
            self._meet(fault, method, body)
            return
        if method == "webhook":
            with self.slack.lock:
                self.slack.keep(body)
            self._send(200, b"ok", "text/plain")
        elif method == "response_url":
            self.slack.whispers.append(body)
            self._send(200, b"ok", "text/plain")
        elif self.headers.get("Authorization") != f"Bearer {TOKEN if method[:4] != 'apps' else APP_TOKEN}":
            self._json({"ok": False, "error": "invalid_auth"})
        else:
            self._json(self.slack.answer(method, body))

    def _method(self) -> str:
        if self.path.startswith("/services/"):
            return "webhook"
        return "response_url" if self.path.startswith("/commands/") else self.path.removeprefix("/api/")

    def _body(self, content: bytes) -> dict[str, Any]:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return dict(json.loads(content or b"{}"))
        return dict(parse_qsl(content.decode()))

    def _meet(self, fault: Fault, method: str, body: dict[str, Any]) -> None:
        """Fail as asked."""
        if fault.mode in _ERRORS:
            self._json({"ok": False, "error": fault.mode})
        elif fault.mode in _HOOK_ERRORS:
            self._send(_HOOK_ERRORS[fault.mode], fault.mode.encode(), "text/plain")
        elif fault.mode == "hang":
            self.slack.released.wait(30)
            self.close_connection = True
        elif fault.mode == "reset":
            self._reset()
        elif fault.mode == "lost":
            self._take(method, body)
            self._reset()
        else:
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self._send(int(fault.mode), b"<html>no</html>", "text/html", headers)

    def _take(self, method: str, body: dict[str, Any]) -> None:
        if method == "webhook":
            with self.slack.lock:
                self.slack.keep(body)
        else:
            self.slack.answer(method, body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _json(self, content: dict[str, Any]) -> None:
        self._send(200, json.dumps(content).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionResetError:
            self.close_connection = True  # the service was killed

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True  # a reset connection has nothing to flush

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Stay silent."""


@contextmanager
def fake_slack() -> Iterator[FakeSlack]:
    """A Slack that runs until the block ends."""
    slack = FakeSlack()
    handler = type("Handler", (_Handler,), {"slack": slack})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    slack.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        slack.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
