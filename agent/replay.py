"""Repeats the reasoning of a stored diagnosis from its ledger and the recorded answers of its model."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.evidence.record import Ledger
from agent.graph import Reasoner
from agent.model.call_log import Call, recorded_in_order
from agent.model.gateway import Run, usage_of
from agent.model.outcomes import ModelFailure, Question, Reply
from agent.reasoners.investigation import Investigation
from agent.reasoners.llm import SUMMARY_FAILED, LlmReasoner
from agent.reasoners.notes import Notes
from agent.reasoners.offline import StatisticalReasoner
from agent.reasoners.questions import Asking
from agent.reasoners.statistical import to_diagnosis
from agent.tools import StoredTools
from domain.diagnosis import STEP_NAMES, Action, Diagnosis, DiagnosisRequest, Step
from domain.errors import ReasonerError
from prompts.runbook import Runbook
from prompts.template import version

_ACTIONS = ("immediate_actions", "preventive_measures", "monitoring_recommendations")


@dataclass(frozen=True, slots=True)
class Record:
    """What a diagnosis was reasoned from."""

    request: DiagnosisRequest
    ledger: Ledger
    by_model: bool
    runbooks: str


@dataclass
class RecordedDoor:
    """Answers with what was recorded, in order; after that with the reason for which the run stood still."""

    answers: list[Reply | ModelFailure]
    reason: str
    model: str

    async def ask(self, run: Run, question: Question) -> Reply:  # noqa: ARG002 -- the door's signature
        if not self.answers:
            raise ReasonerError(self.reason)
        answer = self.answers.pop(0)
        if isinstance(answer, ModelFailure):
            raise answer
        return answer


@dataclass(frozen=True, slots=True)
class Replayed:
    """A repeated diagnosis, and what has changed since in what it was made with."""

    diagnosis: Diagnosis
    notes: tuple[str, ...] = field(default=())


def packed(investigation: Investigation) -> str:
    """All that is needed to repeat an investigation, as text."""
    record = {
        "request": investigation.request.model_dump(mode="json"),
        "ledger": investigation.ledger.model_dump(mode="json"),
        "by_model": bool(investigation.notes),
        "runbooks": digest(investigation.runbooks),
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str) -> Record:
    """The record behind a text of `packed`."""
    found: Mapping[str, Any] = json.loads(text)
    return Record(
        request=DiagnosisRequest.model_validate(found["request"]),
        ledger=Ledger.model_validate(found["ledger"]),
        by_model=bool(found["by_model"]),
        runbooks=str(found["runbooks"]),
    )


def digest(runbooks: Sequence[Runbook]) -> str:
    """A fingerprint of the catalogue of causes."""
    text = "".join(one.model_dump_json() for one in runbooks)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def replay(
    stored: Diagnosis, record: Record, runbooks: Sequence[Runbook], calls: Sequence[Call]
) -> Replayed:
    """Derive a diagnosis again; measured times, and who ticked what, are taken from the stored one.

    Args:
        stored: the diagnosis as it was stored.
        record: what it was reasoned from.
        runbooks: the causes of today.
        calls: the recorded calls of its model.
    """
    reasoner: Reasoner = StatisticalReasoner()
    if record.by_model:
        reason = (stored.fallback_reason or "").removeprefix(SUMMARY_FAILED)
        model = stored.llm_model_used or (calls[0].model if calls else "")
        door = RecordedDoor(recorded_in_order(calls), reason, model)
        tools = StoredTools(record.ledger.evidence)
        reasoner = LlmReasoner(door, Run(stored.id, 0.0, model=model), tools, Asking("data"))
    done = await steps_of(reasoner, record, runbooks)
    again = to_diagnosis(done, timestamp=stored.timestamp, analysis_duration=stored.analysis_duration)
    if record.by_model:
        again = Notes.of(done).finish(again).model_copy(update={"usage": usage_of(calls)})
    else:
        again = again.model_copy(update={"fallback_reason": stored.fallback_reason})
    return Replayed(_as_measured(again, stored), tuple(_changes(stored, record, runbooks)))


async def steps_of(reasoner: Reasoner, record: Record, runbooks: Sequence[Runbook]) -> Investigation:
    """The six steps over a stored ledger, without what tools had added to it."""
    evidence = tuple(one for one in record.ledger.evidence if "tool" not in one.parameters)
    ledger = record.ledger.model_copy(update={"evidence": evidence})
    investigation = Investigation.begin(record.request, ledger, runbooks)
    for name in STEP_NAMES:
        investigation = await reasoner.take_step(name, investigation)
    return investigation


def differences(stored: Diagnosis, again: Diagnosis) -> list[str]:
    """The fields that are not the same to the byte, each with both contents, cut short."""
    first, second = stored.model_dump(mode="json"), again.model_dump(mode="json")
    found = []
    for name, value in first.items():
        old, new = (json.dumps(one, ensure_ascii=False, sort_keys=True) for one in (value, second[name]))
        if old != new:
            at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
            start = max(0, at - 30)
            found.append(f"{name}: {old[start : at + 100]} -> {new[start : at + 100]}")
    return found


def _as_measured(again: Diagnosis, stored: Diagnosis) -> Diagnosis:
    """Durations, ids and ticks are facts of the run and of people, not of the reasoning."""
    took = {one.name: one.duration_ms for one in stored.steps}
    steps = tuple(_timed(one, took.get(one.name, 0.0)) for one in again.steps)
    values: dict[str, Any] = {"id": stored.id, "steps": steps}
    values |= {"anomaly_id": stored.anomaly_id, "incident_id": stored.incident_id}
    for name in _ACTIONS:
        ticked: Mapping[int, Action] = {one.n: one for one in getattr(stored, name)}
        values[name] = tuple(_ticked(one, ticked.get(one.n)) for one in getattr(again, name))
    return again.model_copy(update=values)


def _timed(step: Step, duration_ms: float) -> Step:
    return step.model_copy(update={"duration_ms": duration_ms})


def _ticked(action: Action, known: Action | None) -> Action:
    if known is None:
        return action
    ticks = {"done": known.done, "done_by": known.done_by, "done_at": known.done_at}
    return action.model_copy(update=ticks)


def _changes(stored: Diagnosis, record: Record, runbooks: Sequence[Runbook]) -> list[str]:
    found = [] if digest(runbooks) == record.runbooks else ["the runbooks have changed since"]
    names = [name for name in stored.prompt_versions if version(name.partition("@")[0]) != name]
    return [*found, *(f"the prompt {name.partition('@')[0]} has changed since" for name in names)]
