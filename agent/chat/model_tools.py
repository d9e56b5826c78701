"""The tools as a model may call them: by name with JSON, checked before anything is done."""

import json
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from inspect import Parameter
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from agent.chat.asked import Asked
from agent.chat.desk_tools import Tools
from agent.chat.tool_arguments import Limits, checked, is_mapping, parameters
from domain.errors import InvalidInput

MAX_ARGUMENTS = 8_000
LIMITS = Limits(text=1_000, items=60, whole=100)
STARTING = "start_diagnosis"
NAMES = (
    *("list_series", "series_statistics", "compare_windows", "compare_with_usual", "money", "movers"),
    *("moved_together", "log_templates", "desk_status", "list_incidents", "get_incident", "list_anomalies"),
    *(
        "get_anomaly",
        "get_diagnosis",
        "get_evidence",
        "list_events",
        "data_sources",
        "list_rules",
        "model_usage",
    ),
    *("similar_incidents", STARTING),
)


def call(asked: Asked, name: str, arguments: str, allowed: Sequence[str]) -> BaseModel:
    """Run one of the allowed tools on the record.

    Raises:
        InvalidInput: no such tool here, or arguments that it does not take; nothing was done.
        AnalystError: what the tool itself raises.
    """
    if name not in allowed:
        raise InvalidInput("tool", f"there is none called {name[:60]!r} for this question")
    if len(arguments) > MAX_ARGUMENTS:
        raise InvalidInput(name, "the arguments are too long")
    try:
        read = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise InvalidInput(name, "the arguments are not a JSON object") from None
    try:
        given = checked(name, read, LIMITS)
    except InvalidInput as error:
        raise InvalidInput(name, f"{error.field}: {error.reason}") from None
    values = {key: getattr(given, key) for key in given.model_fields_set}
    found: BaseModel = asked.call(getattr(asked.tools, name), **values)
    return found


def offered(*, diagnose: bool) -> tuple[str, ...]:
    """The names of the tools for somebody who may, or may not, start a diagnosis."""
    return NAMES if diagnose else tuple(name for name in NAMES if name != STARTING)


def descriptions(names: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """Function definitions, as endpoints with tool calls take them."""
    return tuple(_definition(name) for name in names)


def signatures(names: Sequence[str]) -> list[str]:
    """One line each, for endpoints without tool calls: `money(metric, start, end, labels?, by?)`."""
    return [f"{name}({', '.join(_marked(one) for one in parameters(name))})" for name in names]


def _marked(one: Parameter) -> str:
    return one.name if one.default is Parameter.empty else f"{one.name}?"


@lru_cache(maxsize=64)
def _definition(name: str) -> Mapping[str, Any]:
    hints = get_type_hints(getattr(Tools, name))
    taken = parameters(name)
    text = (getattr(Tools, name).__doc__ or "").strip().partition("\n")[0]
    return {
        "name": name,
        "description": text,
        "parameters": {
            "type": "object",
            "properties": {one.name: _schema(hints[one.name]) for one in taken},
            "required": [one.name for one in taken if one.default is Parameter.empty],
            "additionalProperties": False,
        },
    }


def _schema(hint: Any) -> dict[str, Any]:
    simple = {datetime: "string", str: "string", int: "integer", bool: "boolean"}
    if hint in simple:
        return {"type": simple[hint]}
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _schema(next(one for one in inside if one is not type(None)))
    if origin is Literal:
        return {"type": "string", "enum": list(inside)}
    if is_mapping(origin):
        return {"type": "object", "additionalProperties": _schema(inside[1])}
    return {"type": "array", "items": _schema(inside[0])}
