"""The record of model calls in our own database, as the model room wants it."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.call_log import Call, Limits, check_limits
from db.records import ModelCall
from db.usage import UsageStore

MILLION = 1_000_000


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
                prompt=one.prompt or "{}",
                input_tokens=one.input_tokens,
                output_tokens=one.output_tokens,
                cost_usd=one.cost_usd,
                answer=one.answer,
            )
            for one in self.store.calls(subject)
        ]


def _stored(call: Call, cost: float | None) -> ModelCall:
    return ModelCall(
        at=call.at,
        model=call.model,
        subject=call.subject,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cost_usd=cost,
        prompt_version=call.prompt_version,
        prompt=call.prompt,
        answer=call.answer,
    )
