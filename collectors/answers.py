"""Reading the bodies of answers: what is not what it should be is refused whole, with a reason."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from collectors.bounded import parts_of
from collectors.gate import clean_text
from collectors.http import Answer, AnswerTooLarge
from collectors.secret import redact
from domain.errors import SourceError

T = TypeVar("T")
_SHOWN = 60
_READ = 10_000
# What a list or an object costs in memory is many times its two characters.
_MOST_PARTS = 5_000_000


def as_text(answer: Answer, source: str) -> str:
    """The body as text; raises SourceError where it is not UTF-8 or is a web page."""
    try:
        text = answer.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(source, "the answer is not UTF-8") from None
    if text[:200].lstrip().lower().startswith(("<!doctype html", "<html")):
        raise SourceError(source, "the answer is a web page; is a login or a proxy in between?")
    return text


def as_document(answer: Answer, source: str) -> object:
    """The body as JSON of any kind; raises SourceError where it is none."""
    text = as_text(answer, source)
    check_parts(answer, source)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        shown = beginning(answer)
        raise SourceError(source, f"the answer is not JSON; it starts with {shown!r}") from None


def check_parts(answer: Answer, source: str) -> None:
    """Refuse JSON of very many parts before it is parsed, which takes a multiple of its length in memory.

    Raises:
        AnswerTooLarge: a smaller question may have an answer that can be read.
    """
    if parts_of(answer.body) > _MOST_PARTS:
        raise AnswerTooLarge(source, f"the answer has more than {_MOST_PARTS} parts", permanent=True)


def quoted(text: object, answer: Answer, longest: int) -> str:
    """What a server said, to quote in one line of an error without the secrets that it may have sent back."""
    return clean_text(" ".join(redact(str(text)[:_READ], answer.secrets).split()), longest)


def beginning(answer: Answer, longest: int = _SHOWN) -> str:
    """The beginning of a body to quote in an error, without the secrets that a server may have sent back."""
    return quoted(answer.body[:_READ].decode("utf-8", "replace"), answer, longest)


def as_json(answer: Answer, source: str) -> Mapping[str, Any]:
    """The body as a JSON object; raises SourceError where it is anything else."""
    document = as_document(answer, source)
    if not isinstance(document, dict):
        raise SourceError(source, f"the answer is a JSON {type(document).__name__}, not an object")
    return document


def in_shape(source: str, what: str, read: Callable[[], T]) -> T:
    """Run a function over a parsed answer; what it stumbles over becomes a SourceError naming `what`."""
    try:
        return read()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        # Only the kind of the stumble, or the field: its message may quote the answer.
        why = f"no field {error.args[0]!r}" if _is_field(error) else type(error).__name__
        raise SourceError(source, f"{what} has an unexpected shape ({why})") from None


def _is_field(error: Exception) -> bool:
    """Whether a field is missing that a reader asked for by a name of its own."""
    named = error.args[0] if isinstance(error, KeyError) and error.args else None
    return isinstance(named, str) and named.isidentifier() and len(named) < _SHOWN
