"""The reasoner that needs no model: six steps from the ledger and the runbooks to a diagnosis."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import perf_counter

from agent.places import filled, place, short_name
from agent.reasoners import hypotheses as forming
from agent.reasoners import wording
from agent.reasoners.investigation import Investigation, Pattern
from domain.diagnosis import (
    STEP_NAMES,
    Action,
    Diagnosis,
    Hypothesis,
    Outcome,
    ReasonerName,
    Step,
    StepName,
)
from prompts.runbook import Runbook, RunbookAction

LEAST_CONFIDENCE = 0.3


def data_examination(investigation: Investigation) -> Investigation:
    """Say what was looked at, what moved, what is missing and what it cost."""
    text, cited = wording.examination(investigation.ledger)
    return investigation.with_step(Step(name="data_examination", text=text, evidence_ids=cited))


def pattern_recognition(investigation: Investigation) -> Investigation:
    """Say since when, what moved most, what the logs say, and what order can be told."""
    ledger = investigation.ledger
    lines = wording.findings(ledger)
    cited = tuple(one.id for one in ledger.evidence if any(f"[{one.id}]" in line for line in lines))
    patterns = tuple(Pattern(name="moves", text=line) for line in lines)
    step = Step(name="pattern_recognition", text=" ".join(lines), evidence_ids=cited)
    return investigation.model_copy(update={"patterns": patterns}).with_step(step)


def hypothesis_formation(investigation: Investigation) -> Investigation:
    """Score every cause on every component in question and form hypotheses that sum to one."""
    fits = forming.fit_all(investigation.ledger, investigation.runbooks)
    scored = investigation.model_copy(update={"fits": fits})
    formed, caps = forming.form(scored)
    scored = scored.model_copy(update={"hypotheses": formed, "caps": caps})
    cited = tuple(dict.fromkeys(identifier for one in formed for identifier in one.supporting[:2]))
    text = wording.candidates(scored)
    return scored.with_step(Step(name="hypothesis_formation", text=text, evidence_ids=cited))


def evidence_evaluation(investigation: Investigation) -> Investigation:
    """Weigh facts for and against each hypothesis, and name what would separate the first two."""
    ledger = investigation.ledger
    judged = tuple(_judged(one) for one in investigation.hypotheses)
    judged = _with_check(judged, investigation)
    text = " ".join(wording.weighing(one, ledger) for one in judged if one.cause != "unknown")
    text = text or "No hypothesis has facts to weigh."
    cited = tuple(
        dict.fromkeys(
            identifier for one in judged for identifier in (*one.supporting[:3], *one.contradicting[:3])
        )
    )
    step = Step(name="evidence_evaluation", text=text, evidence_ids=cited)
    return investigation.model_copy(update={"hypotheses": judged}).with_step(step)


def root_cause_determination(investigation: Investigation) -> Investigation:
    """Decide: a cause, inconclusive, or no fault; with the path from cause to target."""
    outcome = _outcome(investigation)
    first = investigation.hypotheses[0] if investigation.hypotheses else None
    confidence = first.confidence if first is not None else 0.0
    decided = investigation.model_copy(update={"outcome": outcome, "confidence": confidence})
    cited = first.supporting if first is not None and outcome == "cause_found" else ()
    text = wording.determination(decided)
    return decided.with_step(Step(name="root_cause_determination", text=text, evidence_ids=cited))


def recommendations(investigation: Investigation) -> Investigation:
    """Turn the cause's runbook into numbered actions, reversible ones first, and write the summary."""
    named = [one for one in investigation.hypotheses if one.cause != "unknown"]
    lead = named[0] if named and investigation.outcome != "no_fault" else None
    runbook = investigation.runbook(lead.cause) if lead else None
    sure = investigation.outcome == "cause_found"
    immediate, preventive, monitoring = _actions(runbook, lead, sure=sure)
    done = investigation.model_copy(
        update={"immediate": immediate, "preventive": preventive, "monitoring": monitoring}
    )
    done = done.model_copy(update={"summary": wording.summary(done)})
    text = " ".join(
        f"{one.n}. {one.text} ({one.owner.replace('_', ' ')}{'' if one.reversible else ', not reversible'})."
        for one in (*immediate, *preventive, *monitoring)
    )
    return done.with_step(Step(name="recommendations", text=text or "Nothing needs to be done."))


STEPS: Mapping[StepName, Callable[[Investigation], Investigation]] = {
    "data_examination": data_examination,
    "pattern_recognition": pattern_recognition,
    "hypothesis_formation": hypothesis_formation,
    "evidence_evaluation": evidence_evaluation,
    "root_cause_determination": root_cause_determination,
    "recommendations": recommendations,
}


