"""Reading and writing instants: RFC 3339 with an offset, exact to the microsecond, UTC inside."""

import re
from datetime import UTC, datetime, timedelta

from domain.errors import InvalidTimestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_FUTURE = timedelta(minutes=10)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def parse_rfc3339(text: str, field: str = "timestamp") -> datetime:
    """Parse an RFC 3339 time with an offset; digits beyond the microsecond must be zero.

    Raises:
        InvalidTimestamp: the text is anything else, a naive time or an impossible date included.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidTimestamp(field, "must be an RFC 3339 time with an offset, like 2026-03-01T06:10:00Z")
    fraction = match[7] or ""
    if fraction[6:].strip("0"):
        raise InvalidTimestamp(field, "is finer than a microsecond")
    if match[8] not in "Zz" and (int(match[8][1:3]) > 23 or int(match[8][4:]) > 59):
        raise InvalidTimestamp(field, "has an offset that does not exist")
    offset = "+00:00" if match[8] in "Zz" else match[8]
    try:
        local = datetime.fromisoformat(f"{text[:10]}T{text[11:19]}.{fraction[:6]:0<6}{offset}")
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidTimestamp(field, "is not a date and time that exists") from None


def check_range(instant: datetime, now: datetime, field: str = "timestamp") -> datetime:
    """Return the instant, or raise InvalidTimestamp where it is before 1970 or over 10 minutes ahead."""
    if instant < EPOCH:
        raise InvalidTimestamp(field, "is before 1970")
    if instant > now + MAX_FUTURE:
        raise InvalidTimestamp(field, "is more than 10 minutes in the future")
    return instant


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exact (integer arithmetic, no float in between)."""
    return (instant - EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The instant that `to_microseconds` came from."""
    return EPOCH + timedelta(microseconds=int(value))


def format_rfc3339(instant: datetime) -> str:
    """The canonical text: UTC, `Z`, fraction only where it is not zero."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"
