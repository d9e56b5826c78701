"""From words to what is wanted: patterns in the order in which they decide."""

import re
from typing import Literal

from agent.chat.phrasings import INTENTS, STATISTICS
from agent.chat.question import Intent, Statistic
from domain.anomaly import SEVERITIES, Severity

_COMPILED = tuple((intent, re.compile("|".join(patterns))) for intent, patterns in INTENTS.items())

_STATISTIC_PATTERNS = tuple((name, re.compile("|".join(patterns))) for name, patterns in STATISTICS.items())

_DIMENSION_WORDS = {
    "strategy": r"strateg(?:y|ies)|algos?",
    "venue": r"venues?|exchanges?",
    "symbol": r"symbols?|coins?|instruments?|assets?|tokens?",
    "host": r"hosts?|machines?|servers?|nodes?",
    "pair": r"pairs?",
    "database": r"databases?",
    "component": r"components?",
}
_SPLITTERS = "by|per|each|every|which|what|across|worst|best|slowest|fastest|all|the"
_SPLIT = {
    name: re.compile(rf"\b(?:{_SPLITTERS}) (?:the )?(?:{word})\b") for name, word in _DIMENSION_WORDS.items()
}
_DIMENSION_NAMED = {name: re.compile(rf"\b(?:{word})\b") for name, word in _DIMENSION_WORDS.items()}
_LOWEST = re.compile(
    r"\b(?:lowest|least|smallest|fewest|fastest|lost|lose|losing|loser|losses|bleed\w*|worst)\b"
)


_WHO = re.compile(r"\bwho\b.*\b(?:bleed\w*|los\w+|made|mak\w+|earn\w*)\b")


def intent_of(text: str) -> Intent | None:
    """What is wanted, from the words alone; None where no pattern fits."""
    return next((intent for intent, pattern in _COMPILED if pattern.search(text)), None)


def statistic_of(text: str) -> Statistic | None:
    """The figure that is asked for, if one is."""
    return next((name for name, pattern in _STATISTIC_PATTERNS if pattern.search(text)), None)


def dimension_of(text: str) -> str | None:
    """The label by which to split: `by venue`, `which strategy`."""
    if _WHO.search(text):
        return "strategy"
    return next((name for name, pattern in _SPLIT.items() if pattern.search(text)), None)


def dimension_named(text: str) -> str | None:
    """The label that is mentioned at all: `list the strategies`."""
    return next((name for name, pattern in _DIMENSION_NAMED.items() if pattern.search(text)), None)


def severity_of(text: str) -> Severity | None:
    """The least severity that is asked for."""
    if re.search(r"\b(?:severe|serious)\b", text):
        return "high"
    return next((one for one in SEVERITIES if re.search(rf"\b{one}\b(?!er|est)", text)), None)


def status_of(text: str) -> Literal["open", "resolved"] | None:
    """Whether only open, or only ended ones are asked for."""
    if re.search(r"\b(?:open|ongoing|active|unresolved|current(?:ly)?|right now|still)\b", text):
        return "open"
    return "resolved" if re.search(r"\b(?:resolved|closed|ended)\b", text) else None


def wants_lowest(text: str) -> bool:
    """Whether the small end is asked for, as in `which strategy lost most`."""
    return _LOWEST.search(text) is not None
