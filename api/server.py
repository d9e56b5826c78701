"""The HTTP server: deadlines against slow clients, and a shutdown that does not wait for open streams."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.auth import check_bind
from api.connections import ACCEPTED_AT_ONCE, Connections, affordable
from api.gatekeeper import SECURITY_HEADERS
from api.live import LiveFeed
from api.problem import MEDIA_TYPE, HttpProblem
from api.settings import ServerSettings, TokenSettings
from domain.errors import ConfigurationError

# The body guard inside answers 408 first; this ends connections that it does not watch.
_BODY_GRACE_SECONDS = 5.0
_SHUTDOWN_SECONDS = 2
_MAX_HEADER_BYTES = 32_768


class DeadlineProtocol(H11Protocol):
    """HTTP/1.1 in which a header and a body each have a deadline that dripping bytes do not extend."""

    header_seconds = 10.0
    body_seconds = 35.0
    seats = Connections(1_000)
    _deadline: asyncio.TimerHandle | None = None
    _phase: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.seats.opened(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the shape of all our errors; the parser's words stay with us."""
        del msg
        problem = HttpProblem(400, "This is not a request that HTTP/1.1 knows.").response()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"connection", b"close"),
            *SECURITY_HEADERS.items(),
        ]
        headers.append((b"content-length", str(len(problem.body)).encode()))
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(problem.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.seats.closed(self.transport)
        self._disarm()

    def _watch(self) -> None:
        seconds = {h11.IDLE: self.header_seconds, h11.SEND_BODY: self.body_seconds}.get(self.conn.their_state)
        phase = (str(self.conn.their_state), id(self.cycle))
        if phase == self._phase and seconds is not None:
            return
        self._disarm()
        self._phase = phase
        if seconds is None:
            self.seats.works(self.transport)
        else:
            self.seats.waits(self.transport)
            self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


class AnalystServer(uvicorn.Server):
    """A server that ends its event streams before it waits for its connections."""

    def __init__(self, config: uvicorn.Config, live: LiveFeed) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.close()
        await super().shutdown(sockets)


def bind(settings: ServerSettings, tokens: Sequence[TokenSettings] = ()) -> socket.socket:
    """Bind the listening socket.

    Raises:
        ConfigurationError: the address is not loopback although no token is configured, or the port is
            in use or not allowed; one line either way.
    """
    check_bind(settings.host, has_tokens=bool(tokens))
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ConfigurationError("server.port", f"{where} cannot be bound: {error.strerror}") from None
    listening.setblocking(False)
    return listening


def _open_files() -> int | None:
    """How many files this process may open, raised to what the machine allows; None where nobody counts."""
    try:
        import resource  # noqa: PLC0415 -- not on every system
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return None if soft == resource.RLIM_INFINITY else soft


def build_server(app: FastAPI, live: LiveFeed, settings: ServerSettings) -> AnalystServer:
    """A server for the app; run it with `server.run(sockets=[bind(settings, tokens)])`."""
    protocol = type(
        "ConfiguredProtocol",
        (DeadlineProtocol,),
        {
            "header_seconds": settings.header_seconds,
            "body_seconds": settings.body_seconds + _BODY_GRACE_SECONDS,
            "seats": Connections(affordable(settings.max_connections, _open_files())),
        },
    )
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
    )
    return AnalystServer(config, live)
