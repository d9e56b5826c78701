"""The tools of the chat as other programs call them: typed arguments checked, answers as plain JSON."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)
from pydantic_core import to_jsonable_python

from agent.chat.data import DeskData
from agent.chat.desk_tools import Permissions, Tools
from api.settings import Role
from api.tool_port import DeskTool
from domain.errors import InvalidInput, NotFound
from service.analyst import Analyst, Parts
from service.chat_data import StoredDesk

STARTS = "start_diagnosis"
# What a program may call; everything but the last one only reads.
NAMES = (
    "desk_status",
    "list_incidents",
    "get_incident",
    "list_anomalies",
    "get_anomaly",
    "get_diagnosis",
    "similar_incidents",
    "list_series",
    "series_statistics",
    "compare_windows",
    "compare_with_usual",
    "money",
    "movers",
    "moved_together",
    "log_templates",
    "list_events",
    "data_sources",
    "list_rules",
    "model_usage",
    STARTS,
)
_OPERATORS: frozenset[Role] = frozenset({"operator", "admin"})
_MAX_TEXT = 2_000
_MAX_ITEMS = 100


def toolbox(analyst: Analyst, parts: Parts) -> "ToolBox":
    """The tools over the stored desk of a running service."""
    return ToolBox(
        StoredDesk(
            parts.stores,
            parts.windows,
            parts.clock,
            health=analyst.sources,
            budget=analyst.budget_left_usd,
            begin=analyst.diagnose,
        )
    )


class ToolBox:
    """Implements `api.tool_port.DeskTools` over the stored desk."""

    def __init__(self, data: DeskData) -> None:
        self._data = data
        methods = {name: getattr(Tools, name) for name in NAMES}
        self._arguments = {name: _model_of(name, method) for name, method in methods.items()}
        self._tools = tuple(
            DeskTool(
                name=name,
                description=inspect.getdoc(method) or name,
                arguments=self._arguments[name].model_json_schema(),
                starts=name == STARTS,
            )
            for name, method in methods.items()
        )

    def tools(self) -> Sequence[DeskTool]:
        """All tools, in a stable order."""
        return self._tools

    def call(self, name: str, arguments: Mapping[str, Any], role: Role) -> Mapping[str, Any]:
        """Answer one call; raises NotFound, InvalidInput or Forbidden."""
        model = self._arguments.get(name)
        if model is None:
            raise NotFound("tool", name[:100])
        try:
            checked = model.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "arguments"
            raise InvalidInput(field[:200], str(first["msg"])) from None
        given = {field: getattr(checked, field) for field in type(checked).model_fields}
        tools = Tools(self._data, Permissions(diagnose=role in _OPERATORS))
        found = getattr(tools, name)(**given)
        plain: Mapping[str, Any] = _finite(to_jsonable_python(found, inf_nan_mode="constants"))
        return plain


def _model_of(name: str, method: Callable[..., object]) -> type[BaseModel]:
    """A model of a method's arguments: times need an offset, texts and lists are bounded, nothing unknown."""
    hints = get_type_hints(method)
    fields: dict[str, Any] = {}
    for one in list(inspect.signature(method).parameters.values())[1:]:
        default = ... if one.default is inspect.Parameter.empty else one.default
        fields[one.name] = (_bounded(hints[one.name]), default)
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return model


def _bounded(kind: Any) -> Any:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    inner = get_args(kind)
    if kind == Sequence[datetime]:
        # A stretch of time: its start and its end.
        return Annotated[list.__class_getitem__(_bounded(datetime)), Field(min_length=2, max_length=2)]
    if get_origin(kind) is Sequence:
        return Annotated[list.__class_getitem__(_bounded(inner[0])), Field(max_length=_MAX_ITEMS)]
    if get_origin(kind) is Mapping:
        return dict.__class_getitem__((_bounded(inner[0]), _bounded(inner[1])))
    return kind


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be an RFC 3339 time with an offset")  # noqa: TRY004 -- pydantic's protocol
    return value


_SIMPLE: Mapping[Any, Any] = {
    datetime: Annotated[AwareDatetime, BeforeValidator(_only_text)],
    str: Annotated[str, Field(max_length=_MAX_TEXT)],
    int: Annotated[int, Field(strict=True, ge=1, le=500)],
}


def _finite(value: Any) -> Any:
    """Plain values in which a float that JSON cannot carry is null."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return value
