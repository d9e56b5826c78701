"""Lists: at most 500 items a page, with an opaque cursor to the next one."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator

from api.problem import invalid
from db.paging import Page as StoredPage
from domain.errors import InvalidInput
from domain.timestamps import parse_rfc3339

Item = TypeVar("Item")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,20})?", re.ASCII)


class Page(BaseModel, Generic[Item]):
    """A page of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None = None


def _instant(value: object) -> object:
    try:
        return parse_rfc3339(value if isinstance(value, str) else "")
    except InvalidInput as error:
        raise ValueError(error.reason) from None


def _not_beyond(instant: datetime) -> datetime:
    if not 1970 <= instant.year <= 2200:
        raise ValueError("lies outside the years 1970 to 2200")
    return instant


Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_not_beyond)]


def _plain_number(value: object) -> object:
    """What Python alone reads as a number (1_0, blanks, digits of other scripts) is none."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a plain number")
    return value


PlainNumber = BeforeValidator(_plain_number)
Limit = Annotated[int, PlainNumber, Query(ge=1, le=500, description="Most items on the page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]
Start = Annotated[
    Instant | None, Query(description="From this time on (inclusive), RFC 3339 with an offset.")
]
End = Annotated[Instant | None, Query(description="Before this time, RFC 3339 with an offset.")]


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time, open where an end is None."""

    start: datetime | None
    end: datetime | None


def _range(start: Start = None, end: End = None) -> Range:
    check_order(start, end)
    return Range(start, end)


TimeRange = Annotated[Range, Depends(_range)]


def check_order(start: datetime | None, end: datetime | None) -> None:
    """Raise a 422 where a range ends before it starts."""
    if start is not None and end is not None and end <= start:
        raise invalid("end", "must be after start")


def encode_cursor(position: str) -> str:
    """The opaque form of a position."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """The position in an opaque cursor; raises HttpProblem 422."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise invalid("cursor", "is not a cursor of this list") from None


def from_store(page: StoredPage[Item]) -> Page[Item]:
    """A stored page as it is answered."""
    return Page(items=list(page.items), next_cursor=page.next_cursor)


def page_of(items: Sequence[Item], limit: int, cursor: str | None, key: Callable[[Item], str]) -> Page[Item]:
    """A page of a short list that is held in memory, ordered by a distinct key."""
    after = decode_cursor(cursor)
    rest = [item for item in sorted(items, key=key) if after is None or key(item) > after]
    shown = rest[:limit]
    return Page(items=shown, next_cursor=encode_cursor(key(shown[-1])) if len(rest) > limit else None)
