"""A thread of questions: each is read in the light of those before it, and answered by one function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.chat import comparing, desk, doubting, explaining, moving, reasons, starting, troubles, values
from agent.chat.asked import Answer, Asked
from agent.chat.lexicon import Lexicon
from agent.chat.question import Intent, Question
from agent.chat.reader import read
from agent.chat.refusals import unknown_answer
from agent.chat.times import Span
from domain.errors import AnalystError

MAX_REMEMBERED = 40
# So long before an incident is looked for what led up to it.
LED_UP = timedelta(hours=2)
# These say nothing about what is spoken of, so the subject before them stays.
_ASIDES: frozenset[Intent] = frozenset(
    {"help", "sources", "rules", "usage", "unknown", "inventory", "status", "command", "clock", "thanks"}
)
# Nor do these, whatever they name: nothing was answered.
_UNANSWERED: frozenset[Intent] = frozenset({"unknown", "command", "thanks"})
_CITED = frozenset({"incident", "anomaly", "diagnosis"})


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that was asked before, with what its answer cited as (kind, id), and the answer."""

    text: str
    at: datetime
    cited: Sequence[tuple[str, str]] = ()
    answer: str = ""


def context_of(turns: Sequence[Turn], lexicon: Lexicon) -> Question | None:
    """What is spoken of after these turns; None at the beginning."""
    before: Question | None = None
    for turn in turns[-MAX_REMEMBERED:]:
        question = read(turn.text, lexicon, turn.at, before)
        named = tuple(identifier for kind, identifier in turn.cited if kind in _CITED)
        aside = question.intent in _ASIDES and not question.has_subject
        if before is not None and (aside or question.intent in _UNANSWERED):
            cited = _first_incident(named)
            before = replace(before, cited=cited or before.cited, fresh=bool(cited))
            continue
        cited = _first_incident(named)
        before = replace(question, cited=cited or (before.cited if before else ()), fresh=bool(cited))
    return before


def _first_incident(named: Sequence[str]) -> tuple[str, ...]:
    ordered = sorted(named, key=lambda one: not one.startswith("I-"))
    return tuple(ordered[:1])


def answer_to(asked: Asked) -> Answer:
    """Answer a question that was read; what goes wrong in a tool is said, not hidden."""
    asked.emit(
        "step.started", {"id": "s1", "stage": "question", "title": f"Read as: {asked.question.intent}"}
    )
    try:
        _place_in_time(asked)
        answer = _ANSWERS[asked.question.intent](asked)
    except AnalystError as error:
        answer = Answer.refusal(f"I cannot answer that: {error}.")
    summary = {
        "id": "s1",
        "ms": 0,
        "summary": asked.question.intent,
        "evidence": [i for _, i in answer.citations],
    }
    asked.emit("step.finished", summary)
    return answer


def _place_in_time(asked: Asked) -> None:
    """`Since it began` is the time since the start of the incident spoken of."""
    question = asked.question
    named = question.since or question.until
    found = reasons.incident_named(asked, named) if named else None
    if found is None:
        return
    began = found.incident.started_at
    if question.since:
        span = Span(min(began, asked.now - timedelta(minutes=5)), asked.now, "since it began")
    else:
        span = Span(began - LED_UP, began, "before it")
    asked.question = replace(question, spans=(span,))


def _compare(asked: Asked) -> Answer:
    question = asked.question
    if question.strangers or question.metrics or question.absent:
        return comparing.compare_answer(asked)
    return troubles.compare_incidents_answer(asked)


def _similar(asked: Asked) -> Answer:
    detail = reasons.find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    return troubles.similar_answer(asked, detail.incident.id)


def _movers(asked: Asked) -> Answer:
    """With an incident in mind: what moved while it went on."""
    question = asked.question
    if question.ids and not question.metrics:
        detail = reasons.find_incident(asked)
        if not isinstance(detail, Answer):
            start = detail.incident.started_at
            end = max(detail.incident.ended_at or asked.now, start + timedelta(minutes=5))
            asked.question = replace(question, spans=(Span(start, end, ""),), metrics=())
    return moving.movers_answer(asked)


_ANSWERS: Mapping[Intent, Callable[[Asked], Answer]] = {
    "value": values.value_answer,
    "money": values.money_answer,
    "compare": _compare,
    "what_happened": troubles.what_happened_answer,
    "why": reasons.why_answer,
    "when": reasons.when_answer,
    "how_bad": reasons.how_bad_answer,
    "worst": troubles.worst_answer,
    "list_incidents": troubles.list_incidents_answer,
    "list_anomalies": troubles.list_anomalies_answer,
    "status": desk.status_answer,
    "explain": explaining.explain_answer,
    "actions": reasons.actions_answer,
    "movers": _movers,
    "logs": desk.logs_answer,
    "events": desk.events_answer,
    "sources": desk.sources_answer,
    "rules": desk.rules_answer,
    "usage": desk.usage_answer,
    "similar": _similar,
    "last_time": doubting.last_time_answer,
    "against": doubting.against_answer,
    "over": doubting.over_answer,
    "significant": doubting.significant_answer,
    "diagnose": starting.diagnose_answer,
    "inventory": desk.inventory_answer,
    "help": desk.help_answer,
    "command": desk.command_answer,
    "clock": desk.clock_answer,
    "thanks": desk.thanks_answer,
    "unknown": unknown_answer,
}
