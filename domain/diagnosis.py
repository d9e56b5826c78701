"""A diagnosis: the stored result of one investigation."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.anomaly import AnomalyType
from domain.evidence import Evidence
from domain.money import Impact

StepName = Literal[
    "data_examination",
    "pattern_recognition",
    "hypothesis_formation",
    "evidence_evaluation",
    "root_cause_determination",
    "recommendations",
]
STEP_NAMES: tuple[StepName, ...] = (
    "data_examination",
    "pattern_recognition",
    "hypothesis_formation",
    "evidence_evaluation",
    "root_cause_determination",
    "recommendations",
)
Outcome = Literal["cause_found", "inconclusive", "no_fault"]
# From this confidence on a found cause counts as sure.
SURE = 0.8
# Looks at an incident that begin this close to each other ask the same question.
SAME_START = timedelta(minutes=15)
DiagnosisStatus = Literal["queued", "running", "done", "failed", "cancelled"]
ReasonerName = Literal["statistical", "llm"]


class Step(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: StepName
    text: str
    evidence_ids: tuple[str, ...] = ()
    duration_ms: float = 0.0


class Hypothesis(BaseModel):
    """A candidate cause. `cause` is a runbook's key or `unknown`; confidences with `unknown` sum to one."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    cause: str
    component: str | None = None
    description: str
    root_series: tuple[str, ...] = ()
    confidence: float = Field(ge=0, le=1)
    supporting: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()
    verdict: Literal["validated", "invalidated", "inconclusive"] = "inconclusive"
    separating_check: str | None = None


class Action(BaseModel):
    """Something to do. `n` numbers the actions of one diagnosis through all three lists, from 1."""

    model_config = ConfigDict(frozen=True)

    n: int
    text: str
    owner: str = ""
    reversible: bool | None = None
    done: bool = False
    done_by: str | None = None
    done_at: datetime | None = None


class Verification(BaseModel):
    model_config = ConfigDict(frozen=True)

    claims: int = 0
    verified: int = 0
    removed: int = 0


class Usage(BaseModel):
    """Tokens and money of the model calls made; a cost of None means that the price is not known."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


class DiagnosisRequest(BaseModel):
    """What to investigate: one stored anomaly, or metrics over a window."""

    model_config = ConfigDict(frozen=True)

    anomaly_id: str | None = None
    incident_id: str | None = None
    anomaly_type: AnomalyType | None = None
    start_time: datetime
    end_time: datetime
    affected_metrics: tuple[str, ...]
    reasoner: ReasonerName | None = None


class Diagnosis(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = ""
    anomaly_id: str | None = None
    incident_id: str | None = None
    status: DiagnosisStatus = "queued"
    outcome: Outcome | None = None
    timestamp: datetime
    start_time: datetime
    end_time: datetime
    affected_metrics: tuple[str, ...] = ()
    primary_hypothesis: Hypothesis | None = None
    alternative_hypotheses: tuple[Hypothesis, ...] = ()
    executive_summary: str = ""
    detailed_analysis: str = ""
    steps: tuple[Step, ...] = ()
    immediate_actions: tuple[Action, ...] = ()
    preventive_measures: tuple[Action, ...] = ()
    monitoring_recommendations: tuple[Action, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    impact: Impact | None = None
    confidence_score: float = Field(default=0.0, ge=0, le=1)
    calibrated: bool = False
    reasoner: ReasonerName = "statistical"
    llm_model_used: str | None = None
    fallback_reason: str | None = None
    verification: Verification = Verification()
    usage: Usage = Usage()
    analysis_duration: float = 0.0
    prompt_versions: tuple[str, ...] = ()


def is_sure(diagnosis: Diagnosis) -> bool:
    """Whether a cause was found with a confidence that needs no further look."""
    return diagnosis.outcome == "cause_found" and diagnosis.confidence_score >= SURE


def supersedes(later: Diagnosis, shown: Diagnosis) -> bool:
    """Whether a later look at an incident takes the place of the diagnosis that is shown for it.

    A sure cause is taken back only by one that is at least as sure, and confirmed only by a sure one: once
    trouble is over, its traces fade in what is normal before and after, and weaker explanations come up. For
    the same reason no cause that was found is taken back by a look that finds no fault. What began at another
    time is another question.
    """
    if abs(later.start_time - shown.start_time) > SAME_START:
        return True
    if not is_sure(shown):
        return not (shown.outcome == "cause_found" and later.outcome == "no_fault")
    if later.outcome != "cause_found":
        return False
    enough = SURE if _cause(later) == _cause(shown) else shown.confidence_score
    return later.confidence_score >= enough


def _cause(diagnosis: Diagnosis) -> str | None:
    return None if diagnosis.primary_hypothesis is None else diagnosis.primary_hypothesis.cause
