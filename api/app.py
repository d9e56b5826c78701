"""The HTTP application: routes behind the guards, one shape for every error."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from fastapi import FastAPI

from api import openapi, problem
from api.auth import TokenBook
from api.body_guard import BodyGuard
from api.dashboard import fragments, pages, screens, static
from api.dashboard.render import problem_page
from api.doors import Doors
from api.gatekeeper import Gatekeeper, SecurityHeaders
from api.hooks.secrets import SecretBook
from api.hooks.settings import HookSettings
from api.ingest_gate import IngestGate
from api.json_body import SafeJSONResponse
from api.limits import Limits
from api.mcp_door import McpDoor
from api.metrics import ApiMetrics, MetricsMiddleware
from api.routes import (
    alerts,
    anomalies,
    charts,
    chat,
    cycles,
    diagnoses,
    export,
    health,
    hooks,
    incidents,
    inference,
    ingest,
    operations,
    rules,
    series,
    slack,
    streams,
)
from api.service_port import AnalystService
from api.settings import ServerSettings, TokenSettings
from api.stores import Stores
from api.tool_port import DeskTools
from domain.errors import AnalystError

_ROUTERS = (
    ingest,
    series,
    inference,
    rules,
    anomalies,
    export,
    incidents,
    diagnoses,
    streams,
    cycles,
    chat,
    operations,
    alerts,
    health,
    hooks,
    slack,
    charts,
    pages,
    screens,
    fragments,
)
_log = structlog.get_logger()


def create_app(
    service: AnalystService,
    stores: Stores,
    settings: ServerSettings | None = None,
    tokens: Sequence[TokenSettings] = (),
    *,
    hooks: HookSettings | None = None,
    tools: DeskTools | None = None,
) -> FastAPI:
    """Build the application.

    Args:
        service: the running service.
        stores: the database, one store per noun.
        settings: limits, hosts and deadlines.
        tokens: who may do what; without any the app answers this machine only.
        hooks: who may send webhooks.
        tools: what programs may ask at `/mcp`; None: nothing is there.

    Raises:
        ConfigurationError: a token or a secret cannot be read.
    """
    settings = settings or ServerSettings()
    doors = _doors(service, stores, settings, TokenBook(tokens), hooks or HookSettings())
    doors.book.on_change = _rotations(doors)
    mcp_door = McpDoor(tools, _version(), _auditor(doors))
    app = FastAPI(
        title="LLM Analyst",
        version=_version(),
        description="Anomaly diagnosis for trading desks: what broke, since when, what it costs, and why.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        default_response_class=SafeJSONResponse,
        strict_content_type=False,
        separate_input_output_schemas=False,
        redirect_slashes=False,
        lifespan=_lifespan(doors, mcp_door),
    )
    app.state.doors = doors
    problem.install(app, problem_page)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.router.routes.append(mcp_door.route())
    app.mount("/static", static.VersionedFiles(), name="static")
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    _guard(app, doors)
    return app


def _doors(
    service: AnalystService, stores: Stores, settings: ServerSettings, book: TokenBook, hooks: HookSettings
) -> Doors:
    return Doors(
        service,
        stores,
        settings,
        book,
        ApiMetrics(),
        IngestGate(settings.ingest_queue),
        Limits(settings),
        hooks,
        SecretBook(hooks),
    )


def _rotations(doors: Doors) -> Callable[[str], None]:
    """Puts it on record that a token was changed, without ever standing in the way of its use."""

    def changed(name: str) -> None:
        _log.warning("token.changed", name=name)
        try:
            doors.audit_as("token file", "token.changed", name)
        except AnalystError as error:
            _log.warning("audit.failed", action="token.changed", error=str(error))

    return changed


def _auditor(doors: Doors) -> Callable[[str, str, str, Any], None]:
    return lambda actor, action, subject, told: doors.audit_as(actor, action, subject, (None, told))


def _guard(app: FastAPI, doors: Doors) -> None:
    """Wrap the guards around the app; the last one added is the first one asked."""
    settings = doors.settings
    ingest_limits = dict.fromkeys(
        ("/api/v1/samples", "/api/v1/events", "/api/v1/infer", "/hooks/"), settings.max_ingest_bytes
    )
    app.add_middleware(BodyGuard, settings=settings, limits=ingest_limits)
    app.add_middleware(
        Gatekeeper, settings=settings, book=doors.book, limits=doors.limits, clock=doors.service.real_now
    )
    app.add_middleware(problem.ProblemMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=doors.metrics)
    app.add_middleware(SecurityHeaders)


def _lifespan(doors: Doors, mcp_door: McpDoor) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with mcp_door.running():
            yield
        doors.service.live.close()

    return lifespan


def _version() -> str:
    try:
        return version("llm-analyst")
    except PackageNotFoundError:
        return "0"
