"""The HTTP doors of the desk, on loopback: metrics, news, changes, incidents on request."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from collectors.simulator.exposition import OPENMETRICS_TYPE, json_feed, openmetrics, rss
from collectors.simulator.kinds import KINDS
from collectors.simulator.simulation import Simulation

_CHANGES: Final = ("deploy", "config_change", "notice")
_MAX_BODY: Final = 10_000
_MAX_ITEMS: Final = 200
_JSON: Final = "application/json"

Answer = tuple[HTTPStatus, str, bytes]


class DeskServer(ThreadingHTTPServer):
    """Serves one simulation on 127.0.0.1; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, simulation: Simulation, now: Callable[[], datetime]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.simulation = simulation
        self.now = now

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: DeskServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        door = _GET.get(parts.path)
        if door is None:
            self._send(_problem(HTTPStatus.NOT_FOUND, "no such door"))
            return
        try:
            self._send(door(self.server, query))
        except ValueError as error:
            self._send(_problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)))

    def do_POST(self) -> None:
        length = _length(self.headers.get("Content-Length"))
        if urlsplit(self.path).path != "/incidents":
            self.close_connection = True
            self._send(_problem(HTTPStatus.NOT_FOUND, "no such door"))
            return
        if not 0 <= length <= _MAX_BODY:
            self.close_connection = True
            self._send(
                _problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"send a body of at most {_MAX_BODY} bytes with its length",
                )
            )
            return
        try:
            truth = _inject(self.server.simulation, json.loads(self.rfile.read(length)))
        except (ValueError, OverflowError, RecursionError) as error:
            self._send(_problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)))
            return
        self._send((HTTPStatus.ACCEPTED, _JSON, json.dumps(truth).encode()))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Requests are not logged."""

    def _send(self, answer: Answer) -> None:
        status, content_type, body = answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _length(header: str | None) -> int:
    return int(header) if header is not None and header.isdecimal() else -1


def _inject(simulation: Simulation, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
        raise ValueError('the body must be an object with a "kind"')  # noqa: TRY004 - a caller's value
    minutes, target = body.get("duration_minutes"), body.get("target")
    if target is not None and not isinstance(target, str):
        raise ValueError("target must be a string")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int | float)):
        raise ValueError("duration_minutes must be a number")
    duration = None if minutes is None else timedelta(minutes=minutes)
    return simulation.inject(body["kind"], duration, target)


def _problem(status: HTTPStatus, detail: str) -> Answer:
    body = {"status": status, "title": status.phrase, "detail": detail}
    return status, "application/problem+json", json.dumps(body).encode()


def _metrics(server: DeskServer, query: Mapping[str, str]) -> Answer:
    points = int(query.get("points", "1"))
    if points < 1:
        raise ValueError("points must be at least 1")
    steps, values = server.simulation.recent(points)
    return HTTPStatus.OK, OPENMETRICS_TYPE, openmetrics(steps, values).encode()


def _news(server: DeskServer, _query: Mapping[str, str]) -> Answer:
    items = server.simulation.items(server.now(), ("news",))[:_MAX_ITEMS]
    return HTTPStatus.OK, "application/rss+xml; charset=utf-8", rss(items, "Market news")


def _changes(server: DeskServer, query: Mapping[str, str]) -> Answer:
    kinds = (query["kind"],) if "kind" in query else _CHANGES
    if not set(kinds) <= set(_CHANGES):
        raise ValueError(f"kind must be one of {', '.join(_CHANGES)}")
    items = server.simulation.items(server.now(), kinds)[:_MAX_ITEMS]
    return HTTPStatus.OK, "application/feed+json", json_feed(items, "Changes and notices").encode()


def _truth(server: DeskServer, _query: Mapping[str, str]) -> Answer:
    return HTTPStatus.OK, _JSON, json.dumps({"incidents": server.simulation.truth()}).encode()


def _kinds(_server: DeskServer, _query: Mapping[str, str]) -> Answer:
    kinds = [{"kind": name, "targets": kind.targets} for name, kind in KINDS.items()]
    return HTTPStatus.OK, _JSON, json.dumps({"kinds": kinds}).encode()


_GET: Final[Mapping[str, Callable[[DeskServer, Mapping[str, str]], Answer]]] = {
    "/metrics": _metrics,
    "/news.xml": _news,
    "/events.json": _changes,
    "/truth": _truth,
    "/incidents": _kinds,
}
