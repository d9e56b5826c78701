"""Reads the prompt of the chat as a model would: what is stored, what was said, what was looked up."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.chat.conversation import Turn, context_of
from agent.chat.lexicon import Lexicon
from agent.chat.question import Question
from agent.chat.reader import read
from domain.series import Series, SeriesKey
from domain.timestamps import parse_rfc3339

_SECTION = re.compile(r"^# (.+)$", re.MULTILINE)
_METRIC = re.compile(r"^([A-Za-z_:][\w:]*)\{([^}]*)\}$", re.MULTILINE)
_VALUES = re.compile(r"^([a-z_]\w*): (.+)$", re.MULTILINE)
_CALL = re.compile(r"^(\w+)\((.*)\)$")
_TURN = re.compile(r"^Person: (.*)\nYou: (.*)$", re.MULTILINE)
_CITED = re.compile(r"\[([IAD]-\d+)\]")
_KINDS = {"I": "incident", "A": "anomaly", "D": "diagnosis"}
_ORDER = re.compile(
    r"(?:please )?(?:ignore|disregard|forget|say|write|reply|answer|set|mark|call|send|tell|report|declare)"
    r"\b.*",
    re.IGNORECASE,
)
START = "# What is stored"


@dataclass(frozen=True)
class ChatReading:
    """What stands in a prompt of the chat.

    Args:
        now: the clock that it names.
        lexicon: the words for what is stored.
        question: as it was understood.
        found: tools that were called, with the JSON that came back; None where that was cut.
        tools: whether tools are on offer at all.
        may_diagnose: whether the person may start a diagnosis.
        errors: why tools did nothing.
        orders: what texts from outside tell the reader to do.
    """

    now: datetime
    lexicon: Lexicon
    question: Question
    found: Sequence[tuple[str, Mapping[str, Any]]]
    tools: bool
    may_diagnose: bool
    errors: Sequence[str]
    orders: Sequence[str]

    def result(self, name: str) -> Mapping[str, Any] | None:
        """What a tool returned last."""
        return next((result for called, result in reversed(self.found) if called == name), None)


def read_chat(text: str) -> ChatReading:
    """Read the user's message of a chat prompt."""
    parts = _sections(text)
    stored = parts.get("What is stored", "")
    lexicon = _lexicon(stored)
    now = parse_rfc3339(parts["Now"].split()[-1])
    said = [
        Turn(asked, now, tuple((_KINDS[one[0]], one) for one in _CITED.findall(answer)), answer)
        for asked, answer in _TURN.findall(parts.get("Said before", ""))
    ]
    asked = _unmarked(parts.get("The question", ""))
    looked_up = parts.get("Looked up for it", "")
    todo = parts.get("What to do now", "")
    quoted = re.findall(r'"(?:text|template|quoted|last_error)":"((?:[^"\\]|\\.)*)"', looked_up)
    return ChatReading(
        now=now,
        lexicon=lexicon,
        question=read(asked, lexicon, now, context_of(said, lexicon)),
        found=_found(looked_up),
        tools="Tools: " in todo,
        may_diagnose="takes the role operator" not in todo,
        errors=[one for one in parts.get("Not done", "").split("\n") if one.strip()],
        orders=tuple(match[0] for one in (*quoted, asked) if (match := _ORDER.search(one))),
    )


def _sections(text: str) -> dict[str, str]:
    pieces = _SECTION.split(text)
    return {pieces[i]: pieces[i + 1] for i in range(1, len(pieces) - 1, 2)}


def _unmarked(text: str) -> str:
    lines = [line for line in text.strip().split("\n") if not re.fullmatch(r"/?<[\w-]+>", line)]
    return "\n".join(lines).strip()


def _lexicon(stored: str) -> Lexicon:
    values = {name: found.split(", ") for name, found in _VALUES.findall(stored)}
    # A label of no metric that is shown is one of log lines.
    owned = {label for _, labels in _METRIC.findall(stored) for label in labels.split(", ")}
    metrics = [
        *_METRIC.findall(stored),
        *(("log_template_lines", name) for name in values if name not in owned),
    ]
    series = [
        Series(0, SeriesKey.of(metric, {label: value} if value else {}), "market_data")
        for metric, labels in metrics
        for label in (labels.split(", ") if labels else [""])
        for value in values.get(label, [""])
    ]
    return Lexicon.of(series)


def _found(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    lines = _unmarked(text).split("\n")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for call, result in zip(lines[::2], lines[1::2], strict=False):
        match = _CALL.match(call)
        try:
            found.append((match[1] if match else "", json.loads(result)))
        except ValueError:
            found.append((match[1] if match else "", {}))
    return found
