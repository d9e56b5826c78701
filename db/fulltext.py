"""Full-text search with tokens of our own, so that both databases find the same."""

import re
from typing import Any

from sqlalchemy import ColumnElement, text

_WORD = re.compile(r"[^\W_]+")
MAX_TOKEN = 64
MAX_TOKENS = 4_000
MAX_QUERY_TOKENS = 12


def tokens(words: str) -> list[str]:
    """Distinct words in order of appearance, case folded; only letters and digits make words."""
    found = (match[0][:MAX_TOKEN] for match in _WORD.finditer(words.casefold()))
    return list(dict.fromkeys(found))


def search_text(*parts: str | None) -> str:
    """What is stored for searching."""
    return " ".join(tokens(" ".join(part for part in parts if part))[:MAX_TOKENS])


def matches(dialect: str, query: str) -> ColumnElement[bool]:
    """A condition on the table `diagnosis`: it has all words of the query, each as a beginning."""
    wanted = tokens(query)[:MAX_QUERY_TOKENS]
    if not wanted:
        return text("1 = 0")  # type: ignore[return-value]
    condition: Any
    if dialect == "postgresql":
        quoted = " & ".join(f"'{token}':*" for token in wanted)
        condition = text(
            "array_to_tsvector(string_to_array(diagnosis.search_text, ' ')) @@ CAST(:words AS tsquery)"
        )
    else:
        quoted = " ".join(f'"{token}"*' for token in wanted)
        condition = text(
            "diagnosis.id IN (SELECT rowid FROM diagnosis_search WHERE diagnosis_search MATCH :words)"
        )
    bound: ColumnElement[bool] = condition.bindparams(words=quoted)
    return bound
