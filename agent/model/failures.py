"""Everything that a client library may throw, told as one of our outcomes."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from agent.model.outcomes import ModelFailure, Outcome

MAX_DETAIL = 160
_BY_STATUS: Mapping[int, Outcome] = {
    401: "unauthorised",
    403: "unauthorised",
    404: "unknown_model",
    413: "too_long",
    429: "rate_limited",
}


def failure_of(error: BaseException, now: Callable[[], datetime]) -> ModelFailure:
    """The outcome behind an exception of the openai package, of the HTTP library or of a parser."""
    import httpx2  # noqa: PLC0415 -- slow to import
    import openai  # noqa: PLC0415

    if isinstance(error, ModelFailure):
        return error
    # Where no connection was made nothing was asked, and nothing is paid.
    sent = not isinstance(error.__cause__ or error, httpx2.ConnectError | httpx2.ConnectTimeout)
    if isinstance(error, TimeoutError | openai.APITimeoutError | httpx2.TimeoutException):
        return ModelFailure("timeout", sent=sent)
    if isinstance(error, openai.APIStatusError):
        return of_status(error.status_code, error.response.headers, error.response.text, now)
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError | ConnectionError):
        return ModelFailure("unreachable", _cause(error), sent=sent)
    if isinstance(error, openai.APIError):
        return ModelFailure("server_error", "error inside the stream", sent=True)
    return ModelFailure("malformed", type(error).__name__, sent=True)


def of_status(
    status: int, headers: Mapping[str, str], body: str, now: Callable[[], datetime]
) -> ModelFailure:
    """The outcome behind an HTTP status and an error body."""
    code, said = _error_fields(body)
    wait = retry_after(headers, now)
    outcome = _BY_STATUS.get(status)
    if code in {"insufficient_quota", "billing_hard_limit_reached"} or status == 402:
        outcome = "quota"
    elif code in {"context_length_exceeded", "string_above_max_length"}:
        outcome = "too_long"
    elif 300 <= status < 400:
        outcome = "redirected"
    elif status >= 500:
        outcome = "server_error"
    elif outcome is None:
        outcome = "unsupported" if _unsupported(said) else "rejected"
    detail = f"HTTP {status}{f', {code}' if code else ''}"
    if outcome == "unsupported":
        detail = f"{_unsupported(said)}, {detail}"
    return ModelFailure(outcome, detail[:MAX_DETAIL], retry_after=wait, sent=status >= 500)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Seconds that an answer asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date."""
    text = headers.get("retry-after-ms")
    try:
        if text is not None:
            return max(0.0, float(text) / 1_000)
        text = headers.get("retry-after")
        if text is None:
            return None
        return max(0.0, float(text))
    except ValueError:
        return _until_date(text or "", now)


def _until_date(text: str, now: Callable[[], datetime]) -> float | None:
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now()).total_seconds())


def _error_fields(body: str) -> tuple[str, str]:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return "", ""
    error = found.get("error", found) if isinstance(found, dict) else {}
    if not isinstance(error, dict):
        return "", str(error)[:MAX_DETAIL]
    code = error.get("code") or error.get("type") or ""
    # Only words that look like a code: an error text may hold anything, keys included.
    code = str(code) if str(code).replace("_", "").replace("-", "").isalnum() else ""
    return code[:60], str(error.get("message") or "")


def _unsupported(said: str) -> str:
    """The part of the request that an error text speaks of; empty where it names none."""
    words = said.lower()
    named = ("stream", "tool", "function", "response_format", "json_schema")
    return next((word for word in named if word in words), "")


def _cause(error: BaseException) -> str:
    return type(error.__cause__ or error).__name__
