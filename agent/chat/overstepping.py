"""What a model must not do in words: count and date without figures, name strangers, judge, act, demand."""

import re
import unicodedata
from collections.abc import Callable

from agent.phrases import NUMBER_WORDS, TIME_WORDS, WORLD

# Judgements that belong to the detectors and to people: said by a model they count for nothing.
VERDICT = re.compile(
    r"\bfalse (?:alarm|positive)s?\b|\ball clear\b|\bno (?:real )?fault\b|\bharmless\b|\bbenign\b"
    r"|\b(?:safe to|can be|please) ignored?\b|\bdisregard\b|\bsafely\b"
    r"|\bnothing to worry\b|\bseverity (?:is |of )?(?:now )?(?:none|low|medium|high|critical)\b",
    re.IGNORECASE,
)
# What the chat never does, so that whoever claims it was told to.
DEEDS = re.compile(
    r"\b(?:i|we)(?: have|.ve)?(?: just| already| now)? (?:acknowledged|restarted|sent|stopped|closed"
    r"|resolved|silenced|muted|changed|cancelled|canceled|executed|sold|bought|deleted|notified|paged|snoozed|assigned"
    r"|disabled|enabled|switched|routed|reported)\b",
    re.IGNORECASE,
)
_DEMAND = re.compile(
    r"(?:^\W*|\b(?:should|must|please|to)\s+)(?:sell|buy|transfer|withdraw|deposit|wire|pay|click|visit|download"
    r"|install|run|execute|send|call|e-?mail|trust)\b",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"\bsystem prompt\b|\bmy (?:instructions|prompt)\b|\bapi[ _-]?keys?\b|\bpasswords?\b", re.IGNORECASE
)
_ODD = re.compile(
    r"\b0x[0-9a-f]+\b|(?<!\w)(?:nan|[+-]?inf(?:inity)?)\b|\{\{|\}\}|\{%|\$\{|<%|\.\./|\\[a-z]:\\\\"
    r"|(?<!\w)/(?:etc|usr|var|home|root|proc|tmp|bin|dev)\b|;\s*--"
    r"|\b(?:drop|delete|insert|update|select|truncate|alter)\s+(?:table|from|into|\*)",
    re.IGNORECASE,
)
_INNER = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")
_NON_ASCII = re.compile(r"\b\w*[^\W\d_\x00-\x7f]\w*")
_SITE = re.compile(
    r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}\.(?:com|net|org|io|example|dev|app|xyz|ru|cn|info|biz|ai|co|me|gg|link|click|onion)\b"
    r"(?:/\S*)?",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"`+|\*\*|~~|^\s*#{1,6}\s+|(?<![\w])__(?=\w)", re.MULTILINE)


def oversteps(spoken: str, flat: str, knows: Callable[[str], bool]) -> bool:
    """Whether a sentence says something that is not its to say, or that nothing bears out.

    Args:
        spoken: the sentence without its quotations.
        flat: what tools returned and the question, as one lower-case line.
        knows: whether a word is one of the desk, of the results or of the question.
    """
    if _TALK.search(spoken) or _ODD.search(spoken) or DEEDS.search(spoken):
        return True
    for pattern in (VERDICT, _DEMAND, NUMBER_WORDS, TIME_WORDS):
        if any(" ".join(match[0].lower().split()) not in flat for match in pattern.finditer(spoken)):
            return True
    if any(not one.isascii() and unicodedata.category(one).startswith("N") for one in spoken):
        return True
    strange = (*WORLD.findall(spoken), *_INNER.findall(spoken), *_NON_ASCII.findall(spoken))
    return any(not knows(one.lower()) for one in strange)


def without_sites(text: str, knows: Callable[[str], bool]) -> str:
    """The text without addresses of sites that are no name of this desk."""
    return _SITE.sub(lambda match: match[0] if knows(match[0].lower()) else "(address removed)", text)


def without_markup(text: str) -> str:
    """The text without the signs that some page may take for code, headings or emphasis."""
    return _MARKUP.sub("", text)
