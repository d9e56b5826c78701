"""Strict JSON: UTF-8 without a mark, no duplicate keys, nothing behind the end, bounded nesting."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.responses import JSONResponse

from api.problem import HttpProblem

_MAX_DEPTH = 64


class SafeJSONResponse(JSONResponse):
    """JSON in which a float that JSON cannot carry is null."""

    def render(self, content: Any) -> bytes:
        return to_json(content, inf_nan_mode="null")


def parse_json(body: bytes) -> Any:
    """Parse a body; raises HttpProblem 400. NaN and Infinity become floats, which the models refuse."""
    if body.startswith(b"\xef\xbb\xbf"):
        _refuse("starts with a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("is not UTF-8")
    try:
        value = json.loads(text, object_pairs_hook=_object)
        _check_depth(value)
    except json.JSONDecodeError as error:
        _refuse(f"is not JSON: {error.msg} at character {error.pos}")
    except (RecursionError, ValueError) as error:
        # The decoder refuses integers of thousands of digits with a ValueError.
        _refuse("is nested too deeply" if isinstance(error, RecursionError) else "holds an unusable number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise HttpProblem(400, "The body names a key twice in one object.")
    return found


def _check_depth(value: Any) -> None:
    front, depth = [value], 0
    while front:
        depth += 1
        if depth > _MAX_DEPTH:
            raise RecursionError
        front = [
            child
            for one in front
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, (dict, list))
        ]


def _refuse(reason: str) -> NoReturn:
    raise HttpProblem(400, f"The body {reason}.") from None


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
