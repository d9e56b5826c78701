"""From a line of a log to time, level, component and message, whatever the format."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from collectors.gate import TimeUnit, clean_text, read_micros
from collectors.log_shapes import shaped, shaped_micros
from domain.errors import InvalidTimestamp

MAX_LINE = 4_000
MAX_COMPONENT = 100
MAX_EXCEPTION = 500
_LEVELS = {
    "TRACE": "DEBUG",
    "DEBUG": "DEBUG",
    "FINE": "DEBUG",
    "INFO": "INFO",
    "INFORMATION": "INFO",
    "NOTICE": "INFO",
    "WARN": "WARN",
    "WARNING": "WARN",
    "ERROR": "ERROR",
    "ERR": "ERROR",
    "SEVERE": "ERROR",
    "CRITICAL": "CRITICAL",
    "CRIT": "CRITICAL",
    "FATAL": "CRITICAL",
    "ALERT": "CRITICAL",
    "EMERG": "CRITICAL",
    "PANIC": "CRITICAL",
}
LEVELS = ("CRITICAL", "ERROR", "WARN", "INFO", "DEBUG")
_WORDS = "|".join(sorted(_LEVELS, key=len, reverse=True))
_TIME = r"\[?(?P<timestamp>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)\]?"
_PLAIN = re.compile(
    rf"(?:{_TIME}[\s|:-]*)?(?:[\[<(]?(?P<level>(?:{_WORDS}))[\]>)]?(?=[\s:|\]-]|$)[\s|:-]*)?(?P<message>.*)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
# Loggers of Python and of the JVM put their own name, a thread or a process before the level.
_NAMED = re.compile(
    rf"{_TIME}[\s|:-]{{0,9}}(?P<before>(?:(?:\[[^\]]{{1,80}}\]|\d{{1,10}}|[\w.:/-]{{1,80}}\s+[|-])\s*){{1,3}}?)"
    rf"(?<=[\s\]|-])\[?(?P<level>{_WORDS})\]?(?:\s*[|:-]\s+|\s+)(?P<message>.*)",
    re.ASCII | re.DOTALL,
)
_NAME = re.compile(r"([\w.:/-]*[A-Za-z][\w.:/-]*)\s+[|-]", re.ASCII)
_KEY = r"[A-Za-z_@][\w.@/-]{0,60}"
_PAIR = re.compile(rf'({_KEY})=("(?:[^"\\]|\\.)*"|[^\s"]*)', re.ASCII)
_LOGFMT = re.compile(rf"{_KEY}=.*\b(?:level|lvl|severity)=", re.ASCII | re.DOTALL)
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_EXCEPTION = re.compile(
    r"(?:Caused by: )?((?:[A-Za-z_$][\w$]*\.)*"
    r"[A-Z][\w$]*(?:Error|Exception|Interrupt|Exit|Timeout|Failure)(?::.*)?)$",
    re.ASCII | re.DOTALL,
)
_PYTHON = re.compile(rf"(?P<level>{_WORDS}):(?P<component>[\w.]+):(?P<message>.*)", re.ASCII | re.DOTALL)
_COMPONENT = re.compile(r"\[(?P<a>[A-Za-z][\w.:/-]{0,99})\]\s*:?\s*|(?P<b>[A-Za-z][\w.:/-]{0,99}[\w]):\s+|"
                        r"(?P<c>[a-z_]+:[\w.:-]+)\s+", re.ASCII)  # fmt: skip
_JSON_KEYS = {
    "timestamp": ("timestamp", "time", "ts", "@timestamp", "asctime"),
    "level": ("level", "levelname", "severity", "lvl", "log.level"),
    "component": ("component", "logger", "name", "service", "module"),
    "message": ("message", "msg", "event", "text"),
}
# How many digits a time of our days has, by what it counts.
_DIGITS: Mapping[int, TimeUnit] = {13: "ms", 16: "us", 19: "ns"}
_OFFSET = re.compile(r"([+-]\d\d)(\d\d)$")
_CONTINUATION = re.compile(r"\s|Caused by:|Traceback \(|\}|\)|\.\.\. \d+ more")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as understood; what it does not say is None or empty."""

    micros: int | None
    level: str
    component: str
    message: str
    names_level: bool = field(default=False, compare=False)

    def ended_in(self, failure: str) -> "Line":
        """The same with the exception that its stack trace ends in, if there was one."""
        return replace(self, message=f"{self.message} | {failure}"[:MAX_LINE]) if failure else self


