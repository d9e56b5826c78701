"""JSON at the door: read strictly, written without what JSON cannot carry."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.responses import JSONResponse

from api.problem import HttpProblem, invalid
from collectors.strict_json import UnparseableBody, parse_json

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class SafeJSONResponse(JSONResponse):
    """JSON in which a float that JSON cannot carry is null."""

    def render(self, content: Any) -> bytes:
        return to_json(content, inf_nan_mode="null")


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            value = parse_json(await self.body())
        except UnparseableBody as error:
            raise HttpProblem(400, str(error)) from None
        check_texts(value)
        return value


def check_texts(value: object) -> None:
    """Raise a 422 naming the field whose text, or key, has control characters or lone surrogates."""
    front: list[tuple[str, object]] = [("", value)]
    while front:
        place, one = front.pop()
        if isinstance(one, str):
            if _CONTROL.search(one):
                raise invalid(place or "body", "contains control characters")
        elif isinstance(one, dict):
            front.extend((f"{place} (a key)".strip(), key) for key in one)
            front.extend((f"{place}.{key}".lstrip("."), child) for key, child in one.items())
        elif isinstance(one, list):
            front.extend(
                (f"{place}.{i}", child) for i, child in enumerate(one) if not isinstance(child, float)
            )


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
