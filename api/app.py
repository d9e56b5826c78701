"""The HTTP application: routes behind the guards, one shape for every error."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import problem
from api.auth import TokenBook
from api.body_guard import BodyGuard
from api.dashboard import fragments, pages, screens, static
from api.dashboard.render import problem_page
from api.doors import Doors
from api.gatekeeper import Gatekeeper, SecurityHeaders
from api.ingest_gate import IngestGate
from api.json_body import SafeJSONResponse
from api.metrics import ApiMetrics, MetricsMiddleware
from api.routes import (
    anomalies,
    charts,
    chat,
    cycles,
    diagnoses,
    export,
    health,
    incidents,
    inference,
    ingest,
    operations,
    rules,
    series,
    streams,
)
from api.service_port import AnalystService
from api.settings import ServerSettings, TokenSettings
from api.stores import Stores

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
    health,
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
) -> FastAPI:
    """Build the application.

    Args:
        service: the running service.
        stores: the database, one store per noun.
        settings: limits, hosts and deadlines.
        tokens: who may do what; without any the app answers this machine only.

    Raises:
        ConfigurationError: a token cannot be read.
    """
    settings = settings or ServerSettings()
    book = TokenBook(tokens)
    metrics = ApiMetrics()
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
        lifespan=_lifespan,
    )
    app.state.doors = Doors(service, stores, settings, book, metrics, IngestGate(settings.ingest_queue))
    problem.install(app, problem_page)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.mount("/static", static.VersionedFiles(), name="static")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    _guard(app, settings, book, metrics, service)
    return app


def _guard(
    app: FastAPI,
    settings: ServerSettings,
    book: TokenBook,
    metrics: ApiMetrics,
    service: AnalystService,
) -> None:
    """Wrap the guards around the app; the last one added is the first one asked."""
    ingest_limits = dict.fromkeys(
        ("/api/v1/samples", "/api/v1/events", "/api/v1/infer"), settings.max_ingest_bytes
    )
    app.add_middleware(BodyGuard, settings=settings, limits=ingest_limits)
    app.add_middleware(Gatekeeper, settings=settings, book=book, clock=service.real_now)
    app.add_middleware(problem.ProblemMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(SecurityHeaders)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    doors: Doors = app.state.doors
    doors.service.live.close()


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {}).update(problem.schemas())
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
        app.openapi_schema = schema
    return app.openapi_schema


def _version() -> str:
    try:
        return version("llm-analyst")
    except PackageNotFoundError:
        return "0"
