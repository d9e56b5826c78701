"""Mining of log templates on-line: a compact Drain (He et al., ICWS 2017), a tree of fixed depth.

Messages of the same length and first two words are compared word by word; the closest template takes the
message and turns the words that differ into wildcards.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

WILDCARD = "<*>"
_VARIABLE = re.compile(
    r"""(?x)
      (?<![A-Za-z0-9])(?:
        0x[0-9a-fA-F]+
      | [0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}
      | (?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}
      | \d{1,3}(?:\.\d{1,3}){3}(?::\d+)?
      | [+-]?\d[\d.,:_]*
      )(?![A-Za-z0-9])
    """
)
_HAS_DIGIT = re.compile(r"\d")
_MAX_WORDS = 60
_MAX_BRANCHES = 50
_MAX_MESSAGE = 2_000
_CACHE = 20_000


@dataclass(slots=True)
class Template:
    """A message shape: words, some of them wildcards, and how many messages it took."""

    id: int
    words: list[str]
    count: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.words)


class TemplateMiner:
    """Assigns messages to templates and learns new ones.

    Args:
        max_templates: beyond this number the rarest quarter is forgotten.
        similarity: share of a template's fixed words that a message of it has to have.
    """

    def __init__(self, max_templates: int = 1_000, similarity: float = 0.6) -> None:
        self._max = max_templates
        self._similarity = similarity
        self._next = 1
        self._leaves: dict[tuple[int, str, str], list[Template]] = {}
        self._branches: dict[tuple[int, str], set[str]] = {}
        self._templates: dict[int, Template] = {}
        self._cache: dict[str, Template] = {}

    def __len__(self) -> int:
        return len(self._templates)

    def add(self, message: str) -> tuple[Template, bool]:
        """The template of a message, and whether it is a new one."""
        masked = mask(message)
        cached = self._cache.get(masked)
        if cached is not None:
            cached.count += 1
            return cached, False
        words = masked.split()[:_MAX_WORDS] or [WILDCARD]
        leaf = self._leaf(words)
        template = self._closest(leaf, words)
        is_new = template is None
        if template is None:
            template = self._learn(leaf, words)
        elif template.words != words:
            template.words = [a if a == b else WILDCARD for a, b in zip(template.words, words, strict=True)]
        template.count += 1
        if len(self._cache) >= _CACHE:
            self._cache.clear()
        self._cache[masked] = template
        return template, is_new

    def get(self, template_id: int) -> Template | None:
        return self._templates.get(template_id)

    def _leaf(self, words: Sequence[str]) -> list[Template]:
        """The templates that a message is compared with; a branch too many goes with the wildcards."""
        first, second = (_branch(word) for word in (*words[:2], *[WILDCARD] * (2 - len(words))))
        branches = self._branches.setdefault((len(words), first), set())
        if second not in branches and len(branches) >= _MAX_BRANCHES:
            second = WILDCARD
        branches.add(second)
        return self._leaves.setdefault((len(words), first, second), [])

    def _closest(self, leaf: Sequence[Template], words: Sequence[str]) -> Template | None:
        best, best_share = None, self._similarity
        for template in leaf:
            share = _share(template.words, words)
            if share >= best_share and (share > best_share or best is None):
                best, best_share = template, share
        return best

    def _learn(self, leaf: list[Template], words: list[str]) -> Template:
        if len(self._templates) >= self._max:
            self._forget()
            leaf = self._leaf(words)
        template = Template(self._next, list(words))
        self._next += 1
        leaf.append(template)
        self._templates[template.id] = template
        return template

    def _forget(self) -> None:
        ordered = sorted(self._templates.values(), key=lambda one: (one.count, one.id))
        self._rebuild(ordered[len(ordered) // 4 + 1 :])

    def _rebuild(self, templates: Sequence[Template]) -> None:
        self._cache.clear()
        self._leaves.clear()
        self._branches.clear()
        self._templates = {one.id: one for one in templates}
        for one in sorted(templates, key=lambda one: one.id):
            self._leaf(one.words).append(one)

    def as_json(self) -> dict[str, Any]:
        """Everything that a restart needs."""
        return {
            "next": self._next,
            "templates": [[one.id, one.count, one.text] for one in self._templates.values()],
        }

    @classmethod
    def of_json(cls, state: Mapping[str, Any], max_templates: int = 1_000, similarity: float = 0.6) -> Self:
        """The miner that `as_json` came from."""
        miner = cls(max_templates, similarity)
        miner._next = int(state.get("next", 1))
        miner._rebuild([Template(i, text.split(" "), count) for i, count, text in state.get("templates", ())])
        return miner


def mask(message: str) -> str:
    """The message with numbers, addresses and identifiers replaced by wildcards."""
    return _VARIABLE.sub(WILDCARD, message[:_MAX_MESSAGE])


def _share(template: Sequence[str], words: Sequence[str]) -> float:
    """How much of what is fixed in a template a message has; wildcards say nothing either way."""
    fixed = sum(word != WILDCARD for word in template)
    if not fixed:
        return float(template == words)
    return sum(a == b for a, b in zip(template, words, strict=True) if a != WILDCARD) / fixed


def _branch(word: str) -> str:
    return WILDCARD if WILDCARD in word or _HAS_DIGIT.search(word) else word
