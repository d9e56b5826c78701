"""Language models of the service: one gateway from the configuration, or none."""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from agent.model.call_log import MemoryCallLog, key_of
from agent.model.endpoint import Endpoint, OpenAIEndpoint
from agent.model.gateway import ModelGateway, World
from agent.model.langchain_endpoint import LangChainEndpoint
from agent.model.outcomes import Question
from agent.model.settings import LlmSettings
from agent.model_desk import ModelDesk
from agent.reasoners.questions import Example, family_of_type
from api.stores import Stores
from domain.anomaly import Severity
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.errors import AnalystError, ConfigurationError
from service.cases import CaseBuilder
from service.clock import Clock, system_clock
from service.model_address import checked_base_url
from service.model_calls import StoredCalls

MAX_EXAMPLES = 2
EXAMPLES_OF = timedelta(days=365)
PING_TOKENS = 200


def build_gateway(settings: LlmSettings, stores: Stores | None, clock: Clock) -> ModelGateway | None:
    """The door to the configured model, or None where none is configured.

    Args:
        settings: the section `llm`.
        stores: where calls are recorded; None keeps them in memory.
        clock: the service's, by which days of budgets are told apart.

    Raises:
        ConfigurationError: no key and no endpoint of one's own.
    """
    if settings.model is None:
        return None
    dice = random.Random()  # noqa: S311 -- jitter, no secret
    world = World(clock, time.monotonic, asyncio.sleep, dice.random)
    calls = MemoryCallLog() if stores is None else StoredCalls(stores.usage)
    return ModelGateway(settings, _endpoint(settings), calls, world)


def build_desk(
    gateway: ModelGateway | None, stores: Stores, cases: CaseBuilder, clock: Clock
) -> ModelDesk | None:
    """Models for investigations, with examples from confirmed diagnoses."""
    if gateway is None:
        return None
    seen = _Seen(stores, clock)
    return ModelDesk(gateway, cases.build, seen.examples, seen.severity)


async def check(gateway: ModelGateway) -> str:
    """Ask the model for one word; what it answered, in one line. Raises ReasonerError."""
    text = 'Answer with the JSON object {"summary": "ok"} and nothing else.'
    # A check is asked anew each time, so its key names the moment.
    key = key_of("check", time.time_ns())
    question = Question(({"role": "user", "content": text},), "check", key, max_tokens=PING_TOKENS)
    started = time.perf_counter()
    run = await gateway.begin("check")
    # The calls of earlier checks are no reason to refuse this one.
    run.subject = f"check-{key[:8]}"
    reply = await gateway.ask(run, question)
    ms = (time.perf_counter() - started) * 1000
    usage = "no usage told" if reply.usage is None else f"{reply.usage.output_tokens} tokens"
    return f"{reply.model or gateway.model} answers ({ms:.0f} ms, {usage})"


def _endpoint(settings: LlmSettings) -> Endpoint:
    given = settings.api_key.get_secret_value() if settings.api_key else ""
    if settings.provider != "openai":
        return LangChainEndpoint(
            settings.provider, checked_base_url(settings.base_url), given, settings.temperature, system_clock
        )
    key = given or os.environ.get("OPENAI_API_KEY", "")
    base_url = checked_base_url(settings.base_url or os.environ.get("OPENAI_BASE_URL") or None)
    if not key and base_url is None:
        raise ConfigurationError("llm.model", "needs OPENAI_API_KEY in the environment, or llm.base_url")
    return OpenAIEndpoint(base_url, key, api=settings.api, temperature=settings.temperature, now=system_clock)


def _same_family(one: DiagnosisRequest, other: DiagnosisRequest) -> bool:
    """Whether two requests get the same prompt; types without a family are alike where they are equal."""
    family = family_of_type(one.anomaly_type)
    if family is None:
        return one.anomaly_type == other.anomaly_type
    return family == family_of_type(other.anomaly_type)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the stores know about earlier cases and about the one at hand."""

    stores: Stores
    clock: Clock

    def examples(self, request: DiagnosisRequest) -> Sequence[Example]:
        """Confirmed diagnoses of the same family of anomalies, the newest first."""
        found: list[Example] = []
        for said in reversed(self.stores.feedback.since(self.clock() - EXAMPLES_OF, "diagnosis")):
            if said.verdict != "correct" or len(found) >= MAX_EXAMPLES:
                continue
            try:
                diagnosis = self.stores.diagnoses.get(said.target_id)
                asked = self.stores.diagnoses.request(said.target_id)
            except AnalystError:
                continue
            primary = diagnosis.primary_hypothesis
            if primary is not None and _same_family(asked, request):
                summary = diagnosis.executive_summary
                found.append(Example(diagnosis.id, primary.cause, primary.component, summary))
        return tuple(found)

    def severity(self, diagnosis: Diagnosis) -> Severity | None:
        """Of the incident, else of the anomaly, that a diagnosis is about."""
        try:
            if diagnosis.incident_id is not None:
                return self.stores.incidents.get(diagnosis.incident_id).severity
            if diagnosis.anomaly_id is not None:
                return self.stores.anomalies.get(diagnosis.anomaly_id).severity
        except AnalystError:
            return None
        return None
