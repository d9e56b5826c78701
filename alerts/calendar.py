"""Quiet hours and maintenance windows, in the desk's own time zone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from alerts.settings import WEEKDAYS, Maintenance, QuietHours


def quiet_until(windows: Sequence[QuietHours], now: datetime) -> datetime | None:
    """When the quiet hours that hold now end, in UTC; None outside of them."""
    ends = [end for window in windows if (end := _end_of(window, now)) is not None]
    return max(ends) if ends else None


def matches(patterns: dict[str, str], labels: Sequence[tuple[str, str]]) -> bool:
    """Whether each pattern fits one of the labels of that name; no pattern fits everything."""
    return all(
        any(name == wanted and fnmatchcase(value, pattern) for name, value in labels)
        for wanted, pattern in patterns.items()
    )


def covering_maintenance(
    windows: Sequence[Maintenance], labels: Sequence[tuple[str, str]], now: datetime
) -> Maintenance | None:
    """The matching window that ends last, if any."""
    found = [one for one in windows if one.covers(now) and matches(one.match, labels)]
    return max(found, key=lambda one: one.end) if found else None


def _end_of(window: QuietHours, now: datetime) -> datetime | None:
    zone = ZoneInfo(window.timezone)
    today = now.astimezone(zone).date()
    for begins_on in (today - timedelta(days=1), today):
        if WEEKDAYS[begins_on.weekday()] not in window.days:
            continue
        ends_on = begins_on if window.start < window.end else begins_on + timedelta(days=1)
        start = datetime.combine(begins_on, window.start, tzinfo=zone).astimezone(UTC)
        end = datetime.combine(ends_on, window.end, tzinfo=zone).astimezone(UTC)
        if start <= now < end:
            return end
    return None
