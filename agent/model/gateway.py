"""The one door to a model: budget before the call, breaker, retries within the deadline, record after it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from agent.model.breaker import Breaker
from agent.model.call_log import Call, CallLog, Limits, answer_text, model_of, prompt_text, recorded
from agent.model.endpoint import Endpoint, Features
from agent.model.outcomes import TRANSIENT, ModelFailure, Question, Reply
from agent.model.prices import Prices
from agent.model.settings import LlmSettings
from agent.model.tokens import count_messages, count_tokens
from domain.diagnosis import Usage

log = structlog.get_logger()
Emit = Callable[[str, Mapping[str, Any]], Awaitable[None]]
FIRST_WAIT_S = 0.5
# What is left after the last call must do for repairs in code and for storing.
SHARE_OF_DEADLINE = 0.85
MAX_DOWNGRADES = 3
# A pause that is shorter than an answer takes is waited for; a longer one means to leave it alone.
SHORT_PAUSE_S = 2.0
MAX_PAUSES = 3


async def _nobody(_event: str, _data: Mapping[str, Any]) -> None:
    """Nobody listens."""


@dataclass
class Run:
    """All calls for one subject.

    Args:
        subject: what they are for, such as `D-12`.
        deadline: monotonic seconds after which no call may run.
        emit: where usage is told.
        model: the model to ask; None means the configured one.
        known: calls of an earlier process, or of a stored run that is replayed.
        most: limits of this run where they are not those of a diagnosis.
        answered_by: the model that answered last: the fallback, where the first one failed.
    """

    subject: str
    deadline: float
    emit: Emit = _nobody
    model: str | None = None
    known: Sequence[Call] = ()
    made: int = field(default=0)
    most: "Most | None" = None
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Most:
    """The limits of one run.

    Args:
        seconds: for all of its calls.
        calls: their number.
        usd: what they may cost; None for no limit but that of the day.
    """

    seconds: float
    calls: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class World:
    """What the gateway takes from outside.

    Args:
        now: the service's clock, by which budgets are kept.
        monotonic: seconds for deadlines and pauses.
        sleep: waits.
        dice: random numbers in [0, 1) for jitter.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    dice: Callable[[], float]


