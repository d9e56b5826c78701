"""Every documented operation with generated requests, against the real app in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemathesis
from api_desk import TOKENS, FakeAnalyst, seed, token_settings
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.settings import ServerSettings
from api.stores import Stores
from db.database import Database

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
)
# It never ends.
ENDLESS = {"/api/v1/stream"}
ADMIN = {"Authorization": f"Bearer {TOKENS['admin']}"}


@contextmanager
def seeded_app(folder: Path) -> Iterator[FastAPI]:
    """The real app over a seeded database, without a server around it."""
    database = Database(f"sqlite:///{folder / 'desk.db'}")
    database.upgrade()
    stores = Stores.of(database)
    seed(stores, database)
    limits = ServerSettings(allowed_hosts=("testserver",), feedback_per_day=10**6)
    app = create_app(FakeAnalyst(stores), stores, limits, token_settings())
    try:
        yield app
    finally:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join(10)
        database.close()


def operations(app: FastAPI) -> dict[str, Any]:
    """The documented operations by method and path."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=ADMIN)
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    return {f"{one.method.upper()} {one.path}": one for one in found if one.path not in ENDLESS}


def walk(operation: Any, examples: int) -> None:
    """Send an operation generated requests, good and bad; raises where an answer is not as documented."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(headers=ADMIN, checks=CHECKS)

    check()
