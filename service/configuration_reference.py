"""docs/configuration.md, written from the settings themselves so that the two cannot differ."""

import types
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from domain.rule import Rule
from domain.topology import Edge, Strategy
from service.settings import Settings

HEAD = """\
# Configuration

One TOML file (`--config`, else `$ANALYST_CONFIG`, else `analyst.toml`), every key overridable from the
environment: `ANALYST_SCHEDULER__INTERVAL_SECONDS=60` stands for `interval_seconds` of `[scheduler]`. Unknown
keys are errors. Secrets stand in the environment or in a file that the configuration names. `analyst init`
writes a commented file to start from; `analyst check` tries everything in it.

This page is written from the program's own settings.
"""
ROLES = {
    Rule: "What to detect on which series; rules of your own stand beside the built-in ones.",
    Strategy: "Where a strategy trades and runs: from this follows which component can hurt which one.",
    Edge: "`cause` can make `effect` misbehave; beside the edges that follow from the strategies.",
}


def reference() -> str:
    """The whole page."""
    sections = [HEAD]
    for name, field in Settings.model_fields.items():
        models = list(_models(field.annotation))
        if not models:
            sections.append(f"## `{name}`\n\n{field.description or ''}\n")
        sections += [_section(name, model, many=_is_many(field.annotation)) for model in models]
    return "\n".join(sections)


def _section(name: str, model: type[BaseModel], *, many: bool) -> str:
    kind = model.model_fields.get("kind")
    title = f"[[{name}]]" if many else f"[{name}]"
    if kind is not None and many and len(get_args(kind.annotation)) == 1:
        title += f' with kind = "{get_args(kind.annotation)[0]}"'
    role = ROLES.get(model) or (model.__doc__ or "").strip().partition("\n")[0]
    lines = [f"## `{title}`", "", role, "", "| key | default | meaning |", "|---|---|---|"]
    lines += list(_rows(model))
    return "\n".join([*lines, ""])


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        nested = list(_models(field.annotation))
        if nested and not _is_many(field.annotation):
            for inner in nested:
                yield from _rows(inner, f"{key}.")
        else:
            yield f"| `{key}` | {_default(field)} | {_meaning(field, nested)} |"


def _meaning(field: FieldInfo, nested: list[type[BaseModel]]) -> str:
    if get_origin(field.annotation) is Literal and field.is_required():
        return "Says which kind this is."
    said = (field.description or "").replace("|", "\\|").replace("\n", " ").strip()
    inner = "; ".join(
        f"`{name}`: {(one.description or '').rstrip('.')}"
        for model in nested
        for name, one in model.model_fields.items()
    )
    return " ".join(part for part in (said, f"Each has {inner}." if inner else "") if part).replace("\n", " ")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, SecretStr):
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | PurePath):
        return f'`"{value}"`'
    if isinstance(value, tuple | list):
        return "`[]`" if not value else f"`{[str(one) for one in value]}`"
    return f"`{value}`" if not isinstance(value, dict) or value else "`{}`"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings models inside an annotation: through optional, tuples, unions and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType, tuple, list}:
        for part in get_args(annotation):
            yield from _models(part)


def _is_many(annotation: Any) -> bool:
    if get_origin(annotation) in {tuple, list}:
        return True
    return any(_is_many(part) for part in get_args(annotation))


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference())
