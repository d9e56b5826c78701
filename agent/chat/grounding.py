"""Checks an answer against the results of its tools: a number that none of them returned is marked."""

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

UNVERIFIED = "(unverified)"
# A number as answers write it; digits inside names, ids, times and dates are no claims about quantities.
_NUMBER = re.compile(
    r"(?<![\w.,:/#“-])(?P<sign>[-+])?\$?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<e>e[-+]?\d+)?"
    r"(?P<unit>\s?[kMG](?![\w]))?(?![\w:/-]|,\d|\.\d)"
)
_SKIPPED = re.compile(
    r"“[^”]*”|\[[A-Z]-?\d+\]|^\s*\d{1,2}[.)] |\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2}(?::\d{2})?|\{[^}]*\}",
    re.MULTILINE,
)
_UNIT = re.compile(r"\s?(ms|us|bps|%|percent|USDT?|USDC)(?!\w)")
# Of a row of a result these are in its unit; the others are counts, shares and scores.
_IN_UNIT = frozenset(
    [
        *("mean", "median", "max", "min", "last", "sum", "p95", "p99", "std", "value", "other", "change"),
        *("low", "high", "amount", "baseline", "before", "during", "sum_of_sums"),
    ]
)
_SCALES = {"k": 1e3, "M": 1e6, "G": 1e9}
# Words around figures: 24 hours, 90 % interval, list numbers, small counts of what is listed.
_FREE = frozenset({0.0, 24.0, 90.0, 99.0, 95.0})


def marked(text: str, results: Sequence[Any], question: str = "") -> str:
    """The text with `(unverified)` behind each number that is in no result.

    Args:
        text: an answer.
        results: what the tools returned, as plain JSON values.
        question: numbers of the question may be repeated.
    """
    return with_marks(text, Known(results, question))


def with_marks(text: str, known: "Known") -> str:
    """The text with `(unverified)` behind each number that is not known."""
    masked = _SKIPPED.sub(lambda match: "\x00" * len(match[0]), text)
    pieces, position = [], 0
    for match in _NUMBER.finditer(masked):
        if not known.holds(match):
            pieces.append(f"{text[position : match.end()]} {UNVERIFIED}")
            position = match.end()
    return "".join([*pieces, text[position:]])


class Known:
    """All numbers that may be said: those of results, of the question, and counts.

    Args:
        results: what the tools returned, as plain JSON values.
        question: its numbers may be repeated.
        strict: small whole numbers must be known too; our own wording counts what it lists, a model guesses.
    """

    def __init__(self, results: Sequence[Any], question: str, *, strict: bool = False) -> None:
        self._strict = strict
        pairs = {(one, unit) for one, unit in _quantities(results, "")}
        self._numbers = sorted({abs(one) for one, _ in pairs})
        self._pairs = sorted((abs(one), one, unit) for one, unit in pairs)
        self._asked = {float(one) for one in re.findall(r"\d+(?:\.\d+)?", question[:1_000])}
        texts = "\x00".join(_texts(results))
        self._texts = {one.replace(",", "") for one in re.findall(r"\d[\d,]*(?:\.\d+)?", texts)}

    def holds(self, match: re.Match[str]) -> bool:
        """Whether a number as written is one of them, by its own rounding."""
        digits = match["digits"].replace(",", "")
        value = float(digits + (match["e"] or ""))
        unit = (match["unit"] or "").strip()
        decimals = len(digits.partition(".")[2])
        step = 10.0**-decimals
        if not math.isfinite(value):
            return False
        bare = not unit and not match["e"]
        if bare and (digits in self._texts or value in self._asked or value in _FREE):
            return True
        if not self._strict and not unit and value <= 60 and value == int(value):
            return True
        scale = _SCALES.get(unit, 1.0)
        # Four significant digits are how answers round.
        slack = max(0.51 * step, abs(value) * 6e-4) * scale
        if self._strict:
            return self._holds_strictly(
                match, value * scale, slack if bare else min(slack, 0.2 * value * scale)
            )
        return any(self._near(value * scale / factor, slack / factor) for factor in (1.0, 100.0, 1 / 60))

    def _holds_strictly(self, match: re.Match[str], value: float, slack: float) -> bool:
        """Unit and sign must be those of the result, where both say them."""
        written = _unit_written(match)
        for factor in (1.0, 100.0, 1 / 60):
            near, room = value / factor, slack / factor
            i = bisect_left(self._pairs, (near - room, -math.inf, ""))
            while i < len(self._pairs) and self._pairs[i][0] <= near + room:
                _, signed, unit = self._pairs[i]
                if _same_unit(written, unit, factor) and not (match["sign"] == "-" and signed > 0 and unit):
                    return True
                i += 1
        return False

    def _near(self, value: float, slack: float) -> bool:
        i = bisect_left(self._numbers, value - slack)
        return i < len(self._numbers) and self._numbers[i] <= value + slack


def _unit_written(match: re.Match[str]) -> str:
    """The unit behind a number, or the dollar before it; empty where none is written."""
    if "$" in match[0]:
        return "USD"
    found = _UNIT.match(match.string, match.end())
    return {"percent": "%"}.get(found[1], found[1]) if found else ""


def _same_unit(written: str, unit: str, factor: float) -> bool:
    if not written or not unit:
        return True
    kinds = {"ratio": "%", "percent": "%", "USDT": "USD", "USDC": "USD"}
    held = kinds.get(unit, unit)
    # A share is written as it is, or as a percentage: a hundred times as much.
    return written == held and (factor == 1.0 or unit == "ratio")


def _quantities(value: Any, unit: str) -> Iterable[tuple[float, str]]:
    """Numbers with their unit, where the result that holds them has one for them."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        if math.isfinite(value):
            yield float(value), unit
    elif isinstance(value, dict):
        own = value.get("unit")
        own = own if isinstance(own, str) else unit
        for name, one in value.items():
            yield from _quantities(
                one, own if name in _IN_UNIT or isinstance(one, dict | list | tuple) else ""
            )
    elif isinstance(value, list | tuple):
        yield float(len(value)), ""
        yield from (pair for one in value for pair in _quantities(one, unit))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        yield from (text for one in value for text in _texts(one))
