"""An investigation between two steps: plain data that a checkpoint can hold and any step can continue."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.evidence.record import Ledger
from domain.diagnosis import Action, DiagnosisRequest, Hypothesis, Outcome, Step
from prompts.runbook import Runbook


class Pattern(BaseModel):
    """Something that several facts say together, such as `one component moved first`."""

    model_config = ConfigDict(frozen=True)

    name: Literal["onset", "moves", "logs", "events", "order", "spread", "similar"]
    text: str
    evidence_ids: tuple[str, ...] = ()


class Fit(BaseModel):
    """How well one cause explains one component: the facts for and against it, and its share."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    cause: str
    component: str
    score: float
    share: float = Field(ge=0)
    matched: tuple[str, ...] = ()
    supporting: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()


class Investigation(BaseModel):
    """What is asked, what is known, and what was concluded so far."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    request: DiagnosisRequest
    ledger: Ledger
    runbooks: tuple[Runbook, ...]
    patterns: tuple[Pattern, ...] = ()
    fits: tuple[Fit, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    steps: tuple[Step, ...] = ()
    outcome: Outcome | None = None
    immediate: tuple[Action, ...] = ()
    preventive: tuple[Action, ...] = ()
    monitoring: tuple[Action, ...] = ()
    summary: str = ""
    confidence: float = Field(default=0.0, ge=0, le=1)
    calibrated: bool = False
    caps: tuple[str, ...] = ()
    notes: dict[str, Any] = Field(default_factory=dict, description="What a reasoner needs in later steps.")

    @classmethod
    def begin(cls, request: DiagnosisRequest, ledger: Ledger, runbooks: Sequence[Runbook]) -> "Investigation":
        """Start with the facts and the catalogue of causes."""
        return cls(request=request, ledger=ledger, runbooks=tuple(runbooks), calibrated=ledger.calibrated)

    def runbook(self, cause: str) -> Runbook | None:
        """The runbook of a cause, or None for `unknown`."""
        return next((one for one in self.runbooks if one.key == cause), None)

    def with_step(self, step: Step) -> "Investigation":
        """The same investigation with one more finished step (a repeated step replaces the former)."""
        kept = tuple(one for one in self.steps if one.name != step.name)
        return self.model_copy(update={"steps": (*kept, step)})
