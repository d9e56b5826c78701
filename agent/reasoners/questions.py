"""What a model is asked: the ledger as a ranked table within a budget of tokens, inside a prompt file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from agent.evidence.figures import clock
from agent.evidence.record import Ledger
from agent.model.call_log import key_of
from agent.model.outcomes import Question
from agent.model.redaction import cleaned, redacted
from agent.model.tokens import count_messages, count_tokens
from agent.reasoners.answers import schema_of
from agent.reasoners.investigation import Investigation
from agent.tools import descriptions, signatures
from domain.anomaly import AnomalyType
from domain.evidence import Evidence
from prompts.template import render

MAX_PROMPT_TOKENS = 4_000
MAX_LINE = 400
MAX_QUOTED = 160
LEAST_FACTS = 4
# Stands for the random mark in what identifies a call, so that a resumed run finds its own calls.
_NO_MARK = "<data>"

FAMILIES: Mapping[str, tuple[AnomalyType, ...]] = {
    "performance_drop": ("performance_drop", "sudden_loss", "drawdown"),
    "execution_delay": ("execution_delay",),
    "system_error": ("error_rate_spike", "resource_exhaustion", "log_novelty"),
    "data_feed": ("stale_feed", "silent_strategy"),
    "market_anomaly": (
        *("volume_spike", "volatility_spike", "price_spike", "spread_widening", "correlation_breakdown"),
        *("market_manipulation", "news_anomaly", "funding_shock", "liquidity_drain"),
    ),
}
_BY_CAUSE: Mapping[str, str] = {
    "venue_gateway_latency": "execution_delay",
    "rate_limiting": "execution_delay",
    "stale_feed": "data_feed",
    "market_data_gap": "data_feed",
    "silent_strategy": "data_feed",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A confirmed earlier case, shown to the model as one line of data."""

    id: str
    cause: str
    component: str | None
    summary: str


@dataclass(frozen=True, slots=True)
class Asking:
    """How questions of one run are put.

    Args:
        mark: the random word around data from outside.
        examples: confirmed earlier cases of the family.
        max_tokens: longest answer.
        share: share of the evidence that is shown; halved where a model says that it is too much.
    """

    mark: str
    examples: Sequence[Example] = ()
    max_tokens: int = 4_000
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Extras:
    """What only some questions have: tools on offer, what tools refused, or what was wrong."""

    tools: bool = False
    errors: Sequence[str] = ()
    brief: bool = False
    problems: Sequence[str] = ()
    conclusion: str = ""
    shape: str = ""


def family_of_type(kind: AnomalyType | None) -> str | None:
    """The prompt file of a type of anomaly; None for types that say nothing of a kind of trouble."""
    return next((name for name, kinds in FAMILIES.items() if kind in kinds), None)


def family_of(investigation: Investigation) -> str:
    """The prompt file of an investigation: by the anomaly's type, else by the leading cause."""
    named = family_of_type(investigation.request.anomaly_type)
    if named is not None:
        return named
    first = next((one.cause for one in investigation.hypotheses if one.cause != "unknown"), "")
    return _BY_CAUSE.get(first, "performance_drop")


