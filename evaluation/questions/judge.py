"""Whether an answer holds the facts that were computed for its question."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"(?<![\w.])[-+]?\$?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True)
class Expected:
    """What a right answer says.

    Args:
        numbers: each must be in the text, to 0.2 % or one unit of its last written digit; the sign counts.
        words: each must be in the text; of an entry with `|` one of its parts.
        forbidden: none may be in the text.
        cites: kinds of citations that must be there.
        refused: the answer says that it has no data, and cites none.
        signless: the sign of numbers does not count.
    """

    numbers: Sequence[float] = ()
    words: Sequence[str] = ()
    forbidden: Sequence[str] = ()
    cites: Sequence[str] = ()
    refused: bool = False
    signless: bool = False


def faults(text: str, citations: Sequence[tuple[str, str]], expected: Expected) -> list[str]:
    """What is wrong with an answer; empty where it is right."""
    lowered = text.casefold()
    found = numbers_in(text)
    wrong = [
        f"lacks the number {wanted:.6g}"
        for wanted in expected.numbers
        if not any(_same(value, digits, wanted, signless=expected.signless) for value, digits in found)
    ]
    wrong += [
        f"lacks {wanted!r}"
        for wanted in expected.words
        if not any(part.casefold() in lowered for part in wanted.split("|"))
    ]
    wrong += [f"says {word!r}" for word in expected.forbidden if word.casefold() in lowered]
    kinds = {kind for kind, _ in citations}
    wrong += [f"cites no {kind}" for kind in expected.cites if kind not in kinds]
    if expected.refused and not re.search(
        r"no data|cannot|did not understand|do not know|takes the role", lowered
    ):
        wrong.append("does not say that it has no data")
    if "(unverified)" in text:
        wrong.append("has a number that no tool returned")
    return wrong


def numbers_in(text: str) -> list[tuple[float, int]]:
    """All numbers of a text with the number of digits after the point."""
    found = []
    for match in _NUMBER.finditer(text):
        plain = match[0].replace("$", "").replace(",", "")
        found.append((float(plain), len(plain.partition(".")[2])))
    return found


def _same(value: float, digits: int, wanted: float, *, signless: bool) -> bool:
    if signless:
        value, wanted = abs(value), abs(wanted)
    return math.isclose(value, wanted, rel_tol=TOLERANCE, abs_tol=1.01 * 10.0**-digits if digits else 0.51)