class LineParser:
    """Understands JSON lines, the usual plain formats, and a configured pattern.

    Args:
        pattern: regular expression with the groups timestamp, level, component, message, all optional.
        zone: of times without an offset.
    """

    def __init__(self, pattern: str | None, zone: tzinfo) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self._zone = zone

    def parse(self, line: str, now: datetime | None = None) -> Line | None:
        """Understand a line; None for one that continues the previous one, such as a stack trace.

        Args:
            line: without its end.
            now: the time of the read, which tells the year of a time without one.
        """
        line = _COLOURS.sub("", line[:MAX_LINE])
        if not line.strip() or _CONTINUATION.match(line):
            return None
        if line.startswith("{"):
            found = _json(line)
            if found is not None:
                return self._line(found, "", now)
        match = self._pattern.search(line) if self._pattern else None
        if match is not None:
            groups = {name: value for name, value in match.groupdict().items() if value is not None}
            return self._line(groups, line, now)
        python = _PYTHON.fullmatch(line)
        if python is not None:
            return self._line(python.groupdict(), line, now)
        return self._line(shaped(line) or _plain(line), line, now)

    def _line(self, found: Mapping[str, str], whole: str, now: datetime | None) -> Line:
        return Line(
            self._micros(found.get("timestamp"), now),
            level_of(found.get("level", "")),
            clean_text(found.get("component", ""), MAX_COMPONENT),
            clean_text(found.get("message", whole) or whole, MAX_LINE) or "(empty)",
            "level" in found,
        )

    def _micros(self, text: str | None, now: datetime | None) -> int | None:
        if text is None:
            return None
        try:
            if text.isdecimal() and len(text) in _DIGITS:
                return read_micros(text, unit=_DIGITS[len(text)])
            plain = _OFFSET.sub(r"\1:\2", text.replace(",", ".").replace("/", "-"))
            return read_micros(plain, self._zone)
        except InvalidTimestamp:
            return shaped_micros(text, self._zone, now)


def exception_named(text: str) -> str:
    """The exception that a line of a stack trace names (`KeyError: 'close'`); empty where it names none."""
    match = _EXCEPTION.match(text)
    return clean_text(match[1], MAX_EXCEPTION) if match else ""


def level_of(word: str) -> str:
    """DEBUG, INFO, WARN, ERROR or CRITICAL; INFO where a line names none that is known."""
    return _LEVELS.get(word.strip().upper(), "INFO")


def _json(line: str) -> dict[str, str] | None:
    try:
        document: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return _known(document) if isinstance(document, dict) else None


def _known(document: Mapping[str, Any]) -> dict[str, str]:
    """Time, level, component and message by the names that loggers give them."""
    found = {}
    for name, keys in _JSON_KEYS.items():
        value = next((document[key] for key in keys if key in document), None)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            found[name] = str(value)
    return found


def _plain(line: str) -> dict[str, str]:
    """What a line of text tells; nothing where it has neither time nor level."""
    if _LOGFMT.match(line):
        return _known({key: value.strip('"').replace('\\"', '"') for key, value in _PAIR.findall(line)})
    match = _PLAIN.match(line)
    groups = {name: value for name, value in match.groupdict().items() if value} if match else {}
    if "timestamp" in groups and "level" not in groups:
        named = _NAMED.match(line)
        if named is not None:
            return _named(named.groupdict())
    if "level" in groups or "timestamp" in groups:
        _split_component(groups)
    return groups


def _named(groups: dict[str, str]) -> dict[str, str]:
    """A logger's name is a part of the program, not a component of the desk: it stays in the message."""
    name = _NAME.search(groups.pop("before"))
    if name is None:
        _split_component(groups)
    elif re.fullmatch(r"[a-z_]+:[\w.:-]+", name[1]):
        groups["component"] = name[1]
    else:
        groups["message"] = f"{name[1]} - {groups['message']}"
    return groups


def _split_component(groups: dict[str, str]) -> None:
    """Many formats name the component between the level and the message."""
    match = _COMPONENT.match(groups.get("message", ""))
    if match is not None:
        groups["component"] = match["a"] or match["b"] or match["c"]
        groups["message"] = groups["message"][match.end() :]
