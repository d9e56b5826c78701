"""The arguments of the tools, checked: read from their signatures, each with limits."""

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from inspect import Parameter, signature
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
)

from agent.chat.desk_tools import Tools
from domain.errors import InvalidInput
from domain.timestamps import parse_rfc3339

_NO_SECONDS = re.compile(r"(T\d\d:\d\d)(Z|[+-]\d\d:\d\d)$")
_MAX_FIELD = 80


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each kind an argument may hold.

    Args:
        text: characters of a text.
        items: entries of a list.
        whole: the largest number.
    """

    text: int
    items: int
    whole: int


class Arguments(BaseModel):
    """Arguments of one tool; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


def parameters(name: str) -> list[Parameter]:
    """The parameters of a tool, in order."""
    return [one for one in signature(getattr(Tools, name)).parameters.values() if one.name != "self"]


@lru_cache(maxsize=128)
def shape(name: str, limits: Limits) -> type[Arguments]:
    """A model of a tool's arguments."""
    hints = get_type_hints(getattr(Tools, name))
    fields: dict[str, Any] = {
        one.name: (_bounded(hints[one.name], limits), ... if one.default is Parameter.empty else one.default)
        for one in parameters(name)
    }
    return create_model(name, __base__=Arguments, **fields)


def checked(name: str, given: Any, limits: Limits) -> Arguments:
    """The arguments as a tool takes them; raises InvalidInput with the field that it does not take."""
    try:
        return shape(name, limits).model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:_MAX_FIELD]
        raise InvalidInput(where or "arguments", str(first["msg"])) from None


def _instant(given: Any) -> datetime:
    if not isinstance(given, str):
        raise ValueError("must be an RFC 3339 time with an offset")  # noqa: TRY004 -- pydantic's protocol
    try:
        # Models leave out the seconds.
        return parse_rfc3339(_NO_SECONDS.sub(r"\1:00\2", given[:60]))
    except InvalidInput as error:
        raise ValueError(error.reason) from None


def _bounded(hint: Any, limits: Limits) -> Any:
    """The type of an argument with its limits."""
    simple = {
        datetime: Annotated[datetime, BeforeValidator(_instant)],
        str: Annotated[str, StringConstraints(max_length=limits.text)],
        int: Annotated[int, Field(strict=True, ge=1, le=limits.whole)],
        bool: bool,
    }
    if hint in simple:
        return simple[hint]
    if hint == Sequence[datetime]:
        # A stretch of time: its start and its end.
        return Annotated[list.__class_getitem__(simple[datetime]), Field(min_length=2, max_length=2)]
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _bounded(next(one for one in inside if one is not type(None)), limits) | None
    if origin is Literal:
        return hint
    if is_mapping(origin):
        return dict.__class_getitem__((simple[str], _bounded(inside[1], limits)))
    return Annotated[list.__class_getitem__(_bounded(inside[0], limits)), Field(max_length=limits.items)]


def is_mapping(origin: Any) -> bool:
    """Whether the origin of a type is that of a mapping."""
    return isinstance(origin, type) and issubclass(origin, Mapping)
