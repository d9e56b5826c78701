"""Checks what a model wrote against the ledger, claim by claim; what does not hold does not stay."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.claims import CITES, Segment, Token, plain_signs, segments, sentences, tokens
from agent.grounds import LEVELS, Grounds, Quantity, Register
from agent.phrases import (
    ABOUT,
    BETWEEN,
    DOWN,
    FAULTLESS,
    FOREIGN,
    FROM_TO,
    LOSS,
    MOVED_BY,
    ODD,
    SNAKE,
    UP,
    VERDICT,
)
from agent.sequence import order_claims
from agent.worded import is_about, worded
from domain.diagnosis import Outcome, Verification

# What is longer is no sentence, and each of its claims would be looked for in all of it.
MAX_SENTENCE = 800


@dataclass(frozen=True, slots=True)
class Problem:
    """A claim that does not hold: the sentence it stands in and what is wrong with it."""

    sentence: str
    reason: str


@dataclass
class _Tally:
    claims: int = 0
    failed: list[str] = field(default_factory=list)

    def check(self, holds: bool, reason: str) -> None:
        self.claims += 1
        if not holds:
            self.failed.append(reason)


@dataclass(frozen=True, slots=True)
class Verified:
    """A text after the check.

    Args:
        text: the sentences that hold, in order.
        cited: the ids that they cite.
        problems: the sentences that do not hold, each with its reasons.
        claims: how many claims were checked in all.
        failed: how many of them do not hold.
    """

    text: str
    cited: tuple[str, ...]
    problems: tuple[Problem, ...]
    claims: int
    failed: int

    def counts(self) -> Verification:
        """As a diagnosis stores it; what failed has been removed."""
        return Verification(claims=self.claims, verified=self.claims - self.failed, removed=self.failed)


def verify(text: str, register: Register, outcome: Outcome | None) -> Verified:
    """Check every sentence of a text; sentences without a claim do not hold either."""
    kept: list[str] = []
    cited: list[str] = []
    problems: list[Problem] = []
    claims = failed = 0
    for sentence in sentences(text):
        tally = check_sentence(sentence, register, outcome)
        claims += tally.claims
        if tally.failed:
            failed += len(tally.failed)
            problems.append(Problem(sentence, "; ".join(dict.fromkeys(tally.failed))))
        else:
            kept.append(sentence)
            cited += [one for segment in segments(sentence) for one in segment.cited]
    return Verified(" ".join(kept), tuple(dict.fromkeys(cited)), tuple(problems), claims, failed)


def check_sentence(sentence: str, register: Register, outcome: Outcome | None) -> _Tally:
    """Check all claims of one sentence."""
    tally = _Tally()
    if len(sentence) > MAX_SENTENCE:
        tally.check(False, "the sentence is too long")
        return tally
    plain = plain_signs(sentence)
    if FOREIGN.search(plain):
        tally.check(False, "links, mentions, markup and talk about the prompt are not allowed")
    if VERDICT.search(plain) or (FAULTLESS.search(plain) and outcome != "no_fault"):
        tally.check(False, "verdicts and severities are not the model's to give")
    _check_words(plain, register, tally)
    for word in SNAKE.findall(plain):
        tally.check(_known_word(word, register), f"{word!r} is neither a known cause nor a known name")
    _check_quotes(plain, register, tally)
    for segment in segments(plain):
        _check_segment(segment, register, tally)
    if not tally.claims:
        tally.check(False, "says nothing that a fact bears out; cite the fact it rests on")
    return tally


def _check_words(sentence: str, register: Register, tally: _Tally) -> None:
    """What is said without digits, and whether it is about what it cites at all."""
    ids = [one for segment in segments(sentence) for one in segment.cited]
    cited = [register.grounds[one].fact for one in dict.fromkeys(ids) if one in register.grounds]
    titles = [one.title for one in register.hypotheses]
    text = CITES.sub(" ", sentence)
    for reason in worded(text, cited, register.ledger, titles):
        tally.check(False, reason)
    if cited and not is_about(text, cited, titles) and not any(tokens(text)):
        tally.check(False, "says nothing of what the cited facts are about")


def _known_word(word: str, register: Register) -> bool:
    return word in register.causes or word in register.names or any(word in name for name in register.names)


def _check_quotes(sentence: str, register: Register, tally: _Tally) -> None:
    """Odd words that stand in untrusted text only must not be passed on as ours."""
    ours = " ".join(one.statement for one in register.ledger.evidence)
    quoted = " ".join(one.quoted for one in register.ledger.evidence if one.quoted)
    for word in ODD.findall(sentence):
        if word in quoted and word not in ours and word.lower() not in register.names:
            tally.check(False, f"{word!r} is untrusted text")


def _check_segment(segment: Segment, register: Register, tally: _Tally) -> None:
    grounds = [register.grounds[one] for one in segment.cited if one in register.grounds]
    for one in segment.cited:
        tally.check(one in register.grounds, f"{one} does not exist")
    masked = _check_names(_without_titles(segment.text, register), grounds, register, tally)
    found = list(tokens(masked))
    for token in found:
        _check_token(token, masked, grounds, register, tally)
    if grounds:
        _check_direction(masked, grounds, tally)
        _check_from_to(masked, grounds, tally)
    for holds, reason in order_claims(segment.text, grounds):
        tally.check(holds, reason)


def _without_titles(text: str, register: Register) -> str:
    """The text with the titles of hypotheses blanked out: they name places of their own."""
    for one in register.hypotheses:
        text = text.replace(one.title, "\u00b7" * len(one.title))
    return text


def _check_names(text: str, grounds: Sequence[Grounds], register: Register, tally: _Tally) -> str:
    """Check every name, and return the text with names blanked out, so that their digits are no numbers."""
    allowed = {name for one in grounds for name in one.names}
    stated = " ".join(one.fact.statement.lower() for one in grounds)
    near = allowed | register.general_names if not grounds else allowed
    mentions = [match[0].lower() for match in register.telling.finditer(text)]
    anchored = any(name in allowed for name in mentions)
    for name in mentions:
        holds = name in near or name in stated or (anchored and name in register.target_names)
        tally.check(holds, f"{name!r} is not what the cited facts are about")
    return register.telling.sub(lambda match: "\u00b7" * len(match[0]), text)


def _check_token(
    token: Token, text: str, grounds: Sequence[Grounds], register: Register, tally: _Tally
) -> None:
    if token.dimension == "date":
        days = {day for one in grounds for day in one.days}
        tally.check(token.text[:10] in days or not grounds, f"{token.text} is no day of the cited facts")
    elif token.dimension == "time":
        tally.check(
            _time_holds(token, text, grounds, register), f"{token.text} is no time of the cited facts"
        )
    else:
        admitted = [quantity for one in grounds for quantity in one.quantities] or list(register.general)
        holds = any(_matches(token, quantity, text) for quantity in admitted)
        holds = holds or (token.value in LEVELS and _names_level(token, text))
        tally.check(holds, f"{token.text.strip()} is no value of the cited facts")
        _check_pair(token, text, grounds, tally)


def _check_pair(token: Token, text: str, grounds: Sequence[Grounds], tally: _Tally) -> None:
    """A number behind the name of a slice must be that slice's amount."""
    before = text[: token.start].rstrip(" :=(").lower()
    after = text[token.start + len(token.text) :].lower()
    for one in grounds:
        for key, value in one.fact.parameters.items():
            if isinstance(value, int | float) and _names_slice(str(key), before, after):
                tally.check(_close(token, float(value)), f"{token.text.strip()} is not the amount of {key}")


