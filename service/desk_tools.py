"""The tools of the chat as other programs call them: typed arguments checked, answers as plain JSON."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from agent.chat.data import DeskData
from agent.chat.desk_tools import Permissions, Tools
from agent.chat.tool_arguments import Limits, checked, shape
from api.settings import Role
from api.tool_port import DeskTool
from domain.errors import NotFound
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
LIMITS = Limits(text=2_000, items=100, whole=500)


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
        self._tools = tuple(
            DeskTool(
                name=name,
                description=inspect.getdoc(getattr(Tools, name)) or name,
                arguments=shape(name, LIMITS).model_json_schema(),
                starts=name == STARTS,
            )
            for name in NAMES
        )

    def tools(self) -> Sequence[DeskTool]:
        """All tools, in a stable order."""
        return self._tools

    def call(self, name: str, arguments: Mapping[str, Any], role: Role) -> Mapping[str, Any]:
        """Answer one call; raises NotFound, InvalidInput or Forbidden."""
        if name not in NAMES:
            raise NotFound("tool", name[:100])
        given = dict(checked(name, dict(arguments), LIMITS))
        tools = Tools(self._data, Permissions(diagnose=role in _OPERATORS))
        found = getattr(tools, name)(**given)
        plain: Mapping[str, Any] = _finite(to_jsonable_python(found, inf_nan_mode="constants"))
        return plain


def _finite(value: Any) -> Any:
    """Plain values in which a float that JSON cannot carry is null."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return value