def ask(
    name: str, shape: type[BaseModel], investigation: Investigation, asking: Asking, extras: Extras
) -> tuple[Question, tuple[str, ...]]:
    """A question within the token budget, and the ids of the facts that had to be left out."""
    ranked = ranked_facts(investigation)
    count = max(LEAST_FACTS, round(len(ranked) * asking.share))
    while True:
        shown, cut = ranked[:count], tuple(one.id for one in ranked[count:])
        question = _question(name, shape, investigation, asking, extras, (shown, cut))
        if tokens_of(question) <= MAX_PROMPT_TOKENS or count <= LEAST_FACTS:
            return question, cut
        count = max(LEAST_FACTS, count - max(1, len(shown) // 10))


def tokens_of(question: Question) -> int:
    """Tokens of a whole question: messages, schema and tools."""
    rest = json.dumps([question.schema, question.tools])
    return count_messages(question.messages) + count_tokens(rest)


def ranked_facts(investigation: Investigation) -> list[Evidence]:
    """The facts of the ledger, the most telling first."""
    cited = {
        name for one in investigation.hypotheses for name in (*one.supporting[:4], *one.contradicting[:3])
    }
    order = {
        "onset": 0,
        "impact": 0,
        "query": 1,
        "attribution": 2,
        "lead_lag": 2,
        "silence": 2,
        "log_template": 3,
    }
    later = {"similar_incident": 3, "normal": 3, "missing": 4, "shift": 5, "event": 6, "news": 7}

    def rank(one: Evidence) -> tuple[float, float]:
        place = float({**order, **later}.get(one.kind, 8))
        return min(place, 1.5) if one.id in cited else place, -abs(one.effect_size or 0.0)

    return sorted(investigation.ledger.evidence, key=rank)


def _question(
    name: str,
    shape: type[BaseModel],
    investigation: Investigation,
    asking: Asking,
    extras: Extras,
    facts: tuple[Sequence[Evidence], Sequence[str]],
) -> Question:
    values = _values(investigation, asking, extras, facts)
    user = render(name, mark=f"<{asking.mark}>", **values)
    system = render("system", mark=f"<{asking.mark}>")
    plain = render(name, mark=_NO_MARK, **values)
    tools = descriptions() if extras.tools else ()
    messages = ({"role": "system", "content": system.text}, {"role": "user", "content": user.text})
    question = Question(
        messages=messages, name=user.version, key=key_of(user.version, system.version, plain.text, tools)
    )
    return replace(question, schema=schema_of(shape), tools=tools, max_tokens=asking.max_tokens)


def _values(
    investigation: Investigation,
    asking: Asking,
    extras: Extras,
    facts: tuple[Sequence[Evidence], Sequence[str]],
) -> dict[str, Any]:
    ledger = investigation.ledger
    shown, cut = facts
    components = [row.component for row in ledger.components[:12]]
    return {
        "case": _case(ledger),
        "facts": [line(one) for one in sorted(shown, key=lambda one: int(one.id[1:]))],
        "quoted": [f"{one.id} quotes: {_outside(one.quoted, MAX_QUOTED)}" for one in shown if one.quoted],
        "cut": cut,
        "candidates": [_candidate(investigation, i) for i in range(len(investigation.hypotheses))],
        "causes": [one.key for one in investigation.runbooks],
        "components": [_outside(one, 100) for one in components],
        "examples": [_example(one) for one in asking.examples[:2]],
        "tools": {"names": signatures() if extras.tools else [], "errors": list(extras.errors)},
        "brief": extras.brief,
        "problems": [_outside(one, MAX_LINE) for one in extras.problems[:12]],
        "conclusion": extras.conclusion,
        "shape": extras.shape,
    }


def line(one: Evidence) -> str:
    """One fact as a line of the table."""
    return (
        f"{one.id} | {one.kind} | {_outside(one.component or '-', 100)} | {_outside(one.statement, MAX_LINE)}"
    )


def _case(ledger: Ledger) -> dict[str, Any]:
    return {
        "target": _outside(", ".join(ledger.targets[:2]) or "what moved", 200),
        "onset": clock(ledger.onset),
        "start": f"{ledger.start:%Y-%m-%d %H:%M}",
        "end": clock(ledger.end),
        "tested": ledger.tested,
        "significant": ledger.significant,
    }


def _candidate(investigation: Investigation, index: int) -> str:
    one = investigation.hypotheses[index]
    sides = (" ".join(one.supporting[:6]) or "-", " ".join(one.contradicting[:5]) or "-")
    where = _outside(one.component or "-", 100)
    shown = f"{one.id} | {one.cause} | {where} | {one.confidence * 100:.0f}%"
    return f"{shown} | for {sides[0]} | against {sides[1]}"


def _example(one: Example) -> str:
    where = _outside(one.component or "-", 100)
    return f"{one.id} | {one.cause} | {where} | {_outside(one.summary, 300)}"


def _outside(text: str, longest: int) -> str:
    """Text from outside: one line, without what cannot be seen, without secrets, cut."""
    flat = " ".join(cleaned(redacted(text)).split())
    return flat if len(flat) <= longest else flat[: longest - 3] + "..."