def _names_slice(key: str, before: str, after: str) -> bool:
    word = key.replace("_", " ").lower()
    return before.endswith(word) or after.startswith(f" {word}")


def _time_holds(token: Token, text: str, grounds: Sequence[Grounds], register: Register) -> bool:
    minute = int(token.value)
    if not grounds:
        return minute in register.general_minutes
    if any(minute in one.minutes for one in grounds):
        return True
    for match in BETWEEN.finditer(text):
        if match.start() <= token.start < match.end():
            start, end = (int(part[:-3]) * 60 + int(part[-2:]) for part in match.groups())
            return any(start in one.window[0] and end in one.window[1] for one in grounds)
    return False


def _names_level(token: Token, text: str) -> bool:
    """Whether a number is the level of an interval or of a test, as in `90% interval` or `q < 0.05`."""
    before, after = text[: token.start].rstrip(), text[token.start + len(token.text) :].lstrip()
    if token.dimension == "percent":
        return after.startswith(("interval", "confidence", "CI"))
    return bool(re.search(r"\b[pq]\s*<=?$", before))


def _matches(token: Token, quantity: Quantity, text: str) -> bool:
    """Whether a number as written is a quantity, rounded as written, in its unit and with its sign."""
    if not _same_dimension(token, quantity):
        return False
    if quantity.role == "effect":
        return not token.text.startswith("-") and _close(token, abs(quantity.value), text)
    if quantity.role == "difference" and not MOVED_BY.search(text[: token.start]):
        return False
    if _close(token, quantity.value, text):
        return True
    if token.signed or quantity.value >= 0 or not _close(token, -quantity.value, text):
        return False
    before = text[: token.start]
    pattern = (
        MOVED_BY
        if quantity.role in {"change", "difference", "lead"} or quantity.dimension == "duration"
        else LOSS
    )
    return bool(pattern.search(before)) or quantity.dimension == "duration"


def _same_dimension(token: Token, quantity: Quantity) -> bool:
    if token.dimension == quantity.dimension:
        return not token.unit or not quantity.unit or token.unit == quantity.unit
    pair = {token.dimension, quantity.dimension}
    # A bare number may stand for money or a percentage whose unit was said before.
    return token.dimension == "number" and not token.unit and pair <= {"number", "money", "multiple"}


def _close(token: Token, value: float, text: str = "") -> bool:
    if not math.isfinite(token.ulp) or (token.ulp > 1.0 and _is_blunt(token, value)):
        return False
    slack = 0.5 * token.ulp * (1 + 1e-9) + 1e-9 * abs(value)
    if text and ABOUT.search(text[: token.start]):
        slack = max(slack, 0.05 * abs(value))
    return abs(token.value - value) <= slack


def _is_blunt(token: Token, value: float) -> bool:
    """Whether a number is written so roughly, as in `0M` or `1e6`, that it says nothing about a value."""
    return abs(token.value - value) > 0.2 * abs(token.value)


def _check_direction(text: str, grounds: Sequence[Grounds], tally: _Tally) -> None:
    known = {one.fact.direction for one in grounds if one.fact.direction}
    if not known:
        return
    for pattern, direction in ((UP, "up"), (DOWN, "down")):
        if pattern.search(text):
            tally.check(direction in known, f"nothing that is cited moved {direction}")


def _check_from_to(text: str, grounds: Sequence[Grounds], tally: _Tally) -> None:
    moved = [one.fact for one in grounds if one.fact.kind == "shift" and one.fact.baseline is not None]
    match = FROM_TO.search(text)
    if len(moved) != 1 or match is None:
        return
    first, second = (next(iter(tokens(part)), None) for part in match.groups())
    if first is None or second is None or first.dimension in {"time", "date"}:
        return
    baseline, value = moved[0].baseline, moved[0].value
    if baseline is not None and value is not None:
        holds = _close(first, baseline, text) and _close(second, value, text)
        tally.check(holds, "the move did not go from the first to the second value")
