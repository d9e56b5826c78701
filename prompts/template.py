"""Prompt files: rendered strictly, and named with the hash of their content."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

FOLDER = Path(__file__).parent
SUFFIX = ".md.j2"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt; `version` is the file's name with a hash of it and of what it includes."""

    text: str
    version: str


def render(name: str, **values: Any) -> Prompt:
    """Render `name.md.j2`; a value that is missing is an error, never an empty space."""
    template = _environment().get_template(name + SUFFIX)
    return Prompt(template.render(**values).strip(), version(name))


@lru_cache(maxsize=64)
def version(name: str) -> str:
    """The name of a prompt file with its content hash, such as `summary@3f2a91c0de11`."""
    digest = hashlib.sha256()
    for part in sorted(_parts(name + SUFFIX)):
        digest.update((FOLDER / part).read_bytes())
    return f"{name}@{digest.hexdigest()[:12]}"


def names() -> list[str]:
    """The prompts there are."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 -- Markdown for a model, never HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _parts(file: str) -> set[str]:
    source = (FOLDER / file).read_text(encoding="utf-8")
    included = meta.find_referenced_templates(_environment().parse(source))
    return {file}.union(*(_parts(one) for one in included if one))
