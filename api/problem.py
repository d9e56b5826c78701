"""Errors at the door: every one leaves as `application/problem+json` (RFC 9457), none shows our insides."""

import asyncio
import math
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collectors.ingest import TooManyItems, UnparseableBody
from domain.errors import (
    AnalystError,
    Conflict,
    DetectorError,
    Forbidden,
    InvalidInput,
    NotFound,
    NotifyError,
    Overloaded,
    ReasonerError,
    SourceError,
    StoreUnavailable,
)

MEDIA_TYPE = "application/problem+json"
STATUS_CODES: Mapping[type[AnalystError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    Conflict: 409,
    Forbidden: 403,
    Overloaded: 429,
    StoreUnavailable: 503,
    DetectorError: 422,
    SourceError: 502,
    NotifyError: 502,
    ReasonerError: 503,
    UnparseableBody: 400,
    TooManyItems: 413,
}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SENTENCES = {
    "Not Found": "There is nothing at this address.",
    "Method Not Allowed": "This address does not take this method; see Allow.",
}
_log = structlog.get_logger()


class FieldError(BaseModel):
    """One unusable field: where it stands in the request, and what is wrong with it."""

    field: str
    reason: str


class Problem(BaseModel):
    """The body of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


def schemas() -> dict[str, Any]:
    """The schemas of an error's body, for the OpenAPI document."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}


class HttpProblem(HTTPException):
    """Refuse a request with a status and one sentence."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = errors
        self.extra = dict(extra or {})

    def response(self) -> Response:
        """The answer to send."""
        content: dict[str, Any] = {
            "type": "about:blank",
            "title": _title(self.status_code),
            "status": self.status_code,
            "detail": printable(self.detail),
        }
        if self.errors:
            content["errors"] = [error.model_dump() for error in self.errors]
        content.update(self.extra)
        return Response(to_json(content), self.status_code, self.headers, media_type=MEDIA_TYPE)


def printable(text: str, longest: int = 300) -> str:
    """Text of foreign origin, fit for one line of an answer."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[:longest])


def problem_of(error: Exception) -> HttpProblem:
    """Translate any error into the problem that a client may see."""
    if isinstance(error, HttpProblem):
        return error
    if isinstance(error, RequestValidationError):
        return _validation_problem(error.errors())
    if isinstance(error, HTTPException):
        said = _SENTENCES.get(str(error.detail), str(error.detail))
        return HttpProblem(error.status_code, said, headers=error.headers)
    if isinstance(error, AnalystError):
        return _domain_problem(error)
    return HttpProblem(500, "Something went wrong on our side; the log of the service says what.")


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _domain_problem(error: AnalystError) -> HttpProblem:
    status = next((STATUS_CODES[kind] for kind in type(error).__mro__ if kind in STATUS_CODES), 500)
    if status == 500:
        return HttpProblem(500, "Something went wrong on our side; the log of the service says what.")
    if isinstance(error, InvalidInput):
        return invalid(error.field, error.reason)
    retry_after = getattr(error, "retry_after", None)
    headers = {"Retry-After": str(max(1, math.ceil(retry_after)))} if retry_after else None
    return HttpProblem(status, str(error), headers=headers)


def invalid(field: str, reason: str) -> HttpProblem:
    """A 422 that names one field."""
    name, said = printable(field, 200), printable(reason)
    return HttpProblem(422, f"{name}: {said}", errors=[FieldError(field=name, reason=said)])


def _validation_problem(errors: Sequence[Mapping[str, Any]]) -> HttpProblem:
    found = [FieldError(field=_field_name(one["loc"]), reason=_reason(one)) for one in errors[:20]]
    detail = "; ".join(f"{one.field}: {one.reason}" for one in found[:3])
    return HttpProblem(422, detail or "The request is not usable.", errors=found)


def _field_name(location: Sequence[Any]) -> str:
    parts = [str(part) for part in location]
    if parts and parts[0] in {"body", "query", "path", "header"}:
        parts = parts[1:] or parts
    return printable(".".join(parts), 200)


def _reason(error: Mapping[str, Any]) -> str:
    message = str(error.get("msg", "is not usable")).removeprefix("Value error, ")
    return printable(message)


async def _answer(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status_code == 500:
        _log.error("request.failed", exc_info=error)
    page: ErrorPage | None = getattr(request.app.state, "error_page", None)
    for_browser = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        "/api/"
    )
    return page(problem, _title(problem.status_code)) if page and for_browser else problem.response()


ErrorPage = Callable[[HttpProblem, str], Response]


def install(app: FastAPI, page: ErrorPage) -> None:
    """Let every error that a route raises leave as a problem, or for a browser as a page."""
    app.state.error_page = page
    for kind in (HttpProblem, AnalystError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


class ProblemMiddleware:
    """The outermost guard: what no handler translated, middleware included, is translated here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            # The server cancels only what still runs when it has to leave.
            _log.info("request.cut_off", path=printable(scope["path"]))
            if not started:
                leaving = HttpProblem(503, "The service is leaving; ask again.", headers={"Retry-After": "5"})
                await leaving.response()(scope, receive, send)
        except Exception as error:
            if started:
                raise
            response = await _answer(Request(scope), error)
            await response(scope, receive, send)
