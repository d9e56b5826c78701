"""How much work the recurrences of a calendar are: what would take for ever is left out."""

from collections.abc import Mapping
from datetime import date
from typing import Any

# Steps that rules may take together, each some microseconds.
_MOST_STEPS = 300_000
_MOST_DATES = 1_000
_STEPS_PER_DATE = 10
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
_MOST_TIMES = 24
# What makes a rule dense when it names many values.
_FINE_PARTS = ("BYSECOND", "BYMINUTE", "BYHOUR")
# What can make a rule of days or hours fit nowhere, as the 30th of February: it is looked for until 9999.
_DAYS_OR_HOURS = frozenset({"HOURLY", "DAILY", "WEEKLY"})
_MONTHS = frozenset(str(month) for month in range(1, 13))
_SELDOM_PARTS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
_STEPS_PER_DAY: Mapping[str, float] = {"HOURLY": 24, "DAILY": 1, "WEEKLY": 1, "MONTHLY": 0.1, "YEARLY": 0.1}
_FOR_EVER = 100_000
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_WEEKS = 4


class Workload:
    """Counts what the events of one calendar cost, and says which ones still fit.

    Args:
        until: the end of the time that occurrences are looked for in.
    """

    def __init__(self, until: date) -> None:
        self._until = until
        self._left = _MOST_STEPS

    def takes(self, event: Any) -> bool:
        """Whether the times of an event can be worked out with little work, and there is room for it."""
        rules = _listed(event.get("RRULE", []))
        dates = sum(len(getattr(one, "dts", [one])) for one in _dates(event))
        if "DTSTART" not in event or dates > _MOST_DATES:
            return False
        if not all(isinstance(one, Mapping) and _is_bounded(one) for one in rules):
            return False
        steps = _STEPS_PER_DATE * dates + sum(self._steps(event, one) for one in rules)
        if steps > self._left:
            return False
        self._left -= steps
        return True

    def _steps(self, event: Any, rule: Mapping[str, Any]) -> int:
        """Steps from the first occurrence to the end; to the year 9999 where a rule may fit nowhere."""
        if _may_fit_nowhere(rule):
            return _FOR_EVER
        first = getattr(event["DTSTART"], "dt", None)
        if not isinstance(first, date):
            return 0
        days = max(self._until.toordinal() - first.toordinal(), 0)
        often = max((_STEPS_PER_DAY.get(str(one).upper(), 1) for one in rule.get("FREQ", [])), default=1)
        return int(days * often * _times(rule))


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _dates(event: Any) -> list[Any]:
    return [one for name in ("RDATE", "EXDATE") for one in _listed(event.get(name, []))]


def _is_bounded(rule: Mapping[str, Any]) -> bool:
    """Whether a recurrence has few enough occurrences a day, goes forward, and fits somewhere soon."""
    frequencies = {str(one).upper() for one in rule.get("FREQ", [])}
    if frequencies & _TOO_OFTEN or any(int(step) < 1 for step in rule.get("INTERVAL", [])):
        return False
    if frequencies & _DAYS_OR_HOURS and any(rule.get(part) for part in _SELDOM_PARTS):
        return False
    if any(str(month) not in _MONTHS for month in rule.get("BYMONTH", [])):
        return False
    return _times(rule) <= _MOST_TIMES


def _times(rule: Mapping[str, Any]) -> int:
    times = 1
    for part in _FINE_PARTS:
        times *= max(len(rule.get(part, [])), 1)
    return times


def _may_fit_nowhere(rule: Mapping[str, Any]) -> bool:
    """Whether a rule of months or years may name a day that no month has, as the 31st of February."""
    if rule.get("BYYEARDAY") or rule.get("BYWEEKNO"):
        return True
    months = [int(str(one)) for one in rule.get("BYMONTH", [])] or [1]
    longest = max(_LONGEST_MONTHS.get(month, 31) for month in months)
    days = [abs(int(str(one))) for one in rule.get("BYMONTHDAY", [])]
    if days and min(days) > longest:
        return True
    places = [abs(int(str(one))) for one in rule.get("BYSETPOS", [])]
    return bool(places) and min(places) > _WEEKS * max(len(rule.get("BYDAY", [])), 1)
