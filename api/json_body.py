"""JSON at the door: read strictly, written without what JSON cannot carry."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.responses import JSONResponse

from api.problem import HttpProblem
from collectors.strict_json import parse_json


class SafeJSONResponse(JSONResponse):
    """JSON in which a float that JSON cannot carry is null."""

    def render(self, content: Any) -> bytes:
        return to_json(content, inf_nan_mode="null")


class _StrictRequest(Request):
    async def json(self) -> Any:
        return parse_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose JSON body is read strictly; another media type is a 415."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        reads_json = self.body_field is not None

        async def strict(request: Request) -> Response:
            if reads_json:
                _check_media_type(request)
            return await answer(_StrictRequest(request.scope, request.receive))

        return strict


def media_type(request: Request) -> str:
    """The body's media type without its parameters, in lower case; empty where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_media_type(request: Request) -> None:
    found = media_type(request)
    if (
        found
        and found != "application/json"
        and not (found.startswith("application/") and found.endswith("+json"))
    ):
        raise HttpProblem(415, "The body must be application/json.")
