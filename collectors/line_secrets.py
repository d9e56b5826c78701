"""Secrets that a program wrote into its log go no further: templates are stored, shown and sent to models."""

import re

HIDDEN = "***"
# Nothing is looked for in a line without one of these, which is nearly every line.
_HINTS = (
    *("bearer ", "basic ", "pass", "secret", "token", "key", "credential", "signature"),
    *("xox", "xapp-", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "akia", "eyj"),
)
_SHAPES = (
    re.compile(r"(?<=://)[^/\s@\"']{1,500}(?=@)"),
    re.compile(r"(?i)(?<=\bbearer )[\w.~+/=-]{6,}|(?<=\bbasic )[\w+/=-]{6,}"),
    re.compile(
        r"\bxox[a-z]-[\w-]{6,}|\bxapp-[\w-]{6,}|\bsk-[\w-]{12,}|\bgh[pousr]_\w{20,}|\bAKIA[0-9A-Z]{12,}"
    ),
    re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"),
)
# `name=value`, `name: value`, `"name": "value"`, and the same in the query of an address.
_NAMED = re.compile(
    r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|(?:api|access|private|secret)[_-]?key|credentials?|signature)"
    r"[\"']?\s*[=:]\s*[\"']?)(?!\*\*\*|<\*>)[^\s\"',;&)}\]]{3,}"
)


def without_secrets(text: str) -> str:
    """The text with whatever looks like a secret hidden; the words around it stay."""
    if not _is_suspect(text):
        return text
    for shape in _SHAPES:
        text = shape.sub(HIDDEN, text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def _is_suspect(text: str) -> bool:
    lowered = text.lower()
    # A plain loop: every line of every log comes by here.
    for hint in _HINTS:
        if hint in lowered:
            return True
    return "://" in text and "@" in text
