"""The REST API for the terminal: of a running service, or over the database in this process."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx2

from domain.errors import (
    AnalystError,
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidInput,
    StoreUnavailable,
)

TOKEN_VARIABLE = "LLM_ANALYST_TOKEN"  # noqa: S105 -- the name of a variable, not a token
TIMEOUT_SECONDS = 60.0
_LOCAL = "http://127.0.0.1"


class Send(Protocol):
    """Sends one request and returns its answer."""

    def __call__(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any
    ) -> httpx2.Response: ...


@dataclass(frozen=True, slots=True)
class Rest:
    """Requests below /api/v1. `url` is the running service's address, None over the database."""

    send: Send
    url: str | None = None

    def get(self, *parts: str, **params: Any) -> Any:
        """GET an object or a page; raises AnalystError in one line."""
        return self._checked("GET", parts, {k: v for k, v in params.items() if v is not None}).json()

    def text(self, *parts: str) -> str:
        """GET a markdown twin."""
        return self._checked("GET", parts, None).text

    def post(self, *parts: str, body: Any = None) -> Any:
        """POST and read the answer."""
        return self._checked("POST", parts, None, body).json()

    def items(self, *parts: str, limit: int, **params: Any) -> list[Any]:
        """The first items of a list, over as many pages as it takes."""
        found: list[Any] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self.get(*parts, limit=min(limit - len(found), 500), cursor=cursor, **params)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found

    def _checked(
        self, method: str, parts: tuple[str, ...], params: Mapping[str, Any] | None, body: Any = None
    ) -> httpx2.Response:
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        answer = self.send(method, path, params, body)
        if answer.is_error:
            raise error_of(answer)
        return answer


def error_of(answer: httpx2.Response) -> AnalystError:
    """What went wrong, as this side says it."""
    try:
        detail = answer.json().get("detail") or answer.json().get("title") or ""
    except (ValueError, AttributeError):
        detail = ""
    said = str(detail) or f"HTTP {answer.status_code}"
    if answer.status_code == 401:
        return Forbidden(f"the service wants a token; put one into the environment variable {TOKEN_VARIABLE}")
    if answer.status_code == 404:
        return AnalystError(said)
    kinds: Mapping[int, type[AnalystError]] = {403: Forbidden, 409: Conflict}
    if answer.status_code in kinds:
        return kinds[answer.status_code](said)
    return InvalidInput("request", said) if answer.status_code < 500 else StoreUnavailable(said)


def headers_from(environ: Mapping[str, str]) -> dict[str, str]:
    """The authorization of a person, from the environment alone."""
    token = environ.get(TOKEN_VARIABLE, "").strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextmanager
def open_rest(url: str | None, config: Path | None = None) -> Iterator[Rest]:
    """The API of a running service, or of the configured database where no address is given.

    Raises:
        ConfigurationError: there is no database as configured.
        StoreUnavailable: the service does not answer.
    """
    if url is None:
        with _over_database(config) as rest:
            yield rest
        return
    with httpx2.Client(
        base_url=url.rstrip("/"), headers=headers_from(os.environ), timeout=TIMEOUT_SECONDS
    ) as client:

        def send(method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> httpx2.Response:
            try:
                return client.request(method, _versioned(path), params=params, json=body)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise unreachable(url, error) from None

        yield Rest(send, url.rstrip("/"))


def unreachable(url: str, error: Exception) -> StoreUnavailable:
    """The service does not answer; with what to do."""
    return StoreUnavailable(
        f"{url} does not answer ({type(error).__name__}); is `analyst serve` running there?"
    )


def _versioned(path: str) -> str:
    return path if path.endswith(".md") else f"/api/v1{path}"


@contextmanager
def _over_database(config: Path | None) -> Iterator[Rest]:
    from db.database import Database  # noqa: PLC0415 -- a running service is asked without the database room
    from service.settings import load_settings  # noqa: PLC0415
    from service.wiring import build_service  # noqa: PLC0415

    settings = load_settings(config).model_copy(update={"tokens": (), "sources": ()})
    database = Database(settings.database.url, settings.database)
    try:
        if database.path is not None and not database.path.exists():
            reason = f"there is no database at {database.path}; give the --url of a running service"
            raise ConfigurationError("database.url", reason)
        database.check()
    finally:
        database.close()
    service = build_service(settings)
    service.parts.investigations.start()
    with asyncio.Runner() as runner:
        transport = httpx2.ASGITransport(app=service.app)
        client = httpx2.AsyncClient(transport=transport, base_url=_LOCAL, timeout=TIMEOUT_SECONDS)

        def send(method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> httpx2.Response:
            return runner.run(client.request(method, _versioned(path), params=params, json=body))

        try:
            yield Rest(send)
        finally:
            runner.run(client.aclose())
            service.analyst.stop_chat()
            service.parts.investigations.stop()
            service.parts.sources.close()
            service.parts.database.close()


def server_sent(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The events of a stream: name and data; comments are skipped."""
    name, data = "", []
    for line in lines:
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield name, json.loads("\n".join(data))
            name, data = "", []