def run_step(name: StepName, investigation: Investigation) -> Investigation:
    """Run one step and note how long it took."""
    started = perf_counter()
    done = STEPS[name](investigation)
    elapsed = (perf_counter() - started) * 1000
    steps = tuple(
        one.model_copy(update={"duration_ms": elapsed}) if one.name == name else one for one in done.steps
    )
    return done.model_copy(update={"steps": steps})


def diagnose(investigation: Investigation) -> Investigation:
    """Run all six steps."""
    for name in STEP_NAMES:
        investigation = run_step(name, investigation)
    return investigation


def to_diagnosis(
    investigation: Investigation,
    *,
    timestamp: datetime,
    analysis_duration: float = 0.0,
    reasoner: ReasonerName = "statistical",
    fallback_reason: str | None = None,
) -> Diagnosis:
    """The finished investigation as the object that is stored and shown."""
    request, found = investigation.request, investigation.hypotheses
    return Diagnosis(
        anomaly_id=request.anomaly_id,
        incident_id=request.incident_id,
        status="done",
        outcome=investigation.outcome,
        timestamp=timestamp,
        start_time=request.start_time,
        end_time=request.end_time,
        affected_metrics=request.affected_metrics,
        primary_hypothesis=found[0] if found else None,
        alternative_hypotheses=found[1:4],
        executive_summary=investigation.summary,
        detailed_analysis="\n\n".join(step.text for step in investigation.steps),
        steps=investigation.steps,
        immediate_actions=investigation.immediate,
        preventive_measures=investigation.preventive,
        monitoring_recommendations=investigation.monitoring,
        evidence=investigation.ledger.evidence,
        impact=investigation.ledger.impact,
        confidence_score=investigation.confidence,
        calibrated=investigation.calibrated,
        reasoner=reasoner,
        fallback_reason=fallback_reason,
        analysis_duration=analysis_duration,
    )


def _judged(hypothesis: Hypothesis) -> Hypothesis:
    if hypothesis.cause == "unknown":
        return hypothesis
    if hypothesis.confidence >= 0.5 and len(hypothesis.supporting) > len(hypothesis.contradicting):
        return hypothesis.model_copy(update={"verdict": "validated"})
    if hypothesis.confidence < 0.1:
        return hypothesis.model_copy(update={"verdict": "invalidated"})
    return hypothesis


def _with_check(found: tuple[Hypothesis, ...], investigation: Investigation) -> tuple[Hypothesis, ...]:
    """Give the first hypothesis the check that would tell it from its strongest rival."""
    named = [one for one in found if one.cause != "unknown"]
    if not named:
        return found
    runbook = investigation.runbook(named[0].cause)
    rivals = [one.cause for one in named[1:]]
    checks = runbook.checks if runbook else ()
    chosen = next((check for rival in rivals for check in checks if check.rival == rival), None)
    chosen = chosen or (checks[0] if checks else None)
    if chosen is None:
        return found
    return tuple(
        one.model_copy(update={"separating_check": chosen.text}) if one is named[0] else one for one in found
    )


def _outcome(investigation: Investigation) -> Outcome:
    ledger = investigation.ledger
    first = investigation.hypotheses[0] if investigation.hypotheses else None
    if wording.no_data(ledger):
        return "inconclusive"
    if not ledger.significant and not ledger.logs and not any(one.q_value < 0.1 for one in ledger.signals):
        return "no_fault"
    if first is None or first.cause == "unknown" or first.confidence < LEAST_CONFIDENCE:
        return "inconclusive"
    return "cause_found"


def _actions(
    runbook: Runbook | None, lead: Hypothesis | None, *, sure: bool
) -> tuple[tuple[Action, ...], tuple[Action, ...], tuple[Action, ...]]:
    if runbook is None or lead is None or lead.component is None:
        return (), (), ()
    immediate = sorted(runbook.immediate, key=lambda one: not one.reversible)
    if not sure and lead.separating_check:
        check = RunbookAction(text=lead.separating_check.rstrip("."), owner="trading", reversible=True)
        immediate = [check, *(one for one in immediate if one.reversible)]
    first = _numbered(immediate, lead.component, 1)
    second = _numbered(runbook.preventive if sure else (), lead.component, 1 + len(first))
    third = _numbered(runbook.monitoring, lead.component, 1 + len(first) + len(second))
    return first, second, third


def _numbered(actions: Sequence[RunbookAction], component: str, first: int) -> tuple[Action, ...]:
    where, name = place(component), short_name(component)
    return tuple(
        Action(n=first + i, text=filled(one.text, where, name), owner=one.owner, reversible=one.reversible)
        for i, one in enumerate(actions)
    )
