"""Times as people write them: `since 09:00`, `yesterday afternoon`, `last 30 minutes`; UTC throughout."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.chat.clocks import (
    CLOCK_OR_HOUR,
    DATE,
    NUMBER,
    POINT,
    UNIT,
    Point,
    count_of,
    day_of,
    point_of,
    unit_of,
)

DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_PARTS = {
    "morning": (6, 12),
    "afternoon": (12, 18),
    "evening": (18, 24),
    "night": (18, 30),
}
_PART = r"(?:morning|afternoon|evening|night)"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time [start, end) that a question names.

    Args:
        start: first instant.
        end: the instant after the last.
        text: the words it was read from.
        instant: a moment was asked for (`at 09:15`), not a stretch.
        day: one whole calendar day was named.
    """

    start: datetime
    end: datetime
    text: str
    instant: bool = False
    day: bool = False

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def shifted(self, by: timedelta) -> "Span":
        """The same stretch at another time."""
        return replace(self, start=self.start + by, end=self.end + by)


Reader = Callable[[re.Match[str], datetime], Span | None]


def read_spans(text: str, now: datetime) -> tuple[list[Span], str]:
    """All times of a question in the order of its words, and the question without them.

    Args:
        text: the question, any case.
        now: what relative times refer to; what would lie in the future is read as the last such time.
    """
    rest = text.lower()
    found: list[tuple[int, Span]] = []
    for pattern, read in _READERS:
        for match in list(pattern.finditer(rest)):
            span = read(match, now)
            if span is not None:
                found.append((match.start(), span))
                rest = rest[: match.start()] + " " * len(match[0]) + rest[match.end() :]
    return [span for _, span in sorted(found, key=lambda item: item[0])], rest


def _between(match: re.Match[str], now: datetime) -> Span | None:
    first, last = point_of(match["a"], now), point_of(match["b"], now)
    if first is None or last is None:
        return None
    lead = match["lead"] or match["trail"]
    day = day_of(lead, now) if lead else first.day or last.day
    start, end = _on(first, first.day or day, now), _on(last, last.day or day, now)
    if last.day is not None and last.is_date:
        end += DAY
    if day is None and not first.is_absolute and start > now:
        start, end = start - DAY, end - DAY
    if end <= start:
        end += DAY
    return _span(start, end, match, now)


def _on(point: Point, day: datetime | None, now: datetime) -> datetime:
    if point.instant is not None:
        return point.instant
    return (day or _midnight(now)) + point.clock


def _past(point: Point, now: datetime) -> datetime:
    """A clock without a date that would lie ahead is that of yesterday."""
    instant = _on(point, point.day, now)
    if point.day is None and point.instant is None and instant > now:
        instant -= DAY
    return instant


def _since(match: re.Match[str], now: datetime) -> Span | None:
    point = point_of(match["a"], now)
    if point is None:
        return None
    day = day_of(match["lead"], now) if match["lead"] else None
    start = _on(point, day, now) if day else _past(point, now)
    return _span(start, now if not day else max(day + DAY, start), match, now)


def _until(match: re.Match[str], now: datetime) -> Span | None:
    point = point_of(match["a"], now)
    if point is None:
        return None
    end = _past(point, now)
    return _span(_midnight(end - timedelta(microseconds=1)), end, match, now)


def _at(match: re.Match[str], now: datetime) -> Span | None:
    point = point_of(match["a"], now)
    if point is None:
        return None
    if point.is_date and point.day is not None:
        return replace(_span(point.day, point.day + DAY, match, now), day=True)
    day = day_of(match["lead"], now) if match["lead"] else None
    start = _on(point, day, now) if day else _past(point, now)
    return Span(start, start + timedelta(minutes=5), match[0].strip(), instant=True)


def _last(match: re.Match[str], now: datetime) -> Span:
    length = count_of(match["n"]) * unit_of(match["unit"])
    return Span(now - length, now, match[0].strip())


def _ago(match: re.Match[str], now: datetime) -> Span:
    start = now - count_of(match["n"]) * unit_of(match["unit"])
    return Span(start, start + timedelta(minutes=5), match[0].strip(), instant=True)


