"""What the model of the chat is asked: one prompt per round, within a budget of tokens."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from agent.chat import model_tools
from agent.chat.asked import Asked
from agent.chat.conversation import Turn
from agent.chat.digest import digest
from agent.chat.lexicon import HIDDEN_METRICS
from agent.model.call_log import key_of
from agent.model.outcomes import Question
from agent.model.redaction import cleaned, redacted
from agent.model.tokens import count_messages, count_tokens
from prompts.template import render

MAX_PROMPT_TOKENS = 7_500
MAX_ANSWER_TOKENS = 900
RESULT_TOKENS = 1_600
LEAST_RESULT_TOKENS = 100
MAX_TURNS = 6
MAX_METRICS = 60
MAX_VALUES = 30
_NO_MARK = "<data>"


@dataclass(frozen=True, slots=True)
class Found:
    """A tool that was called in this turn, with what it returned."""

    name: str
    arguments: str
    result: BaseModel


@dataclass
class Talk:
    """One question while the model works on it."""

    asked: Asked
    turns: Sequence[Turn]
    mark: str
    diagnose: bool
    found: list[Found] = field(default_factory=list)
    errors: tuple[str, ...] = ()
    tools: bool = True
    wrong: str = ""
    # The model said that a prompt was too long for it.
    small: bool = False


def question_of(talk: Talk) -> Question:
    """The next question; results are shortened, the older ones first, until it fits."""
    most = MAX_PROMPT_TOKENS // 2 if talk.small else MAX_PROMPT_TOKENS
    sizes = [RESULT_TOKENS] * len(talk.found)
    while True:
        question = _question(
            talk, [digest(one.result, size) for one, size in zip(talk.found, sizes, strict=True)]
        )
        if tokens_of(question) <= most:
            return question
        longest = max(range(len(sizes)), key=lambda i: (sizes[i], -i), default=None)
        if longest is None or sizes[longest] <= LEAST_RESULT_TOKENS:
            return question
        sizes[longest] //= 2


def tokens_of(question: Question) -> int:
    """Tokens of a whole question, its tools included."""
    return count_messages(question.messages) + count_tokens(json.dumps(question.tools))


def _question(talk: Talk, results: Sequence[str]) -> Question:
    names = model_tools.offered(diagnose=talk.diagnose) if talk.tools else ()
    values = _values(talk, results, names)
    user = render("chat", mark=f"<{talk.mark}>", **values)
    system = render("chat_system", mark=f"<{talk.mark}>")
    plain = render("chat", mark=_NO_MARK, **values)
    return Question(
        messages=({"role": "system", "content": system.text}, {"role": "user", "content": user.text}),
        name=user.version,
        key=key_of(user.version, system.version, plain.text, names),
        tools=model_tools.descriptions(names),
        max_tokens=MAX_ANSWER_TOKENS,
    )


def _values(talk: Talk, results: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    asked = talk.asked
    return {
        "now": f"{asked.now:%A %Y-%m-%dT%H:%M:%SZ}",
        "metrics": _metrics(asked),
        "values": _label_values(asked),
        "turns": [_turn(one) for one in talk.turns[-(1 if talk.small else MAX_TURNS) :]],
        "question": _outside(asked.question.text, 1_500),
        "found": [
            {"call": f"{one.name}({_outside(one.arguments, 400)})", "result": result}
            for one, result in zip(talk.found, results, strict=True)
        ],
        "errors": [_outside(one, 300) for one in talk.errors],
        "tools": names if talk.small else model_tools.signatures(names),
        "may_diagnose": talk.diagnose,
        "wrong": talk.wrong,
    }


def _metrics(asked: Asked) -> list[str]:
    """Each metric with the names of its labels, as `pnl{strategy, venue}`."""
    labels: dict[str, set[str]] = {}
    for one in asked.tools.all_series():
        if one.key.metric not in HIDDEN_METRICS:
            labels.setdefault(one.key.metric, set()).update(name for name, _ in one.key.labels)
    shown = [f"{name}{{{', '.join(sorted(found))}}}" for name, found in sorted(labels.items())]
    left = len(shown) - MAX_METRICS
    return [*(_outside(one, 150) for one in shown[:MAX_METRICS]), *([f"and {left} more"] if left > 0 else [])]


def _label_values(asked: Asked) -> list[str]:
    return [
        f"{_outside(name, 60)}: {', '.join(_outside(one, 60) for one in found[:MAX_VALUES])}"
        for name, found in list(asked.lexicon.values.items())[:20]
        if name not in {"template", "level"}
    ]


def _turn(one: Turn) -> Mapping[str, str]:
    return {"question": _outside(one.text, 200), "answer": _outside(one.answer, 400)}


def _outside(text: str, longest: int) -> str:
    flat = " ".join(cleaned(redacted(text)).split())
    return flat if len(flat) <= longest else f"{flat[: longest - 3]}..."
