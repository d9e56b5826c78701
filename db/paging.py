"""Pages of lists with opaque cursors."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_

from db.statements import RowView
from domain.errors import InvalidInput
from domain.timestamps import from_microseconds, to_microseconds

MAX_LIMIT = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list; `next_cursor` leads to the following ones, None ends the list."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def check_limit(limit: int) -> int:
    """Return the limit, or raise InvalidInput where it is not within 1 to 500."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput("limit", f"must be from 1 to {MAX_LIMIT}")
    return limit


def encode_cursor(*place: int) -> str:
    """An opaque text for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> tuple[int, ...]:
    """The place in the list; raises InvalidInput for anything that we did not hand out."""
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidInput("cursor", "is not a cursor of this list") from None
    fits = isinstance(place, list) and len(place) == length
    if not fits or not all(type(one) is int and abs(one) < 2**62 for one in place):
        raise InvalidInput("cursor", "is not a cursor of this list")
    return tuple(place)


def newest_first(
    statement: Select[Any], at: ColumnElement[datetime], key: ColumnElement[int], cursor: str | None
) -> Select[Any]:
    """Order by time and id, newest first, starting after the cursor."""
    statement = statement.order_by(at.desc(), key.desc())
    if cursor is None:
        return statement
    micros, last_id = decode_cursor(cursor, 2)
    try:
        moment = from_microseconds(micros)
    except OverflowError:
        raise InvalidInput("cursor", "is not a cursor of this list") from None
    return statement.where(or_(at < moment, and_(at == moment, key < last_id)))


def page_of(rows: Sequence[RowView], limit: int, at: str, build: Callable[[RowView], T]) -> Page[T]:
    """Build a page from up to `limit + 1` rows that have the columns `at` and `id`."""
    shown = rows[:limit]
    more = encode_cursor(to_microseconds(shown[-1][at]), shown[-1]["id"]) if len(rows) > limit else None
    return Page(tuple(build(row) for row in shown), more)
