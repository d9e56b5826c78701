"""JSON as strictly as untrusted input needs it, and no slower than the standard library."""

import json
import math
from collections.abc import Iterator

from domain.errors import AnalystError

_LONGEST_INTEGER = 310
_BOM = b"\xef\xbb\xbf"


class UnparseableBody(AnalystError):
    """The body is not what it claims to be; nothing of it is used."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnparseableBody("the body repeats a key within one object")
    return found


def _integer(digits: str) -> int | float:
    # Longer ones are beyond every float, and turning them into an int takes quadratic time.
    return (
        int(digits)
        if len(digits) <= _LONGEST_INTEGER
        else math.copysign(math.inf, -1 if digits[0] == "-" else 1)
    )


# NaN and Infinity are no JSON, yet senders write them: they parse as values that the gate refuses singly.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer)


def parse_json(body: bytes, where: str = "the body") -> object:
    """Parse UTF-8 JSON.

    Raises:
        UnparseableBody: other encodings, a byte order mark, a repeated key, deep nesting, trailing text.
    """
    if body.startswith(_BOM):
        raise UnparseableBody(f"{where} starts with a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnparseableBody(f"{where} is not UTF-8") from None
    try:
        # `decode` instead of `loads`: the latter would guess at UTF-16 and UTF-32.
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnparseableBody(f"{where} is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise UnparseableBody(f"{where} is nested too deeply") from None


def parse_lines(body: bytes) -> Iterator[object]:
    """Parse newline-delimited JSON lazily; blank lines are skipped; raises as `parse_json` does."""
    start, number = 0, 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        line, number, start = body[start:end].strip(), number + 1, end + 1
        if line:
            yield parse_json(line, f"line {number}")
