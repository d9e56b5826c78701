"""The gate that every value, time and text passes before it becomes a sample or an event.

What a caller sends is accepted or refused with a reason; what a collector reads is kept, or becomes a gap.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Literal

import numpy as np

from domain.errors import InvalidInput, InvalidTimestamp
from domain.series import MAX_MAGNITUDE, SampleBatch
from domain.timestamps import MAX_FUTURE, parse_rfc3339, to_microseconds

TimeUnit = Literal["s", "ms", "us", "ns"]
MICROSECONDS: Mapping[TimeUnit, float] = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
EARLIEST = to_microseconds(datetime.min.replace(tzinfo=UTC))
LATEST = to_microseconds(datetime.max.replace(tzinfo=UTC))
# Whoever takes seconds for milliseconds lands in January 1970.
OLDEST = to_microseconds(datetime(1971, 1, 1, tzinfo=UTC))
_EXACT_INTEGER = 2**53
_LONGEST_NUMBER = 64
_NAIVE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2}))?(?:[.,](\d{1,9}))?)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")


def check_value(value: object, field: str = "value") -> float:
    """Return a caller's value as the float that will be stored.

    Raises:
        InvalidInput: not a number, not finite, as large as 1e300, or an integer a float cannot hold exactly.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(field, "must be a number")
    if isinstance(value, int) and abs(value) > _EXACT_INTEGER and _is_rounded(value):
        raise InvalidInput(field, "is an integer that a 64-bit float cannot hold exactly")
    number = float(value)
    if not math.isfinite(number):
        raise InvalidInput(field, "must be finite")
    if abs(number) >= MAX_MAGNITUDE:
        raise InvalidInput(field, "must be smaller than 1e300 in magnitude")
    return number


def _is_rounded(value: int) -> bool:
    try:
        return int(float(value)) != value
    except OverflowError:
        return True


def read_number(raw: object) -> float | None:
    """A source's value as a float, or None (a gap) where it is empty, NaN, infinite or no number."""
    if raw is None or isinstance(raw, bool):
        return None
    if isinstance(raw, str):
        raw = raw.strip()
        if not raw.isascii() or "_" in raw or len(raw) > _LONGEST_NUMBER:
            return None
    try:
        number = float(raw)  # type: ignore[arg-type] # whatever a driver returned
    except (TypeError, ValueError, OverflowError):
        return None
    # A NaN compares as false: a gap as well.
    return number if abs(number) < MAX_MAGNITUDE else None


def read_micros(raw: object, zone: tzinfo | None = UTC, unit: TimeUnit = "s") -> int:
    """A source's time as microseconds since 1970.

    Args:
        raw: an aware or naive datetime, a date, an RFC 3339 or naive text, or a count since 1970.
        zone: how a naive time is read; None refuses it.
        unit: what a number counts.

    Raises:
        InvalidTimestamp: anything else.
    """
    if isinstance(raw, datetime):
        return to_microseconds(_aware(raw, zone))
    if isinstance(raw, date):
        return to_microseconds(_aware(datetime(raw.year, raw.month, raw.day), zone))  # noqa: DTZ001 - made aware
    if isinstance(raw, str):
        text = raw.strip()
        count = read_number(text)
        if count is None:
            return to_microseconds(_read_text(text, zone))
        return _scaled(count, unit)
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        raise InvalidTimestamp("timestamp", "is not a time")
    return _scaled(raw, unit)


def _scaled(count: float | Decimal, unit: TimeUnit) -> int:
    try:
        micros = float(count) * MICROSECONDS[unit]
    except OverflowError:
        micros = math.inf
    if not EARLIEST <= micros <= LATEST:
        raise InvalidTimestamp("timestamp", "is outside the years 1 to 9999: what does the number count?")
    return round(micros)


def _read_text(text: str, zone: tzinfo | None) -> datetime:
    match = _NAIVE.fullmatch(text)
    if match is None:
        return parse_rfc3339(text)
    fraction = f"{(match[4] or '')[:6]:0<6}"
    try:
        naive = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}:{match[3] or '00'}.{fraction}")
    except ValueError:
        raise InvalidTimestamp("timestamp", "is not a date and time that exists") from None
    return _aware(naive, zone)


def _aware(instant: datetime, zone: tzinfo | None) -> datetime:
    if instant.tzinfo is None:
        if zone is None:
            raise InvalidTimestamp("timestamp", "has no offset and no time zone is configured")
        instant = instant.replace(tzinfo=zone)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidTimestamp("timestamp", "is outside the years 1 to 9999") from None


def clean_text(text: str, longest: int) -> str:
    """Untrusted text without escape sequences, control and direction characters, cut to a length."""
    kept = _CONTROL.sub("\ufffd", _ANSI.sub("", text[: longest * 2])).strip()
    return kept if len(kept) <= longest else kept[: longest - 1] + "\u2026"


def quarantine(
    batch: SampleBatch, now: datetime, oldest: datetime | None = None
) -> tuple[SampleBatch, tuple[str, ...]]:
    """Drop what no source may deliver, with a sentence for each reason.

    Args:
        batch: what a collector read.
        now: samples over 10 minutes later are refused.
        oldest: samples before this time are refused; None means 1971.

    Returns:
        The batch of the remaining rows, and the notes.
    """
    low = OLDEST if oldest is None else max(OLDEST, to_microseconds(oldest))
    reasons = (
        ("not finite or too large", ~(np.abs(batch.values) < MAX_MAGNITUDE)),
        ("more than 10 minutes in the future", batch.timestamps > to_microseconds(now + MAX_FUTURE)),
        ("too old; is the unit of time right?", batch.timestamps < low),
    )
    bad = np.zeros(len(batch), dtype=np.bool_)
    notes = []
    for reason, mask in reasons:
        count = int(np.count_nonzero(mask & ~bad))
        bad |= mask
        if count:
            notes.append(f"{count} samples refused: {reason}")
    if not notes:
        return batch, ()
    keep = ~bad
    kept = SampleBatch(batch.series, batch.index[keep], batch.timestamps[keep], batch.values[keep])
    return kept, tuple(notes)
