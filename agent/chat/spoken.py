"""What a model says, held against what the tools returned: what none of them bears out is marked."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from agent.chat.asked import Asked, Call
from agent.chat.grounding import UNVERIFIED, Known, with_marks
from agent.chat.lexicon import Lexicon
from agent.chat.overstepping import oversteps, without_markup, without_sites
from agent.model.redaction import cleaned, redacted

_SENTENCE = re.compile(r"[^\n]+?(?:[.!?](?=\s|$)|$)|\n", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")
_ADDRESS = re.compile(r"\b(?:[a-z][a-z0-9+.-]*://|www\.)\S+|\bmailto:\S+", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z!][^<>\n]{0,200}>")
_MENTION = re.compile(r"(?<!\w)@(?=[A-Za-z])")
_STRAIGHT = re.compile(r"(?<![\w=])\"([^\"\n]{1,400})\"(?!\w)")
_QUOTE = re.compile(r"“([^”]*)”")
_ID = re.compile(r"(?<![\w-])(?:[AIDT]-\d{1,15}|E\d{1,4})(?![\w-])")
_TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?(?![\d:])")
_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_NAME = re.compile(r"(?<![\w{\"“])[A-Za-z][A-Za-z0-9]*(?:[_:][A-Za-z0-9]+)+(?![\w\"])")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,}")
# So many words in a row of a text from outside are a quotation, and must stand as one.
LONGEST_ECHO = 5
_OUTSIDE = ("template", "quoted", "last_error", "comment")


@dataclass(frozen=True)
class Ground:
    """What a sentence may rest on.

    Args:
        calls: the calls of this turn that returned something.
        lexicon: the names of the desk.
        question: its numbers, times and names may be repeated.
        now: the service's clock, as it is told to the model.
        earlier: answers before this one with the ids that they cited.
    """

    calls: Sequence[Call]
    lexicon: Lexicon
    question: str
    now: str
    earlier: Sequence[tuple[str, frozenset[str]]] = field(default=())

    @classmethod
    def of(cls, asked: Asked, earlier: Sequence[tuple[str, frozenset[str]]]) -> "Ground":
        """The ground of a question as far as it was looked into."""
        calls = tuple(one for one in asked.calls if one.result is not None)
        now = f"{asked.now:%A %Y-%m-%dT%H:%M}"
        return cls(calls, asked.lexicon, asked.question.text, now, earlier)

    @cached_property
    def trusted(self) -> Sequence[Any]:
        """The results without the texts that came from outside."""
        return [_without_outside(one.result) for one in self.calls]

    @cached_property
    def outside(self) -> str:
        """The texts from outside, as one lower-case line."""
        return _flat(" ".join(text for one in self.calls for text in _outside_texts(one.result)))

    @cached_property
    def outside_words(self) -> str:
        """The texts from outside as words alone."""
        return " ".join(_words(self.outside))

    @cached_property
    def written(self) -> str:
        """All trusted text: results, arguments, question, clock."""
        arguments = [one.arguments for one in self.calls]
        told = json.dumps([self.trusted, arguments], ensure_ascii=False, default=str)
        return f"{told} {self.question} {self.now}"

    @cached_property
    def flat(self) -> str:
        """The trusted text as one lower-case line."""
        return _flat(self.written)

    @cached_property
    def ids(self) -> frozenset[str]:
        """What may be cited."""
        cited = [name for _, ids in self.earlier for name in ids]
        return frozenset((*_ID.findall(self.written), *cited))

    @cached_property
    def times(self) -> frozenset[tuple[int, int]]:
        """Minutes of the day that were returned or asked about; half a minute rounds up as well."""
        found = set()
        for hour, minute, second in re.findall(r"(\d{1,2}):(\d\d)(?::(\d\d))?", self.written):
            found.add((int(hour), int(minute)))
            if int(second or 0) >= 30:
                later = int(hour) * 60 + int(minute) + 1
                found.add((later // 60 % 24, later % 60))
        return frozenset(found)

    @cached_property
    def words(self) -> frozenset[str]:
        """Names of the desk, and all words that trusted text holds."""
        lexicon = self.lexicon
        names = [*lexicon.metrics, *(one for found in lexicon.metrics.values() for one in found)]
        names += [
            *lexicon.labels,
            *lexicon.values,
            *(one for found in lexicon.values.values() for one in found),
        ]
        parts = re.findall(r"[A-Za-z0-9_:-]+", f"{' '.join(names)} {self.written}")
        return frozenset(one.lower().strip(":-") for one in parts)

    def names(self, word: str) -> bool:
        """Whether a word, or each of its parts, is one of the desk, the results or the question."""
        parts = re.findall(r"[A-Za-z0-9_:-]+", word)
        return word in self.words or (bool(parts) and all(one.strip(":-") in self.words for one in parts))

    def known(self, sentence: str) -> Known:
        """The numbers for a sentence: of this turn, and of earlier answers that cited what it cites."""
        cited = set(_ID.findall(sentence))
        texts = [text.replace(UNVERIFIED, "") for text, ids in self.earlier if ids & cited]
        return Known([*self.trusted, *texts], self.question, strict=True)

    def resting(self, text: str) -> bool:
        """Whether a text rests on anything: on a result of this turn, or on what was cited before."""
        return bool(self.calls) or any(ids & set(_ID.findall(text)) for _, ids in self.earlier)


def checked(text: str, ground: Ground) -> str:
    """The text without links, markup and mentions, and with a mark behind whatever is not borne out."""
    plain = without_sites(defanged(text), ground.names)
    return "".join(_checked(match[0], ground) for match in _SENTENCE.finditer(plain))


def defanged(text: str) -> str:
    """Text that can be shown anywhere: no image, link, address, tag, mention or secret is left in it."""
    text = _IMAGE.sub(r"\1", cleaned(redacted(text)))
    text = without_markup(_LINK.sub(r"\1", text))
    text = _TAG.sub("", _ADDRESS.sub("(address removed)", text))
    return _STRAIGHT.sub(r"“\1”", _MENTION.sub("", text))


def _checked(sentence: str, ground: Ground) -> str:
    if not sentence.strip():
        return sentence
    said = with_marks(sentence, ground.known(sentence))
    said = _QUOTE.sub(lambda match: _quote(match, ground), said)
    said = _ID.sub(lambda match: _unless(match[0] in ground.ids, match[0]), said)
    said = _outside_quotes(said, _TIME, lambda match: (int(match[1]), int(match[2])) in ground.times)
    said = _outside_quotes(said, _DATE, lambda match: match[0] in ground.written)
    said = _outside_quotes(said, _NAME, lambda match: match[0].lower() in ground.words)
    if UNVERIFIED not in said and _overstepping(sentence, ground):
        said = _at_end(said)
    return said


def _overstepping(sentence: str, ground: Ground) -> bool:
    """Whether a sentence passes a verdict, or repeats a distinctive word that only outside text holds."""
    spoken = _QUOTE.sub(" ", sentence)
    if oversteps(spoken, ground.flat, ground.names):
        return True
    if any(run in ground.outside_words for run in _runs(spoken)):
        return True
    odd = [one for one in _WORD.findall(spoken) if any(c.isdigit() for c in one) or one.isupper()]
    return any(one.lower() in ground.outside and one.lower() not in ground.words for one in odd)


def _runs(text: str) -> list[str]:
    """Every few words in a row, as they would stand in another text."""
    words = _words(text)
    return [" ".join(words[i : i + LONGEST_ECHO]) for i in range(len(words) - LONGEST_ECHO + 1)]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _quote(match: re.Match[str], ground: Ground) -> str:
    """A quotation must be one: of a text from outside, of a result or of the question."""
    words = _flat(match[1]).rstrip(" .…")
    held = words in ground.outside or words in ground.flat
    return _unless(held, match[0])


def _outside_quotes(text: str, pattern: re.Pattern[str], holds: Any) -> str:
    """Marks matches that do not hold, those in quotation marks and braces left alone."""
    parts = re.split(r"(“[^”]*”|\{[^}]*\})", text)
    for i in range(0, len(parts), 2):
        parts[i] = pattern.sub(lambda match: _unless(bool(holds(match)), match[0]), parts[i])
    return "".join(parts)


def _unless(held: bool, text: str) -> str:
    return text if held else f"{text} {UNVERIFIED}"


def _at_end(sentence: str) -> str:
    body = sentence.rstrip()
    tail = sentence[len(body) :]
    stop = body[-1] if body[-1] in ".!?" else ""
    return f"{body[: len(body) - len(stop)]} {UNVERIFIED}{stop}{tail}"


def _is_event(value: Mapping[str, Any]) -> bool:
    return "text" in value and "source" in value and "kind" in value


def _without_outside(value: Any) -> Any:
    if isinstance(value, dict):
        hidden = (*_OUTSIDE, "text") if _is_event(value) else _OUTSIDE
        return {key: _without_outside(one) for key, one in value.items() if key not in hidden}
    if isinstance(value, list):
        return [_without_outside(one) for one in value]
    return value


def _outside_texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        hidden = (*_OUTSIDE, "text") if _is_event(value) else _OUTSIDE
        for key, one in value.items():
            if key in hidden and isinstance(one, str):
                yield one
            else:
                yield from _outside_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _outside_texts(one)


def _flat(text: str) -> str:
    return " ".join(cleaned(text).lower().split())
