"""Shapes of log lines that put other things before the message: syslog's and web servers'."""

import re
from datetime import datetime, timedelta, tzinfo

_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
# The old form, and rsyslog's with a full time, which only a process number tells from a program's own lines.
_SYSLOG = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?:"
    r"(?P<dated>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) [\w.-]{1,255} "
    r"(?P<tag>[\w./@-]{1,100})(?:\[\d{1,10}\])?:"
    rf"|(?P<full>{_ISO}) [\w.-]{{1,255}} (?P<name>[\w./@-]{{1,100}})\[\d{{1,10}}\]:"
    rf"|1 (?P<strict>{_ISO}) \S{{1,255}} (?P<app>\S{{1,48}}) \S{{1,128}} \S{{1,32}} (?:-|\[[^\]]{{0,1000}}\])"
    r")(?: (?P<message>.*))?$",
    re.ASCII | re.DOTALL,
)
_ACCESS = re.compile(
    r"\S{1,255} \S{1,255} \S{1,255} \[(?P<timestamp>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r"(?P<message>\"[^\"]*\" (?P<status>\d{3})\b.*)",
    re.ASCII | re.DOTALL,
)
_SEVERITIES = ("EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")
_SERVER_FAILS = 500
# What a time without its year may be ahead of ours by: clocks differ.
_AHEAD = timedelta(days=1)


def shaped(line: str) -> dict[str, str] | None:
    """Time, level, component and message of a line in one of these shapes; None for all others."""
    access = _ACCESS.match(line)
    if access is not None:
        failed = int(access["status"]) >= _SERVER_FAILS
        level = {"level": "WARN"} if failed else {}
        return {"timestamp": access["timestamp"], "message": access["message"], **level}
    syslog = _SYSLOG.match(line)
    if syslog is None:
        return None
    found = {
        "timestamp": syslog["dated"] or syslog["full"] or syslog["strict"],
        "component": syslog["tag"] or syslog["name"] or syslog["app"],
        "message": syslog["message"] or "",
    }
    if syslog["priority"]:
        found["level"] = _SEVERITIES[int(syslog["priority"]) % 8]
    return found


def shaped_micros(text: str, zone: tzinfo, now: datetime | None) -> int | None:
    """A time as web servers (`01/Mar/2026:12:00:00 +0000`) or syslog (`Mar  1 12:00:00`) write it.

    Args:
        text: as it stands in the line.
        zone: of times without an offset.
        now: the time of the read, which tells the year; None: a time without one is unknown.

    Returns:
        Microseconds since 1970; None for any other text.
    """
    try:
        at = _dated(text, zone, now)
    except ValueError:
        return None
    return None if at is None else round(at.timestamp()) * 1_000_000


def _dated(text: str, zone: tzinfo, now: datetime | None) -> datetime | None:
    if text[2:3] == "/":
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z")
    if now is None or not text[:1].isalpha():
        return None
    this_year = now.astimezone(zone).year
    days = (_of_year(year, text, zone) for year in (this_year + 1, this_year, this_year - 1))
    return next((at for at in days if at is not None and at <= now + _AHEAD), None)


def _of_year(year: int, text: str, zone: tzinfo) -> datetime | None:
    """None where the year has no such day."""
    try:
        return datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        return None
