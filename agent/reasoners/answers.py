"""A model's answers as schemas: read tolerantly, believed never."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import ReasonerError

MAX_TEXT = 4_000
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*|\s*```\s*$")
T = TypeVar("T", bound=BaseModel)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class View(_Answer):
    """What the model thinks of one candidate."""

    cause: str = Field(max_length=100)
    component: str | None = Field(default=None, max_length=500)
    confidence: float = Field(ge=0, le=1)
    supporting: tuple[str, ...] = Field(default=(), max_length=20)
    contradicting: tuple[str, ...] = Field(default=(), max_length=20)
    why: str = Field(default="", max_length=MAX_TEXT)


class Need(_Answer):
    """A tool that is asked for inside the answer, by models without tool calls."""

    tool: str = Field(max_length=100)
    arguments: dict[str, Any] = Field(default_factory=dict)


class Analysis(_Answer):
    """The six steps and the candidates; or what is needed first."""

    hypotheses: tuple[View, ...] = Field(default=(), max_length=12)
    steps: dict[str, Annotated[str, Field(max_length=MAX_TEXT)]] = Field(default_factory=dict, max_length=20)
    need: tuple[Need, ...] = Field(default=(), max_length=8)


class Alternative(_Answer):
    cause: str = Field(max_length=100)
    component: str | None = None
    why: str = Field(default="", max_length=MAX_TEXT)


class Alternatives(_Answer):
    """What speaks for and against the causes that came second."""

    alternatives: tuple[Alternative, ...] = Field(max_length=8)


class Summary(_Answer):
    """What a trader reads first."""

    summary: str = Field(min_length=1, max_length=MAX_TEXT)


class AnswerUnusable(ReasonerError):
    """The answer is no JSON object of the wanted shape."""


def read(text: str, shape: type[T]) -> T:
    """Read an answer, with or without a fence or words around it; raises AnswerUnusable."""
    body = _FENCE.sub("", text)
    start, end = body.find("{"), body.rfind("}")
    if start < 0 or end <= start:
        raise AnswerUnusable("the model's answer holds no JSON object")
    try:
        found = json.loads(body[start : end + 1], parse_constant=_refuse)
        return shape.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AnswerUnusable(f"the model's answer has the wrong shape ({where}: {first['msg']})") from None
    except (ValueError, RecursionError):
        raise AnswerUnusable("the model's answer is not valid JSON") from None


def schema_of(shape: type[BaseModel]) -> Mapping[str, Any]:
    """A short JSON schema of an answer, as endpoints that enforce one want it."""
    return _SCHEMAS[shape.__name__]


def _refuse(name: str) -> float:
    raise ValueError(name)


_TEXT = {"type": "string"}
_IDS = {"type": "array", "items": _TEXT}
_VIEW = {
    "type": "object",
    "properties": {
        "cause": _TEXT,
        "component": {"type": ["string", "null"]},
        "confidence": {"type": "number"},
        "supporting": _IDS,
        "contradicting": _IDS,
        "why": _TEXT,
    },
    "required": ["cause", "confidence"],
}
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "Analysis": {
        "type": "object",
        "properties": {
            "thoughts": _TEXT,
            "need": {"type": "array", "items": {"type": "object"}},
            "hypotheses": {"type": "array", "items": _VIEW},
            "steps": {"type": "object", "additionalProperties": _TEXT},
        },
    },
    "Alternatives": {
        "type": "object",
        "properties": {"alternatives": {"type": "array", "items": {"type": "object"}}},
        "required": ["alternatives"],
    },
    "Summary": {"type": "object", "properties": {"summary": _TEXT}, "required": ["summary"]},
}
