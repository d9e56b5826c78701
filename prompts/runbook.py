"""Runbooks: the catalogue of causes as Markdown files with front matter, and the lint that checks them."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from domain.errors import ConfigurationError

BUILT_IN = Path(__file__).parent / "runbooks"
MAX_FILE_BYTES = 100_000
Owner = Literal["trading", "quant", "risk", "infrastructure", "exchange_relations", "development"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sign(_Frozen):
    """One trait of a cause: a kind of metric that moves one way.

    `where` is relative to the component blamed: `root` itself, `downstream` of it, `upstream`, or `anywhere`.
    A negative weight speaks against the cause. Weights: 3 defines it, 2 is typical, 1 supports it. `normal`
    is what it costs the cause that such a metric is as always; by default about a third of the weight.
    """

    kind: str = Field(min_length=1)
    direction: Literal["up", "down", "any"] = "any"
    weight: float = Field(1.0, ge=-5, le=5)
    where: Literal["root", "downstream", "upstream", "anywhere"] = "root"
    state: Literal["any", "silent", "stopped", "frozen", "spiked", "shifted"] = "any"
    normal: float | None = Field(None, ge=0, le=5)


class Check(_Frozen):
    """What would tell this cause from one of its rivals."""

    rival: str
    text: str = Field(min_length=1, max_length=400)


class RunbookAction(_Frozen):
    """Something to do; `{place}` stands for the component."""

    text: str = Field(min_length=1, max_length=300)
    owner: Owner
    reversible: bool = True


class Runbook(_Frozen):
    """One cause: how it shows, what would tell it from its rivals, and what to do about it."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{2,59}$")
    title: str = Field(min_length=1, max_length=120)
    components: tuple[str, ...] = ()
    scope: Literal["one", "many", "any"] = "any"
    prior: float = Field(0.0, ge=-3, le=3)
    signature: tuple[Sign, ...] = Field(min_length=1)
    order: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    new_errors: bool = False
    without_event: float = Field(0.0, ge=-5, le=0)
    events: tuple[str, ...] = ()
    event_words: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    immediate: tuple[RunbookAction, ...] = Field(min_length=1)
    preventive: tuple[RunbookAction, ...] = Field(min_length=1)
    monitoring: tuple[RunbookAction, ...] = Field(min_length=1)
    description: str = Field(min_length=1, max_length=20_000)

    @field_validator("logs", "event_words")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return patterns

    @model_validator(mode="after")
    def _defined(self) -> Self:
        if not any(sign.weight >= 2 for sign in self.signature) and not (self.logs or self.new_errors):
            raise ValueError("needs a sign of weight 2 or more, or a log pattern")
        return self

    def said_by(self, template: str) -> bool:
        """Whether a log template speaks of this cause."""
        return any(_pattern(pattern).search(template) for pattern in self.logs)

    def announced_by(self, kind: str, text: str) -> bool:
        """Whether an event of this kind and text can announce this cause."""
        words = not self.event_words or any(_pattern(pattern).search(text) for pattern in self.event_words)
        return kind in self.events and words


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def parse_runbook(text: str, name: str) -> Runbook:
    """Read one runbook; raises ConfigurationError naming the file and what is wrong with it."""
    match = re.fullmatch(r"---\r?\n(.*?)\r?\n---\r?\n(.*)", text, re.DOTALL)
    if match is None:
        raise ConfigurationError(name, "must start with front matter between two lines of ---")
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise ConfigurationError(name, f"front matter is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(front, dict):
        raise ConfigurationError(name, "front matter must be a mapping")
    try:
        return Runbook.model_validate({**front, "description": match[2].strip()})
    except ValidationError as error:
        raise ConfigurationError(name, _first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def load_runbooks(extra_dirs: Sequence[Path] = ()) -> tuple[Runbook, ...]:
    """The built-in runbooks, overridden by key and extended by those of further folders.

    Raises:
        ConfigurationError: a folder is missing, a file is unusable, or two files of a folder share a key.
    """
    found: dict[str, Runbook] = {}
    for folder in (BUILT_IN, *extra_dirs):
        found |= _load_folder(folder)
    return tuple(found[key] for key in sorted(found))


def _load_folder(folder: Path) -> dict[str, Runbook]:
    if not folder.is_dir():
        raise ConfigurationError(str(folder), "is not a folder of runbooks")
    found: dict[str, Runbook] = {}
    for path in sorted(folder.glob("*.md")):
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(str(path), f"is larger than {MAX_FILE_BYTES} bytes")
        runbook = parse_runbook(path.read_text(encoding="utf-8"), str(path))
        if runbook.key in found:
            raise ConfigurationError(str(path), f"repeats the key {runbook.key!r}")
        found[runbook.key] = runbook
    return found


def lint_runbooks(runbooks: Sequence[Runbook], kinds: Iterable[str]) -> list[str]:
    """Problems that a single file cannot show: unknown kinds, checks against causes that do not exist.

    Args:
        runbooks: the whole catalogue.
        kinds: the kinds of metrics that the product can recognise.
    """
    known, keys = set(kinds), {one.key for one in runbooks}
    problems = []
    for one in runbooks:
        words = [sign.kind for sign in one.signature] + list(one.order)
        problems += [f"{one.key}: unknown kind {word!r}" for word in words if word not in known]
        problems += [
            f"{one.key}: check against unknown cause {check.rival!r}"
            for check in one.checks
            if check.rival not in keys
        ]
        if {"news", "notice"} & set(one.events) and not one.event_words:
            problems.append(f"{one.key}: reports announce it only by their words, so it needs event_words")
        if not one.checks:
            problems.append(f"{one.key}: has no check against a rival")
        if one.key == "unknown":
            problems.append("the key `unknown` is reserved")
    return problems
