"""The record of model calls in our own database, as the model room wants it: texts compressed."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.call_log import Call, Limits, check_limits
from agent.model.settings import LlmSettings
from db.records import ModelCall
from db.usage import UsageStore
from service.clock import Clock

MILLION = 1_000_000
# No JSON begins so: rows of earlier versions are told apart.
PACKED = "z85:"


@dataclass(frozen=True, slots=True)
class StoredCalls:
    """Implements `agent.model.call_log.CallLog`: budgets hold over threads, replicas and restarts."""

    store: UsageStore

    def reserve(self, call: Call, limits: Limits) -> int:
        """Store a planned call within its limits; raises ModelFailure `over_budget`."""
        midnight = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
        assumed = (limits.assumed.input / MILLION, limits.assumed.output / MILLION)
        return self.store.reserve(
            _stored(call, limits.reserve_usd),
            midnight,
            assumed,
            lambda day, subject, calls: check_limits(limits, day, subject, calls),
        )

    def settle(self, number: int, call: Call) -> None:
        """Replace a planned call by what came of it."""
        self.store.settle(number, _stored(call, call.cost_usd))

    def of(self, subject: str) -> Sequence[Call]:
        """The calls of a subject, in order."""
        return [
            Call(
                at=one.at,
                model=one.model,
                subject=subject,
                prompt_version=one.prompt_version or "",
                prompt=unpacked(one.prompt) or "{}",
                input_tokens=one.input_tokens,
                output_tokens=one.output_tokens,
                cost_usd=one.cost_usd,
                answer=unpacked(one.answer),
            )
            for one in self.store.calls(subject)
        ]


@dataclass(frozen=True, slots=True)
class DayBudget:
    """What models may still cost today: counted as it is before a call, those of unknown cost included."""

    settings: LlmSettings
    store: UsageStore
    clock: Clock

    def left(self) -> float | None:
        """USD that are left; None without a budget."""
        per_day, price = self.settings.budget_usd_per_day, self.settings.assumed_price
        if per_day is None:
            return None
        midnight = self.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        spent = self.store.spent(midnight, assumed=(price.input / MILLION, price.output / MILLION))
        return max(0.0, per_day - spent)


def _stored(call: Call, cost: float | None) -> ModelCall:
    return ModelCall(
        at=call.at,
        model=call.model,
        subject=call.subject,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cost_usd=cost,
        prompt_version=call.prompt_version,
        prompt=packed(call.prompt),
        answer=packed(call.answer),
    )


def packed(text: str | None) -> str | None:
    """A text as it is stored: compressed where that is shorter. The columns hold text, so base85."""
    if text is None:
        return None
    short = PACKED + base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return short if len(short) < len(text) else text


def unpacked(text: str | None) -> str | None:
    """The text behind a stored one."""
    if text is None or not text.startswith(PACKED):
        return text
    return zlib.decompress(base64.b85decode(text.removeprefix(PACKED))).decode()
