"""Which log lines report a failure, judged without labels: by level, less the details that follow one."""

import re
from functools import lru_cache

GRAVE = frozenset({"ERROR", "CRITICAL"})
_FAILING = re.compile(
    r"fail|refus|reject|denied|deny|time(?:d\s)?\s?out|lost|broke|abort|kill|panic|fatal|terminat|invalid|unable"
    r"|cannot|can't|could not|not |missing|unexpected|exceed|above|below|limit|stale|late\b|gap|drop"
    r"|disconnect|closed|reset|sever|unavail|unreach|insufficient|expired|overflow|corrupt|crash|traceback|\berror",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[:=]|\.{2,}")
_VALUE = re.compile(r"\S*(?:<\*>|\d)\S*|\([^()\s]*\)|true|false|none|null|nan|on|off", re.IGNORECASE)
_LONGEST_DETAIL = 200


def reports_failure(level: str, template: str) -> bool:
    """Whether a line reports that something failed.

    A failure is followed by lines of the same level that only give values: registers, fields, settings. They
    are details of a failure, not failures.

    Args:
        level: as `collectors.loglines` names it.
        template: the message, with or without wildcards.
    """
    return level in GRAVE and not is_detail(template)


@lru_cache(maxsize=20_000)
def is_detail(template: str) -> bool:
    """Whether a message names something and gives its value, or announces such lines, and says no more."""
    if len(template) > _LONGEST_DETAIL or _FAILING.search(template):
        return False
    separators = list(_SEPARATOR.finditer(template))
    if not separators or not template[: separators[0].start()].strip():
        return False
    last = separators[-1]
    values = template[last.end() :].split()
    if not values:
        return last[0] == ":"
    return all(_VALUE.fullmatch(one) for one in values)
