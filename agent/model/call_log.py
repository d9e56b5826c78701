"""The record of model calls: reserved before they are made, settled after, read again after a crash."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from agent.model.outcomes import ModelFailure, Outcome, Question, Reply, TokenUse, ToolRequest
from agent.model.redaction import redacted
from agent.model.settings import ModelPrice

# Sums of many costs differ from what they should be in the last digits.
ROUNDING_USD = 1e-9


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt; while `answer` is None it is under way, and its cost is what was reserved."""

    at: datetime
    model: str
    subject: str
    prompt_version: str
    prompt: str
    input_tokens: int
    output_tokens: int = 0
    cost_usd: float | None = None
    answer: str | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call must stay within, checked in the transaction that stores its reservation.

    Args:
        reserve_usd: the most that the call may cost.
        per_day: USD per UTC day over all calls, None for no limit.
        per_subject: USD for all calls of the subject.
        calls: number of calls of the subject.
        assumed: price that stored calls of unknown cost are counted with.
    """

    reserve_usd: float
    per_day: float | None
    per_subject: float | None
    calls: int
    assumed: ModelPrice


class CallLog(Protocol):
    """Where calls are kept; safe to use from many threads and processes."""

    def reserve(self, call: Call, limits: Limits) -> int:
        """Store a planned call and return its number; raises ModelFailure `over_budget`."""

    def settle(self, number: int, call: Call) -> None:
        """Replace a planned call by what came of it."""

    def of(self, subject: str) -> Sequence[Call]:
        """The calls of a subject, in order."""


def check_limits(limits: Limits, day: float, subject: float, calls: int) -> None:
    """Raise ModelFailure `over_budget` where one more call would exceed a limit."""
    if calls >= limits.calls:
        raise ModelFailure("over_budget", f"at most {limits.calls} calls for one")
    if limits.per_subject is not None and subject + limits.reserve_usd > limits.per_subject + ROUNDING_USD:
        raise ModelFailure("over_budget", f"at most {limits.per_subject:g} USD for one")
    if limits.per_day is not None and day + limits.reserve_usd > limits.per_day + ROUNDING_USD:
        raise ModelFailure("over_budget", f"{limits.per_day:g} USD per day")


def assumed_cost(call: Call, assumed: ModelPrice) -> float:
    """The cost of a call, or what it would be at the assumed price."""
    if call.cost_usd is not None:
        return call.cost_usd
    return (call.input_tokens * assumed.input + call.output_tokens * assumed.output) / 1_000_000


class MemoryCallLog:
    """Calls of one process, for the terminal and for tests."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._guard = threading.Lock()

    def reserve(self, call: Call, limits: Limits) -> int:
        with self._guard:
            mine = [one for one in self.calls if one.subject == call.subject]
            today = [one for one in self.calls if one.at.date() == call.at.date()]
            check_limits(
                limits,
                sum(assumed_cost(one, limits.assumed) for one in today),
                sum(assumed_cost(one, limits.assumed) for one in mine),
                len(mine),
            )
            number = len(self.calls) + 1
            self.calls.append(replace(call, id=number, cost_usd=limits.reserve_usd))
            return number

    def settle(self, number: int, call: Call) -> None:
        with self._guard:
            self.calls[number - 1] = replace(call, id=number)

    def of(self, subject: str) -> Sequence[Call]:
        with self._guard:
            return [one for one in self.calls if one.subject == subject]


def key_of(*parts: Any) -> str:
    """A fingerprint of what a call asks."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def prompt_text(question: Question) -> str:
    """What is stored of a question."""
    body = {"key": question.key, "messages": [dict(one) for one in question.messages]}
    return redacted(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def answer_text(outcome: Outcome, reply: Reply | None, detail: str = "") -> str:
    """What is stored of an answer or a failure."""
    body: dict[str, Any] = {"outcome": outcome, "detail": detail}
    if reply is not None:
        body |= {
            "text": reply.text,
            "tools": [[one.id, one.name, one.arguments] for one in reply.tools],
            "truncated": reply.truncated,
            "model": reply.model,
            "usage": None if reply.usage is None else [reply.usage.input_tokens, reply.usage.output_tokens],
        }
    return redacted(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def recorded(calls: Sequence[Call], key: str) -> Reply | ModelFailure | None:
    """What the call with a key came to at its last attempt; None where it was never finished."""
    found: Reply | ModelFailure | None = None
    for call in calls:
        if call.answer is None or _prompt_key(call) != key:
            continue
        found = _outcome_of(json.loads(call.answer))
    return found


def model_of(calls: Sequence[Call], key: str) -> str | None:
    """The model that answered the question with a key at last."""
    answered = [call for call in calls if call.answer is not None and _prompt_key(call) == key]
    return answered[-1].model if answered else None


def recorded_in_order(calls: Sequence[Call]) -> list[Reply | ModelFailure]:
    """What each question came to at its last attempt, in the order in which the questions were asked."""
    keys = dict.fromkeys(_prompt_key(call) for call in calls if call.answer is not None)
    found = [recorded(calls, key) for key in keys]
    return [one for one in found if one is not None]


def _prompt_key(call: Call) -> str:
    body: Mapping[str, Any] = json.loads(call.prompt)
    return str(body.get("key", ""))


def _outcome_of(body: Mapping[str, Any]) -> Reply | ModelFailure:
    outcome: Outcome = body["outcome"]
    if outcome not in {"answered", "truncated"}:
        return ModelFailure(outcome, str(body.get("detail", "")))
    usage = body.get("usage")
    return Reply(
        text=body["text"],
        tools=tuple(ToolRequest(*one) for one in body["tools"]),
        usage=TokenUse(*usage) if usage else None,
        truncated=body["truncated"],
        model=body["model"],
    )
