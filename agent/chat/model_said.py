"""What the model of the chat said: words, or wishes for tools in either of the two ways to utter them."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.model.outcomes import Reply
from domain.errors import ReasonerError

LEAST_WORDS = 2
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*|\s*```\s*$")


class ModelUnhelpful(ReasonerError):
    """The model answered, but not usably."""


def said_in(reply: Reply) -> tuple[str, list[tuple[str, str]]]:
    """The text of an answer and the tools that it wishes for, by tool calls or inside its text.

    Raises:
        ReasonerError: JSON that is neither, or no words at all.
    """
    if reply.tools:
        return reply.text, [(one.name, one.arguments) for one in reply.tools]
    body = _FENCE.sub("", reply.text).strip()
    start, end = body.find("{"), body.rfind("}")
    if '"need"' in body and 0 <= start < end:
        body = body[start : end + 1]
    if not body.startswith("{"):
        if len(re.findall(r"[^\W\d_]{2,}", body)) < LEAST_WORDS:
            raise ModelUnhelpful("the model's answer holds no sentence")
        return body, []
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ModelUnhelpful("the model's answer is neither text nor valid JSON") from None
    return _said_as_json(found)


def _said_as_json(found: Any) -> tuple[str, list[tuple[str, str]]]:
    need = found.get("need") if isinstance(found, Mapping) else None
    if isinstance(need, list) and need:
        wished = [one for one in need if isinstance(one, Mapping)]
        return "", [(str(one.get("tool")), json.dumps(one.get("arguments") or {})) for one in wished]
    for name in ("answer", "summary", "text"):
        text = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(text, str) and text.strip():
            return text, []
    raise ModelUnhelpful("the model's answer has the wrong shape")
