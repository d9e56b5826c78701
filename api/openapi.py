"""The OpenAPI document: every operation with the errors that the guards around it may answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import problem
from api.doors import errors

OPEN = {"/health", "/ready"}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an app; made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {}).update(problem.schemas())
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
        for path, methods in schema["paths"].items():
            for operation in methods.values():
                _complete(path, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add what every address may answer, whatever its own module documents."""
    if path in OPEN:
        operation["security"] = []
        return
    own = (404,) if "{" in path else ()
    for status, said in errors(*own, body="requestBody" in operation).items():
        operation["responses"].setdefault(str(status), said)
