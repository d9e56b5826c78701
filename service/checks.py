"""What `analyst check` tries: the database, every source, the model, every alert receiver, the runbooks."""

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial

from agent.runbooks import checked_runbooks
from alerts.receivers.configured import build_escalations, build_receivers
from api.hooks.secrets import SENDERS, SecretBook
from collectors.build import check_source
from collectors.settings import SourceSettings
from db.database import Database
from domain.errors import SourceError
from service.clock import system_clock
from service.models import build_gateway, check
from service.settings import Settings

Attempt = Callable[[], str]


def check_everything(settings: Settings) -> Iterator[tuple[str, Attempt]]:
    """Names with attempts; an attempt returns one line or raises an AnalystError."""
    yield "database", partial(_database, settings)
    for source in settings.sources:
        yield f"source {source.name}", partial(_source, source, settings)
    if not settings.sources:
        yield "sources", lambda: "none is configured; data can be pushed to /api/v1/samples"
    yield "hooks", partial(_hooks, settings)
    yield "model", partial(_model, settings)
    yield "alerts", partial(_alerts, settings)
    yield "runbooks", lambda: f"{len(checked_runbooks(settings.runbooks))} causes"


def _database(settings: Settings) -> str:
    database = Database(settings.database.url, settings.database)
    database.upgrade()
    shown = database.engine.url.render_as_string(hide_password=True)
    database.close()
    return f"{shown} is reachable and up to date"


def _source(source: SourceSettings, settings: Settings) -> str:
    if not source.enabled:
        return "disabled"
    found = check_source(source, os.environ, system_clock(), settings.scheduler.interval_seconds)
    if not found.ok:
        raise SourceError(source.name, found.answer)
    return found.answer


def _hooks(settings: Settings) -> str:
    """Whether the secrets of senders can be read, as the service reads them when it starts."""
    book = SecretBook(settings.hooks)
    named = [sender for sender in SENDERS if book.of(sender)]
    return f"secrets of {', '.join(named)}" if named else "no secret is configured; senders need a token"


def _model(settings: Settings) -> str:
    gateway = build_gateway(settings.llm, None, system_clock)
    if gateway is None:
        return "none is configured; the statistical reasoner diagnoses"
    return asyncio.run(check(gateway))


def _alerts(settings: Settings) -> str:
    """Signs in where that bothers nobody; no message is sent."""
    receivers = build_receivers(settings.alerts)
    further = build_escalations(receivers, settings.alerts)
    said = [f"{one.name}: {one.check()}" for one in (*(one for one, _ in receivers), *further)]
    return "; ".join(said) or "no receiver is configured"
