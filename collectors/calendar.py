"""A calendar (ICS): events are known in advance, and told when their time has come, not before."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from collectors.answers import as_text, beginning
from collectors.collector import NO_SAMPLES, Collected, Position
from collectors.gate import clean_text
from collectors.http import HttpReader
from collectors.known_names import KnownNames
from collectors.recurrence import Workload
from collectors.settings_news import CalendarSource
from domain.errors import ConfigurationError, SourceError
from domain.event import Event
from domain.timestamps import from_microseconds, to_microseconds

if TYPE_CHECKING:
    from icalendar import Calendar

_LATE = timedelta(days=1)
_MOST_COMPONENTS = 5_000
_MOST_TOLD = 5_000
_MOST_TEXT = 1_500
# Parsing takes about a tenth of a millisecond per line.
_MOST_LINES = 100_000
_MOST_CHARACTERS = 10_000_000


class CalendarCollector:
    """Remembers what is to come and tells of what has come; a server that is down then costs nothing."""

    kind = "calendar"

    def __init__(self, settings: CalendarSource, http: HttpReader) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._zone = ZoneInfo(settings.timezone)
        self._names = KnownNames.of(settings.symbols, settings.venues, known=settings.known_names)
        self._failure: SourceError | None = None

    @classmethod
    def of(cls, settings: CalendarSource, environ: Mapping[str, str]) -> Self:
        """Look up the secrets; raises ConfigurationError where one, or the library, is missing."""
        try:
            import icalendar  # noqa: F401, PLC0415 - an extra, only where a calendar is configured
            import recurring_ical_events  # noqa: F401, PLC0415
        except ImportError:
            missing = "needs a library: pip install llm-analyst[calendar]"
            raise ConfigurationError(f"sources.{settings.name}", missing) from None
        return cls(settings, HttpReader.of(settings, environ))

    def collect(self, since: Position, now: datetime) -> Collected:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        told: dict[str, None] = dict.fromkeys(since.cursor.get("told", ()))
        notes: tuple[str, ...] = ()
        try:
            known, notes = self._fetch(now)
        except SourceError as error:
            known = since.cursor.get("upcoming", [])
            if not any(row[0] <= to_microseconds(now) and row[1] not in told for row in known):
                raise
            # What is due is told all the same; the next page says what went wrong.
            self._failure = error
        due = [row for row in known if row[0] <= to_microseconds(now) and row[1] not in told]
        told |= dict.fromkeys(row[1] for row in due)
        ahead = [row for row in known if row[0] > to_microseconds(now)][: self._settings.max_events]
        cursor = {"upcoming": ahead, "told": [*told][-_MOST_TOLD:]}
        events = tuple(self._event(row, now) for row in due)
        watermark = since.watermark if self._failure else now
        return Collected(
            NO_SAMPLES, events, Position(watermark, cursor), notes, more=self._failure is not None
        )

    def _fetch(self, now: datetime) -> tuple[list[list[Any]], tuple[str, ...]]:
        """Occurrences from a day ago until as far ahead as is remembered, the earliest first."""
        deadline = time.monotonic() + 0.8 * self._settings.deadline_seconds
        answer = self._http.get(accept="text/calendar, text/plain;q=0.5", deadline=deadline)
        text = as_text(answer, self.name)
        if not text.lstrip().startswith("BEGIN:VCALENDAR"):
            shown = beginning(answer)
            raise SourceError(self.name, f"the answer is no calendar; it starts with {shown!r}")
        until = now + timedelta(days=self._settings.ahead_days)
        calendar, left_out = self._parsed(text, until)
        rows = sorted(self._occurrences(calendar, now - _LATE, until))
        notes = [f"{left_out} events refused: they recur too often or are malformed"] if left_out else []
        ahead = [row for row in rows if row[0] > to_microseconds(now)]
        if ahead:
            notes.append(
                f"next: {clean_text(ahead[0][2], 80)} at {from_microseconds(ahead[0][0]):%Y-%m-%d %H:%M}Z"
            )
        return rows, tuple(notes)

    def _parsed(self, text: str, until: datetime) -> tuple["Calendar", int]:
        from icalendar import Calendar  # noqa: PLC0415

        # Counted before it is parsed, which takes its time and memory.
        if text.upper().count("BEGIN:") > 2 * _MOST_COMPONENTS:
            raise SourceError(self.name, f"the calendar holds more than {_MOST_COMPONENTS} events")
        if text.count("\n") > _MOST_LINES or len(text) > _MOST_CHARACTERS:
            raise SourceError(
                self.name, f"the calendar is longer than {_MOST_LINES} lines, or than can be meant"
            )
        try:
            calendar = Calendar.from_ical(text)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SourceError(self.name, f"the calendar is malformed ({type(error).__name__})") from None
        work = Workload(until)
        kept = [one for one in calendar.subcomponents if one.name != "VEVENT" or work.takes(one)]
        left_out = len(calendar.subcomponents) - len(kept)
        calendar.subcomponents = kept
        return calendar, left_out

    def _occurrences(self, calendar: "Calendar", start: datetime, end: datetime) -> Iterator[list[Any]]:
        """Rows of time, identity, text and categories; cancelled ones are none."""
        import recurring_ical_events  # noqa: PLC0415

        try:
            found = recurring_ical_events.of(calendar, skip_bad_series=True).between(start, end)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise SourceError(self.name, f"the calendar is malformed ({type(error).__name__})") from None
        for one in found:
            at = self._instant(one["DTSTART"].dt)
            if at is None or not start <= at <= end or str(one.get("STATUS", "")).upper() == "CANCELLED":
                continue
            text = _text(one)
            if text and self._is_wanted(text):
                micros = to_microseconds(at)
                yield [micros, f"{str(one.get('UID', text))[:200]}|{micros}", text, _categories(one)]

    def _instant(self, raw: date) -> datetime | None:
        """A moment; whole days begin at midnight, and times without a zone are, in the configured zone."""
        if not isinstance(raw, datetime):
            raw = datetime(raw.year, raw.month, raw.day)  # noqa: DTZ001 - made aware below
        try:
            return (raw if raw.tzinfo else raw.replace(tzinfo=self._zone)).astimezone(UTC)
        except (OverflowError, ValueError):
            return None

    def _is_wanted(self, text: str) -> bool:
        only = self._settings.only
        return not only or any(word.casefold() in text.casefold() for word in only)

    def _event(self, row: Sequence[Any], now: datetime) -> Event:
        micros, key, text, categories = row
        named = self._names.labels(text)
        labels = {
            "kind": self._settings.event_kind,
            "feed": self.name,
            "first_seen": now.isoformat(timespec="seconds"),
            **named,
            **({"component": f"venue:{named['venue']}"} if "venue" in named else {}),
            **({"categories": categories} if categories else {}),
        }
        return Event(
            timestamp=from_microseconds(micros),
            source=self._settings.source,
            text=text,
            labels={**labels, **self._settings.labels},
            dedupe_key=f"calendar|{self.name}|{key}",
        )


def _text(event: Any) -> str:
    parts = [str(event.get(name, "")).strip() for name in ("SUMMARY", "DESCRIPTION", "LOCATION")]
    return clean_text(" \u2014 ".join(" ".join(part.split()) for part in parts if part), _MOST_TEXT)


def _categories(event: Any) -> str:
    raw = event.get("CATEGORIES")
    if raw is None:
        return ""
    groups = raw if isinstance(raw, list) else [raw]
    names = [str(name) for group in groups for name in getattr(group, "cats", [group])]
    return clean_text(",".join(names), 200)