class ModelGateway:
    """Asks the configured model. Safe for concurrent runs in one event loop."""

    def __init__(self, settings: LlmSettings, endpoint: Endpoint, calls: CallLog, world: World) -> None:
        self.settings = settings
        self._endpoint = endpoint
        self._calls = calls
        self._world = world
        self._prices = Prices(settings.prices, settings.assumed_price)
        self._features = Features()
        self.breaker = Breaker(world.monotonic, world.dice)

    @property
    def model(self) -> str:
        """The configured model."""
        return self.settings.model or ""

    async def begin(
        self, subject: str, emit: Emit = _nobody, model: str | None = None, most: Most | None = None
    ) -> Run:
        """Open a run; calls that an earlier process made for the subject are not made again."""
        known = await asyncio.to_thread(self._calls.of, subject)
        seconds = most.seconds if most else self.settings.timeout_seconds
        deadline = self._world.monotonic() + SHARE_OF_DEADLINE * seconds
        return Run(subject, deadline, emit, model, known, most=most)

    async def ask(self, run: Run, question: Question) -> Reply:
        """The answer to a question; raises ModelFailure where there is none within the run's limits."""
        known = recorded(run.known, question.key)
        if isinstance(known, Reply):
            run.answered_by = model_of(run.known, question.key)
            return known
        model = run.model or self.model
        try:
            return await self._ask_model(run, model, question)
        except ModelFailure as failure:
            other = self.settings.fallback_model
            if other is None or other == model or failure.outcome in {"over_budget", "timeout"}:
                raise
            if _shown(question):
                raise
            log.warning("the fallback model is asked", model=other, reason=str(failure))
            return await self._attempt(run, other, question)

    async def usage_of(self, subject: str) -> Usage:
        """Tokens and cost of all calls for a subject; the cost is None where one is not known."""
        return usage_of(await asyncio.to_thread(self._calls.of, subject))

    async def _ask_model(self, run: Run, model: str, question: Question) -> Reply:
        retries = downgrades = 0
        while True:
            await self._admit(run)
            try:
                return await self._attempt(run, model, question)
            except ModelFailure as failure:
                if downgrades < MAX_DOWNGRADES and self._downgrade(failure, question):
                    downgrades += 1
                    continue
                retries += 1
                if failure.outcome not in TRANSIENT or retries > self.settings.max_retries:
                    raise
                if _shown(question):
                    raise
                await self._wait(run, failure, retries)

    async def _admit(self, run: Run) -> None:
        """Pass the breaker; a pause of a moment, that another run was asked for, is waited out."""
        for _ in range(MAX_PAUSES):
            try:
                return self.breaker.admit()
            except ModelFailure as paused:
                wait = paused.retry_after or 0.0
                if wait > SHORT_PAUSE_S or self._world.monotonic() + wait >= run.deadline:
                    raise
                await self._world.sleep(wait)
        return self.breaker.admit()

    async def _wait(self, run: Run, failure: ModelFailure, retries: int) -> None:
        """Wait before a retry as long as asked, or raise the failure where the deadline comes first."""
        backoff = FIRST_WAIT_S * 2.0 ** (retries - 1) * (0.5 + self._world.dice() / 2)
        wait = max(failure.retry_after or 0.0, backoff, self.breaker.waits())
        if self._world.monotonic() + wait >= run.deadline:
            raise failure
        await self._world.sleep(wait)

    def _downgrade(self, failure: ModelFailure, question: Question) -> bool:
        """Do without one thing that the endpoint may not understand; false where that cannot help."""
        if failure.outcome != "unsupported":
            return False
        have = self._features
        named = failure.detail
        if have.stream and "stream" in named:
            self._features = replace(have, stream=False)
        elif have.tools and question.tools and "tool" in named:
            self._features = replace(have, tools=False)
        elif have.schema and question.schema is not None:
            self._features = replace(have, schema=False)
        elif have.tools and question.tools:
            self._features = replace(have, tools=False)
        elif have.stream:
            self._features = replace(have, stream=False)
        else:
            return False
        log.info("the endpoint does not take everything", features=str(self._features))
        return True

    async def _attempt(self, run: Run, model: str, question: Question) -> Reply:
        left = run.deadline - self._world.monotonic()
        if left <= 0:
            raise ModelFailure("timeout", "no time is left")
        planned = self._planned(run, model, question)
        limits = self._limits(run, model, planned, question)
        number = await asyncio.to_thread(self._calls.reserve, planned, limits)
        run.made += 1
        if question.listener is not None:
            question.listener.begin()
        try:
            async with asyncio.timeout(left):
                reply = await self._endpoint.call(model, question, self._features)
        except TimeoutError:
            failure = ModelFailure("timeout", sent=True)
            await self._failed(number, planned, failure)
            raise failure from None
        except ModelFailure as failure:
            await self._failed(number, planned, failure)
            raise
        except asyncio.CancelledError:
            self.breaker.abandoned()
            cancelled = replace(planned, answer=answer_text("timeout", None, "cancelled"), cost_usd=None)
            self._calls.settle(number, cancelled)
            raise
        self.breaker.succeeded()
        run.answered_by = model
        await self._settle(run, number, planned, reply)
        return reply

    def _planned(self, run: Run, model: str, question: Question) -> Call:
        tokens = count_messages(question.messages)
        tokens += count_tokens(str(question.schema or "")) + count_tokens(str(question.tools or ""))
        return Call(
            at=self._world.now(),
            model=model,
            subject=run.subject,
            prompt_version=question.name,
            prompt=prompt_text(question),
            input_tokens=tokens,
        )

    def _limits(self, run: Run, model: str, planned: Call, question: Question) -> Limits:
        settings, most = self.settings, run.most
        return Limits(
            reserve_usd=self._prices.upper_bound(model, planned.input_tokens, question.max_tokens),
            per_day=settings.budget_usd_per_day,
            per_subject=most.usd if most else settings.budget_usd_per_diagnosis,
            calls=most.calls if most else settings.max_calls_per_diagnosis,
            assumed=settings.assumed_price,
        )

    async def _settle(self, run: Run, number: int, planned: Call, reply: Reply) -> None:
        cost = self._prices.cost(planned.model, reply.usage)
        usage = reply.usage
        outcome = "truncated" if reply.truncated else "answered"
        done = replace(
            planned,
            input_tokens=usage.input_tokens if usage else planned.input_tokens,
            output_tokens=usage.output_tokens if usage else count_tokens(reply.text),
            cost_usd=cost,
            answer=answer_text("truncated" if outcome == "truncated" else "answered", reply),
        )
        await asyncio.to_thread(self._calls.settle, number, done)
        told = {"input_tokens": done.input_tokens, "output_tokens": done.output_tokens, "cost_usd": cost}
        await run.emit("usage", {**told, "budget_left_usd": None})

    async def _failed(self, number: int, planned: Call, failure: ModelFailure) -> None:
        """Record a failed call: one that never reached the model cost nothing, else its cost is unknown."""
        self.breaker.failed(failure)
        usage = failure.usage
        cost = self._prices.cost(planned.model, usage) if usage else (None if failure.sent else 0.0)
        done = replace(
            planned,
            input_tokens=usage.input_tokens if usage else (planned.input_tokens if failure.sent else 0),
            output_tokens=usage.output_tokens if usage else 0,
            cost_usd=cost,
            answer=answer_text(failure.outcome, None, failure.detail),
        )
        log.warning("a model call failed", subject=planned.subject, outcome=failure.outcome, why=str(failure))
        await asyncio.to_thread(self._calls.settle, number, done)


def _shown(question: Question) -> bool:
    """Whether a part of the answer was shown: another attempt would say it twice."""
    return question.listener is not None and question.listener.committed


def usage_of(calls: Sequence[Call]) -> Usage:
    """Sum of calls; the cost is None where that of one call is not known."""
    costs = [one.cost_usd for one in calls]
    known = [one for one in costs if one is not None]
    return Usage(
        input_tokens=sum(one.input_tokens for one in calls),
        output_tokens=sum(one.output_tokens for one in calls),
        cost_usd=round(sum(known), 6) if len(known) == len(costs) else None,
    )
