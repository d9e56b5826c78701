"""The tools as a model may call them: by name with JSON, checked before anything is done."""

import json
import re
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from inspect import Parameter, signature
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, create_model
from pydantic import ValidationError as BadArguments

from agent.chat.asked import Asked
from agent.chat.desk_tools import Tools
from domain.errors import InvalidInput
from domain.timestamps import parse_rfc3339

MAX_ARGUMENTS = 8_000
MAX_ITEMS = 60
_NO_SECONDS = re.compile(r"(T\d\d:\d\d)(Z|[+-]\d\d:\d\d)$")
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


def _instant(given: Any) -> datetime:
    if not isinstance(given, str):
        raise ValueError("is not an RFC 3339 time")  # noqa: TRY004 -- pydantic reports ValueError by field
    try:
        # Models leave out the seconds.
        return parse_rfc3339(_NO_SECONDS.sub(r"\1:00\2", given[:60]))
    except InvalidInput as error:
        raise ValueError(error.reason) from None


_Instant = Annotated[datetime, BeforeValidator(_instant)]
_Text = Annotated[str, StringConstraints(max_length=1_000)]
_Whole = Annotated[int, Field(ge=1, le=100)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


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
        given = _shape(name).model_validate(json.loads(arguments or "{}"))
    except BadArguments as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(name, f"{where[:80]}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise InvalidInput(name, "the arguments are not a JSON object") from None
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
    return [f"{name}({', '.join(_marked(one) for one in _parameters(name))})" for name in names]


def _marked(one: Parameter) -> str:
    return one.name if one.default is Parameter.empty else f"{one.name}?"


def _parameters(name: str) -> list[Parameter]:
    return [one for one in signature(getattr(Tools, name)).parameters.values() if one.name != "self"]


@lru_cache(maxsize=64)
def _shape(name: str) -> type[_Arguments]:
    hints = get_type_hints(getattr(Tools, name))
    fields: dict[str, Any] = {
        one.name: (_bounded(hints[one.name]), ... if one.default is Parameter.empty else one.default)
        for one in _parameters(name)
    }
    return create_model(name, __base__=_Arguments, **fields)


def _bounded(hint: Any) -> Any:
    """The type of an argument with its limits: what a model sends is text from outside."""
    simple = {datetime: _Instant, str: _Text, int: _Whole, bool: bool}
    if hint in simple:
        return simple[hint]
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        rest = [one for one in inside if one is not type(None)]
        return _bounded(rest[0]) | None
    if origin is Literal:
        return hint
    item: Any = _bounded(inside[1] if _is_mapping(origin) else inside[0])
    if _is_mapping(origin):
        return dict.__class_getitem__((_Text, item))
    return Annotated[list.__class_getitem__(item), Field(max_length=MAX_ITEMS)]


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


@lru_cache(maxsize=64)
def _definition(name: str) -> Mapping[str, Any]:
    hints = get_type_hints(getattr(Tools, name))
    parameters = _parameters(name)
    text = (getattr(Tools, name).__doc__ or "").strip().partition("\n")[0]
    return {
        "name": name,
        "description": text,
        "parameters": {
            "type": "object",
            "properties": {one.name: _schema(hints[one.name]) for one in parameters},
            "required": [one.name for one in parameters if one.default is Parameter.empty],
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
    if _is_mapping(origin):
        return {"type": "object", "additionalProperties": _schema(inside[1])}
    return {"type": "array", "items": _schema(inside[0])}
