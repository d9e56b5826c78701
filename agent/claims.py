"""Reads text as claims: sentences cut into cited segments, and the numbers and times that stand in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Dimension = Literal["number", "percent", "money", "multiple", "duration", "time", "date"]
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2011": "-", "\u00d7": "x"})
_CITES = r"\[\s*E\d+(?:\s*[,;]\s*E\d+)*\s*\]"
_SENTENCE = re.compile(rf"\S.*?(?:[.!?](?:\s*{_CITES})*(?=\s|$)|{_CITES}(?=\s+[A-Z]|$)|\n|$)", re.DOTALL)
CITES = re.compile(_CITES)
IDENTIFIER = re.compile(r"\bE\d+\b")
_NUMBER = r"\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(
    rf"""
    (?P<date>\b\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?Z?)?\b)
  | (?P<time>(?<![\d:.])\d{{1,2}}:\d\d(?::\d\d)?(?![\d:]))
  | (?P<money>[-+]?\s?\$\s?-?{_NUMBER}\s?(?:k|K|m|M|bn)?\b)
  | (?P<hours>(?<![\w.])[-+]?{_NUMBER}\s?(?:h|hours?)\b(?:\s?\d+\s?(?:min|minutes?)\b)?)
  | (?P<duration>(?<![\w.])[-+]?{_NUMBER}\s?-?(?:seconds?|secs?|s|minutes?|mins?|min|days?)\b)
  | (?P<percent>(?<![\w.])[-+]?{_NUMBER}\s?(?:%|percent\b))
  | (?P<multiple>(?<![\w.])x\s?{_NUMBER}|(?<![\w.]){_NUMBER}(?:x\b|-fold\b))
  | (?P<number>(?<![\w.])[-+]?{_NUMBER}(?:k\b)?)
    """,
    re.VERBOSE,
)
_UNIT = re.compile(r"\s?(ms|us|bps|bytes|MB|USDT?|USDC|BTC|ETH|lines|series|unix s)\b")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SCALE = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "bn": 1e9}


@dataclass(frozen=True, slots=True)
class Token:
    """A number or time as written.

    Args:
        dimension: what kind of quantity it is.
        value: its value in the dimension's own unit (seconds for durations, minutes of the day for times).
        unit: the unit written behind it, if any.
        ulp: the value of its last written digit.
        signed: whether a sign is written.
        start: position in the segment.
        text: as it stands.
    """

    dimension: Dimension
    value: float
    unit: str
    ulp: float
    signed: bool
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a sentence and the evidence that it cites."""

    text: str
    cited: tuple[str, ...]


def plain_signs(text: str) -> str:
    """The same text with one kind of minus and of multiplication sign."""
    return text.translate(_MINUS)


def sentences(text: str) -> list[str]:
    """Sentences with the citations that follow their full stop."""
    return [match[0].strip() for match in _SENTENCE.finditer(text) if match[0].strip()]


def segments(sentence: str) -> list[Segment]:
    """Pieces of a sentence, each up to and with its citations; what follows the last belongs to the last."""
    found: list[Segment] = []
    position = 0
    for match in CITES.finditer(sentence):
        text = sentence[position : match.start()]
        inline = IDENTIFIER.findall(text)
        found.append(Segment(text, tuple(dict.fromkeys((*IDENTIFIER.findall(match[0]), *inline)))))
        position = match.end()
    rest = sentence[position:]
    if rest.strip(" .;,!?"):
        inline = IDENTIFIER.findall(rest)
        before = found[-1].cited if found else ()
        found.append(Segment(rest, tuple(dict.fromkeys((*inline, *before)))))
    return found or [Segment(sentence, ())]


def tokens(text: str) -> Iterator[Token]:
    """The numbers and times of a text, from left to right; ids of evidence are not among them."""
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "number" and _is_identifier(text, match):
            continue
        yield _read(kind, match, text)


def _is_identifier(text: str, match: re.Match[str]) -> bool:
    """The digits of `D-12`, `BTC-2` or `host_1` are a name, not a number."""
    before = text[match.start() - 1 : match.start()] if match.start() else ""
    if match[0][0] in "-+" and (before.isalnum() or before == "_"):
        return True
    after = text[match.end() : match.end() + 1]
    return after == "_" or (after.isalpha() and not _UNIT.match(text, match.end()))


def _read(kind: str, match: re.Match[str], text: str) -> Token:
    raw = match[0]
    if kind == "date":
        return Token("date", 0.0, "", 0.0, signed=False, start=match.start(), text=raw)
    if kind == "time":
        hours, minutes = raw.split(":")[:2]
        value = int(hours) * 60.0 + int(minutes)
        return Token("time", value, "", 1.0, signed=False, start=match.start(), text=raw)
    if kind == "hours":
        return _hours(raw, match.start())
    value, ulp = _number(raw)
    unit = ""
    dimension: Dimension = "number"
    if kind == "duration":
        scale = _SECONDS[_duration_letter(raw)]
        value, ulp, dimension = value * scale, ulp * scale, "duration"
    elif kind in {"money", "percent", "multiple"}:
        dimension = "money" if kind == "money" else "percent" if kind == "percent" else "multiple"
    else:
        found = _UNIT.match(text, match.end())
        unit = found[1] if found else ""
        dimension = "money" if unit in {"USD", "USDT", "USDC"} else "number"
    signed = "-" in raw.split("e")[0][:3] or "+" in raw[:2]
    return Token(dimension, value, unit, ulp, signed=signed, start=match.start(), text=raw)


def _hours(raw: str, start: int) -> Token:
    numbers = re.findall(_NUMBER, raw)
    value, ulp = _number(numbers[0])
    seconds, ulp = value * 3_600.0, ulp * 3_600.0
    if len(numbers) > 1:
        seconds, ulp = seconds + float(numbers[1]) * 60.0, 60.0
    return Token(
        "duration",
        -seconds if raw[0] == "-" else seconds,
        "",
        ulp,
        signed=raw[0] in "-+",
        start=start,
        text=raw,
    )


def _number(raw: str) -> tuple[float, float]:
    match = re.search(_NUMBER, raw)
    assert match is not None
    digits = match[0].rstrip(",").replace(",", "")
    mantissa, _, exponent = digits.lower().partition("e")
    # As text: a power that no float holds is infinite, and no quantity is.
    scale = float(f"1e{exponent}") if exponent else 1.0
    suffix = re.search(r"(bn|[kKmM])$", raw[match.end() :].strip())
    scale *= _SCALE[suffix[1]] if suffix else 1.0
    decimals = len(mantissa.partition(".")[2])
    sign = -1.0 if "-" in raw[: match.start()] else 1.0
    return sign * float(mantissa) * scale, 10.0**-decimals * scale


def _duration_letter(raw: str) -> str:
    letters = re.search(r"[a-z]+$", raw)
    return letters[0][0] if letters else "s"
