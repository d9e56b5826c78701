"""From a line of a log to time, level, component and message, whatever the format."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from collectors.gate import TimeUnit, clean_text, read_micros
from domain.errors import InvalidTimestamp

MAX_LINE = 4_000
MAX_COMPONENT = 100
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
_TIME = r"\[?(?P<timestamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)\]?"
_PLAIN = re.compile(
    rf"(?:{_TIME}[\s|:-]*)?(?:[\[<(]?(?P<level>(?:{_WORDS}))[\]>)]?(?=[\s:|\]-]|$)[\s|:-]*)?(?P<message>.*)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
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


class LineParser:
    """Understands JSON lines, the usual plain formats, and a configured pattern.

    Args:
        pattern: regular expression with the groups timestamp, level, component, message, all optional.
        zone: of times without an offset.
    """

    def __init__(self, pattern: str | None, zone: tzinfo) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self._zone = zone

    def parse(self, line: str) -> Line | None:
        """Understand a line; None for one that continues the previous one, such as a stack trace."""
        line = line[:MAX_LINE]
        if not line.strip() or _CONTINUATION.match(line):
            return None
        if line.startswith("{"):
            found = _json(line)
            if found is not None:
                return self._line(found, "")
        match = self._pattern.search(line) if self._pattern else None
        if match is not None:
            groups = {name: value for name, value in match.groupdict().items() if value is not None}
            return self._line(groups, line)
        python = _PYTHON.fullmatch(line)
        if python is not None:
            return self._line(python.groupdict(), line)
        plain = _PLAIN.match(line)
        groups = {name: value for name, value in plain.groupdict().items() if value} if plain else {}
        if "level" in groups or "timestamp" in groups:
            _split_component(groups)
        return self._line(groups, line)

    def _line(self, found: dict[str, str], whole: str) -> Line:
        return Line(
            self._micros(found.get("timestamp")),
            level_of(found.get("level", "")),
            clean_text(found.get("component", ""), MAX_COMPONENT),
            clean_text(found.get("message", whole) or whole, MAX_LINE) or "(empty)",
            "level" in found,
        )

    def _micros(self, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            if text.isdecimal() and len(text) in _DIGITS:
                return read_micros(text, unit=_DIGITS[len(text)])
            return read_micros(_OFFSET.sub(r"\1:\2", text.replace(",", ".")), self._zone)
        except InvalidTimestamp:
            return None


def level_of(word: str) -> str:
    """DEBUG, INFO, WARN, ERROR or CRITICAL; INFO where a line names none that is known."""
    return _LEVELS.get(word.strip().upper(), "INFO")


def _json(line: str) -> dict[str, str] | None:
    try:
        document: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    found = {}
    for name, keys in _JSON_KEYS.items():
        value = next((document[key] for key in keys if key in document), None)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            found[name] = str(value)
    return found


def _split_component(groups: dict[str, str]) -> None:
    """Many formats name the component between the level and the message."""
    match = _COMPONENT.match(groups.get("message", ""))
    if match is not None:
        groups["component"] = match["a"] or match["b"] or match["c"]
        groups["message"] = groups["message"][match.end() :]
