"""Opens a model's reasoner per investigation: earlier calls, the tools over its case, its random mark."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.evidence.case import Case
from agent.model.gateway import Emit, ModelGateway
from agent.reasoners.llm import LlmReasoner
from agent.reasoners.questions import Asking, Example
from agent.tools import CaseTools
from domain.anomaly import Severity
from domain.diagnosis import Diagnosis, DiagnosisRequest, Usage
from domain.errors import AnalystError


class ModelReasoning(Protocol):
    """What an investigator needs of models."""

    async def reasoner(self, diagnosis: Diagnosis, request: DiagnosisRequest, emit: Emit) -> LlmReasoner: ...

    async def usage(self, diagnosis_id: str) -> Usage: ...


def _no_examples(_request: DiagnosisRequest) -> Sequence[Example]:
    return ()


def _no_severity(_diagnosis: Diagnosis) -> Severity | None:
    return None


def _mark() -> str:
    return f"data-{secrets.token_hex(6)}"


@dataclass(frozen=True)
class ModelDesk:
    """Implements `ModelReasoning` over one gateway.

    Args:
        gateway: the door to the model.
        open_case: the data behind a request, for tools.
        examples: confirmed earlier cases of the same family.
        severity: of what a diagnosis is about; low ones may go to a cheaper model.
        mark: makes the random word around data from outside.
    """

    gateway: ModelGateway
    open_case: Callable[[DiagnosisRequest], Case]
    examples: Callable[[DiagnosisRequest], Sequence[Example]] = _no_examples
    severity: Callable[[Diagnosis], Severity | None] = _no_severity
    mark: Callable[[], str] = _mark

    async def reasoner(self, diagnosis: Diagnosis, request: DiagnosisRequest, emit: Emit) -> LlmReasoner:
        """A reasoner for one investigation."""
        settings = self.gateway.settings
        cheap = settings.low_severity_model if self.severity(diagnosis) == "low" else None
        run = await self.gateway.begin(diagnosis.id, emit, cheap)
        asking = Asking(self.mark(), self.examples(request), settings.max_tokens)
        return LlmReasoner(self.gateway, run, self._tools(request), asking)

    async def usage(self, diagnosis_id: str) -> Usage:
        """Tokens and cost of all calls made for a diagnosis."""
        return await self.gateway.usage_of(diagnosis_id)

    def _tools(self, request: DiagnosisRequest) -> CaseTools | None:
        try:
            return CaseTools(self.open_case(request))
        except AnalystError:
            return None
