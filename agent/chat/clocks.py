"""Single points in time as people write them: clocks, dates, weekdays, `two hours ago`."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import InvalidTimestamp
from domain.timestamps import parse_rfc3339

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WORDS = {
    word: n
    for n, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        start=0,
    )
}
_UNITS = {
    "second": timedelta(seconds=1),
    "sec": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "hr": timedelta(hours=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "day": timedelta(days=1),
    "d": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
MAX_COUNT = 10_000
_MONTH = "|".join(rf"{name[:3]}(?:{name[3:]})?\.?" for name in _MONTHS)
_WEEKDAY = "|".join(_WEEKDAYS)
NUMBER = rf"(?:\d{{1,5}}|an?|half\s+an?|(?:a\s+)?couple\s+of|(?:a\s+)?few|{'|'.join(_WORDS)})"
UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|[hmd])"
_ISO_DATE = r"\d{4}-\d{2}-\d{2}"
_ISO = rf"{_ISO_DATE}[t ]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?\s*(?:z|utc|[+-]\d{{2}}:\d{{2}})?"
_CLOCK = (
    r"(?:\d{1,2}:\d{2}(?::\d{2})?\s*(?:am|pm)?|\d{1,2}\s*(?:am|pm)|noon|midday|midnight)(?:\s*(?:utc|z)\b)?"
)
_HOUR = rf"\d{{1,2}}(?:\s*(?:h|utc|o'?clock))?(?![\d:.%/-]|\s*{UNIT}\b)"
CLOCK_OR_HOUR = rf"(?:{_CLOCK}|{_HOUR})"
DATE = (
    rf"(?:{_ISO_DATE}(?![t ]\d{{2}}:)|(?:the\s+)?day\s+before\s+yesterday|yesterday|today"
    rf"|(?:last\s+)?(?:{_WEEKDAY})|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})(?!\w)"
    rf"|(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?(?!\d|:))"
)
_AGO = rf"{NUMBER}\s*{UNIT}\s+ago"
POINT = (
    rf"(?:{_ISO}|{_AGO}|{DATE}(?:\s*,|\s+at|\s+@)?\s+{CLOCK_OR_HOUR}"
    rf"|{CLOCK_OR_HOUR}(?:\s+(?:on\s+)?{DATE})?|{DATE})"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A point in time: an instant, or a clock on a day that may not have been named.

    Args:
        instant: the instant, where it is known by itself.
        day: midnight of the named day.
        clock: time of the day.
        is_date: a day was named without a clock.
    """

    instant: datetime | None = None
    day: datetime | None = None
    clock: timedelta = timedelta()
    is_date: bool = False

    @property
    def is_absolute(self) -> bool:
        return self.instant is not None or self.day is not None


def point_of(text: str, now: datetime) -> Point | None:
    """Read one point; None where it is no time that exists, such as 25:00."""
    text = text.strip()
    if re.fullmatch(_ISO, text, re.ASCII):
        instant = _iso(text)
        return None if instant is None else Point(instant=instant)
    ago = re.fullmatch(rf"(?P<n>{NUMBER})\s*(?P<unit>{UNIT})\s+ago", text, re.ASCII)
    if ago:
        return Point(instant=now - count_of(ago["n"]) * unit_of(ago["unit"]))
    date = re.search(DATE, text, re.ASCII)
    day = day_of(date[0], now) if date else None
    rest = (text[: date.start()] + " " + text[date.end() :]) if date else text
    clock = re.search(CLOCK_OR_HOUR, rest, re.ASCII)
    if clock is None:
        return None if day is None else Point(day=day, is_date=True)
    time = clock_of(clock[0])
    return None if time is None else Point(day=day, clock=time)


def clock_of(text: str) -> timedelta | None:
    """Time of day of `9`, `9:30 pm`, `noon`; None where there is no such time."""
    if text.startswith(("noon", "midday")):
        return timedelta(hours=12)
    if text.startswith("midnight"):
        return timedelta()
    match = re.match(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?\s*(am|pm)?", text, re.ASCII)
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if match[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[4] == "pm" else 0)
    if hour > 24 or minute > 59 or second > 59:
        return None
    return timedelta(hours=hour, minutes=minute, seconds=second)


def day_of(text: str, now: datetime) -> datetime | None:
    """Midnight of a named day; a weekday or a date without a year is the last one. None: no such day."""
    text = " ".join(text.split())
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in {"today", "this"}:
        return today
    if text.endswith("before yesterday"):
        return today - timedelta(days=2)
    if text == "yesterday":
        return today - timedelta(days=1)
    weekday = text.removeprefix("last ")
    if weekday in _WEEKDAYS:
        back = (today.weekday() - _WEEKDAYS.index(weekday)) % 7
        return today - timedelta(days=back or (7 if text.startswith("last ") else 0))
    if re.fullmatch(_ISO_DATE, text, re.ASCII):
        return _iso(f"{text}t00:00")
    return _calendar_day(text, today)


def _calendar_day(text: str, today: datetime) -> datetime | None:
    number = re.search(r"\d{1,2}", text)
    month = re.search(_MONTH, text)
    if number is None or month is None:
        return None
    index = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(month[0].rstrip(".")))
    for year in (today.year, today.year - 1):
        try:
            day = today.replace(year=year, month=index, day=int(number[0]))
        except ValueError:
            continue
        if day <= today:
            return day
    return None


def _iso(text: str) -> datetime | None:
    body = text.upper().replace("UTC", "Z").replace(" ", "T", 1).replace(" ", "")
    zone = re.search(r"(Z|[+-]\d{2}:\d{2})$", body)
    local = body[: zone.start()] if zone else body
    full = local if local.count(":") == 2 else f"{local}:00"
    try:
        return parse_rfc3339(f"{full}{zone[0] if zone else 'Z'}")
    except InvalidTimestamp:
        return None


def count_of(text: str | None) -> float:
    """The number in `30`, `two`, `half an`, `a couple of`; one where none is given."""
    if not text:
        return 1.0
    if text.startswith("half"):
        return 0.5
    if "couple" in text:
        return 2.0
    if "few" in text:
        return 3.0
    if text.isdigit():
        return float(min(int(text), MAX_COUNT))
    return float(_WORDS.get(text, 1))


def unit_of(text: str) -> timedelta:
    """The length of `minutes`, `h`, `day`."""
    return _UNITS[text.removesuffix("s") if len(text) > 1 else text]
