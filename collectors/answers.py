"""Reading the bodies of answers: what is not what it should be is refused whole, with a reason."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from collectors.gate import clean_text
from collectors.http import Answer
from collectors.secret import redact
from domain.errors import SourceError

T = TypeVar("T")
_SHOWN = 60
_READ = 10_000


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
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        shown = beginning(answer)
        raise SourceError(source, f"the answer is not JSON; it starts with {shown!r}") from None


def beginning(answer: Answer, longest: int = _SHOWN) -> str:
    """The beginning of a body to quote in an error, without the secrets that a server may have sent back."""
    text = answer.body[:_READ].decode("utf-8", "replace")
    return clean_text(redact(text, answer.secrets), longest)


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
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # Only the kind of the stumble: its message may quote the answer.
        raise SourceError(source, f"{what} has an unexpected shape ({type(error).__name__})") from None
