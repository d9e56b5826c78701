"""Small strict readers for the JSON of other products: a wrong type is a 422 that names the field."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.json_body import check_texts
from api.problem import HttpProblem, invalid
from collectors.strict_json import UnparseableBody, parse_json
from domain.errors import InvalidInput
from domain.series import MAX_LABEL_VALUE, MAX_LABELS, MAX_NAME
from domain.timestamps import check_range, parse_rfc3339

MAX_TEXT = 1_000
_FRACTION = re.compile(r"(\.\d{6})\d+")
_SPACED = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}) (?:UTC|([+-]\d{2}):?(\d{2}))")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; raises HttpProblem 400 or 422."""
    try:
        document = parse_json(body)
    except UnparseableBody as error:
        raise HttpProblem(400, str(error)) from None
    if not isinstance(document, dict):
        raise invalid("body", "must be a JSON object")
    check_texts(document)
    return document


def mapping(content: Mapping[str, Any], name: str, place: str = "") -> Mapping[str, Any]:
    """A field that is an object; empty where it is missing or null."""
    found = content.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid(f"{place}{name}", "must be an object")
    return found


def listed(content: Mapping[str, Any], name: str, longest: int, place: str = "") -> list[Any]:
    """A field that is a list; empty where it is missing or null."""
    found = content.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise invalid(f"{place}{name}", "must be a list")
    if len(found) > longest:
        raise HttpProblem(413, f"{place}{name} has more than {longest} entries.")
    return found


def words(content: Mapping[str, Any], name: str, place: str = "", longest: int = MAX_TEXT) -> str:
    """A field that is a text, on one line and cut to a bearable length; empty where it is missing or null."""
    found = content.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise invalid(f"{place}{name}", "must be a text")
    return one_line(found, longest)


def required(content: Mapping[str, Any], name: str, place: str = "") -> str:
    """A text that must be there."""
    found = words(content, name, place)
    if not found:
        raise invalid(f"{place}{name}", "is missing")
    return found


def one_line(text: str, longest: int = MAX_TEXT) -> str:
    """Foreign text without control characters."""
    return _UNPRINTABLE.sub(" ", text).strip()[:longest]


def instant(content: Mapping[str, Any], name: str, now: datetime, place: str = "") -> datetime | None:
    """A time as these products write it, finer digits cut; None where it is missing or year 1.

    Raises:
        HttpProblem: 422, for anything else than a time with an offset that has already come.
    """
    text = content.get(name)
    if text is None or text == "":
        return None
    if not isinstance(text, str) or len(text) > 60:
        raise invalid(f"{place}{name}", "must be a time")
    if text.startswith("0001-01-01"):
        return None
    spaced = _SPACED.fullmatch(text)
    if spaced is not None:
        offset = f"{spaced[3]}:{spaced[4]}" if spaced[3] else "Z"
        text = f"{spaced[1]}T{spaced[2]}{offset}"
    try:
        return check_range(parse_rfc3339(_FRACTION.sub(r"\1", text)), now)
    except InvalidInput as error:
        raise invalid(f"{place}{name}", error.reason) from None


def labels(content: Mapping[str, Any], name: str, place: str = "") -> dict[str, str]:
    """An object of texts as labels: names made to fit, values on one line, empty ones left out."""
    found: dict[str, str] = {}
    for key, value in mapping(content, name, place).items():
        if not isinstance(value, str):
            raise invalid(f"{place}{name}.{one_line(key, 50)}", "must be a text")
        fitting = label_name(key)
        text = one_line(value, MAX_LABEL_VALUE)
        if fitting and text and len(found) < MAX_LABELS // 2:
            found[fitting] = text
    return found


def label_name(text: str) -> str:
    """A name as labels may have it."""
    fitting = _NOT_IN_NAMES.sub("_", text)[:MAX_NAME]
    return f"_{fitting}" if fitting[:1].isdigit() else fitting
