"""Claims without digits: numbers and times in words, negated moves, strange names, what is no prose."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from agent.evidence.record import Ledger
from agent.phrases import DEMAND, DOWN, NEGATED, NO_PROSE, NUMBER_WORDS, TIME_WORDS, UP, WORLD
from domain.evidence import Evidence

# Words of so many letters tell what a sentence is about.
_CONTENT = re.compile(r"[a-z]{4,}")
_STEM = 5
_INNER = re.compile(r"(?<![.:(\[\"“]\s)(?<![.:(\[\"“])(?<!^)\b([A-Z][a-z]{2,})\b")
# Anchored: from every letter of a long word on it would be searched anew.
_NON_ASCII = re.compile(r"\b\w*[^\W\d_\x00-\x7f]\w*")


def worded(sentence: str, cited: Sequence[Evidence], ledger: Ledger, titles: Sequence[str]) -> Iterator[str]:
    """What a sentence says in words that nothing bears out; nothing where all holds.

    Args:
        sentence: without its citations.
        cited: the facts that it cites.
        ledger: all facts; their statements are ours.
        titles: of the hypotheses, which are ours too.
    """
    stated = " ".join(one.statement for one in cited).lower()
    if NO_PROSE.search(sentence):
        yield "only plain prose is allowed: no addresses, markup, code, paths or queries"
    if DEMAND.search(sentence):
        yield "what to do is told by the runbooks alone"
    for pattern, rule in ((NUMBER_WORDS, "numbers are written in digits"), (TIME_WORDS, "times are written")):
        strange = [match[0] for match in pattern.finditer(sentence) if match[0].lower() not in stated]
        yield from (f"{one!r}: {rule} as the cited fact has them" for one in strange)
    yield from _characters(sentence, ledger)
    yield from _names(sentence, ledger, titles)
    for pattern, direction in ((UP, "up"), (DOWN, "down")):
        denied = any(NEGATED.search(sentence[: match.start()]) for match in pattern.finditer(sentence))
        if denied and direction in {one.direction for one in cited}:
            yield f"what is cited did move {direction}"


def is_about(sentence: str, cited: Sequence[Evidence], titles: Sequence[str]) -> bool:
    """Whether a sentence speaks of anything that the cited facts or the hypotheses speak of."""
    stated = " ".join([*(f"{one.statement} {one.component or ''}" for one in cited), *titles])
    ours = {word[:_STEM] for word in _CONTENT.findall(stated.lower().replace("_", " "))}
    return any(word[:_STEM] in ours for word in _CONTENT.findall(sentence.lower().replace("_", " ")))


def _characters(sentence: str, ledger: Ledger) -> Iterator[str]:
    """Letters of other scripts only in words that the facts have; digits in ASCII alone."""
    if any(unicodedata.category(one).startswith("N") and not one.isascii() for one in sentence):
        yield "numbers are written in plain digits"
    foreign = _NON_ASCII.findall(sentence)
    known = " ".join(one.statement for one in ledger.evidence) if foreign else ""
    for word in foreign:
        if word not in known:
            yield f"{word!r} stands in no fact"


def _names(sentence: str, ledger: Ledger, titles: Sequence[str]) -> Iterator[str]:
    """Names of venues and coins of the world, and capitalised words, that this desk does not have."""
    found = [*WORLD.findall(sentence), *_INNER.findall(sentence)]
    if not found:
        return
    components = [row.component for row in ledger.components]
    series = [*ledger.targets, *(name for one in ledger.evidence for name in one.series)]
    texts = [*(one.statement for one in ledger.evidence), *titles, *components, *series]
    known = set(re.findall(r"[a-z]+", " ".join(texts).lower()))
    for name in dict.fromkeys(found):
        if name.lower() not in known:
            yield f"{name!r} is not known on this desk"