def _part(match: re.Match[str], now: datetime) -> Span | None:
    word = match["day"]
    day = _midnight(now) if word == "this" else day_of(word, now)
    if day is None:
        return None
    first, last = _PARTS[match["part"]]
    return _span(day + first * _HOUR, day + last * _HOUR, match, now)


def _night(match: re.Match[str], now: datetime) -> Span:
    start = _midnight(now)
    if "overnight" in match[0]:
        return _span(start, start + 6 * _HOUR, match, now)
    if "tonight" in match[0]:
        return _span(start + 18 * _HOUR, start + DAY, match, now)
    return _span(start - 6 * _HOUR, start + 6 * _HOUR, match, now)


def _week(match: re.Match[str], now: datetime) -> Span:
    start = _midnight(now) - now.weekday() * DAY
    if match["which"] == "this":
        return _span(start, now, match, now)
    return _span(start - 7 * DAY, start, match, now)


def _today(match: re.Match[str], now: datetime) -> Span:
    return replace(_span(_midnight(now), _midnight(now) + DAY, match, now), day=True)


def _date(match: re.Match[str], now: datetime) -> Span | None:
    day = day_of(match["a"], now)
    if day is None:
        return None
    span = _span(day, day + DAY, match, now)
    return replace(span, day=True)


def _span(start: datetime, end: datetime, match: re.Match[str], now: datetime) -> Span:
    if start < now < end:
        end = now
    return Span(start, max(end, start + timedelta(seconds=1)), match[0].strip())


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


_LEAD = rf"(?:(?:on\s+)?(?P<lead>{DATE})\s*,?\s+)?"
_TRAIL = rf"(?:\s+(?:on\s+)?(?P<trail>{DATE}))?"
# The first pattern that fits takes its words away from the others.
_READERS: tuple[tuple[re.Pattern[str], Reader], ...] = tuple(
    (re.compile(pattern, re.ASCII), read)
    for pattern, read in (
        (rf"{_LEAD}\bbetween\s+(?P<a>{POINT})\s+and\s+(?P<b>{POINT}){_TRAIL}(?!\w)", _between),
        (
            rf"{_LEAD}\bfrom\s+(?P<a>{POINT})\s+(?:to|until|till|through)\s+(?P<b>{POINT}){_TRAIL}(?!\w)",
            _between,
        ),
        (rf"{_LEAD}(?P<a>{CLOCK_OR_HOUR})\s*(?:-|\u2013)\s*(?P<b>{CLOCK_OR_HOUR}){_TRAIL}(?!\w)", _between),
        (rf"{_LEAD}\b(?:ever\s+)?(?:since|after|from)\s+(?P<a>{POINT})(?:\s+on(?:wards?)?)?(?!\w)", _since),
        (r"\b(?P<which>this|last)\s+week\b", _week),
        (r"\b(?:(?:over|for|during|in)\s+)?(?:(?:the\s+)?(?:whole|entire|full)\s+day|all\s+day)\b", _today),
        (
            (
                rf"\b(?:(?:in|over|during|for|within)\s+)?(?:the\s+)?(?:last|past|previous)\s+"
                rf"(?:(?P<n>{NUMBER})\s*)?(?P<unit>{UNIT})\b"
            ),
            _last,
        ),
        (rf"\b(?P<n>{NUMBER})\s*(?P<unit>{UNIT})\s+ago\b", _ago),
        (rf"\b(?:on\s+)?(?P<day>this|{DATE})\s+(?P<part>{_PART})\b", _part),
        (r"\b(?:over\s*night|during the night|last night|tonight)\b", _night),
        (rf"\b(?:until|till|before|up to)\s+(?P<a>{POINT})(?!\w)", _until),
        (rf"{_LEAD}\b(?:at|around|about)\s+(?P<a>{POINT})(?!\w)", _at),
        (rf"\b(?:(?:on|for|of|during)\s+)?(?P<a>{DATE})(?!\w)", _date),
    )
)
