"""One question being answered: its tools under record, and the answer as it grows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from agent.chat.desk_tools import Tools
from agent.chat.lexicon import Lexicon
from agent.chat.question import Question
from agent.chat.wording import one_line
from domain.errors import AnalystError

R = TypeVar("R", bound=BaseModel)
Emit = Callable[[str, Mapping[str, Any]], None]
PREVIEW = 200


class Stopped(Exception):
    """The person who asked does not want the answer any more."""


@dataclass(slots=True)
class Answer:
    """Text with what it rests on; `answered` is False where it only says what cannot be told."""

    lines: list[str] = field(default_factory=list)
    citations: list[tuple[str, str]] = field(default_factory=list)
    answered: bool = True

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def say(self, text: str) -> None:
        """A paragraph or sentence on a line of its own."""
        self.lines.append(text)

    def item(self, text: str) -> None:
        """One entry of a list."""
        self.lines.append(f"- {text}")

    def cite(self, kind: str, identifier: str) -> str:
        """Record a source and give the chip that stands in the text."""
        if (kind, identifier) not in self.citations:
            self.citations.append((kind, identifier))
        return f"[{identifier}]"

    def rest_on(self, *series: str) -> None:
        """Record series as sources."""
        for name in series:
            self.cite("series", name)

    @classmethod
    def refusal(cls, *lines: str) -> "Answer":
        """What cannot be answered, and what can."""
        return cls(list(lines), answered=False)


@dataclass(slots=True)
class Call:
    """A recorded call of a tool."""

    name: str
    arguments: Mapping[str, Any]
    result: Any = None
    error: str | None = None


@dataclass(slots=True)
class Asked:
    """What an answering function works with.

    Args:
        question: as it was read.
        tools: the stored desk.
        lexicon: the names of the desk.
        now: the service's clock when it was asked.
        emit: tells of calls as they happen.
        stopped: whether the answer is still wanted.
    """

    question: Question
    tools: Tools
    lexicon: Lexicon
    now: datetime
    emit: Emit = lambda _event, _data: None
    stopped: Callable[[], bool] = lambda: False
    calls: list[Call] = field(default_factory=list)

    def call(self, tool: Callable[..., R], **arguments: Any) -> R:
        """Call a tool on the record; its errors are its own."""
        if self.stopped():
            raise Stopped
        call = Call(tool.__name__, to_jsonable_python(arguments))
        self.calls.append(call)
        n = len(self.calls)
        self.emit("tool.started", {"id": f"t{n}", "n": n, "name": call.name, "args": call.arguments})
        started = time.perf_counter()
        try:
            result = tool(**arguments)
        except AnalystError as error:
            call.error = str(error)
            self._finished(n, started, call)
            raise
        call.result = result.model_dump(mode="json")
        self._finished(n, started, call)
        return result

    def refused(self, name: str, arguments: str, error: str) -> None:
        """Tell of a call that was asked for and not made."""
        n = len(self.calls) + 1
        told = {"id": f"t{n}", "n": n, "name": one_line(name), "args": {"refused": one_line(arguments)}}
        self.emit("tool.started", told)
        counts = {"ms": 0.0, "rows": 0, "chars": 0, "truncated": False, "preview": ""}
        self.emit("tool.finished", {"id": f"t{n}", **counts, "error": error})

    def _finished(self, n: int, started: float, call: Call) -> None:
        text = one_line(str(call.result)) if call.result is not None else ""
        rows = call.result.get("items") if isinstance(call.result, dict) else None
        told = {
            "id": f"t{n}",
            "ms": round((time.perf_counter() - started) * 1000, 1),
            "rows": len(rows) if isinstance(rows, list) else int(call.error is None),
            "chars": len(str(call.result)) if call.result is not None else 0,
            "truncated": False,
            "preview": text[:PREVIEW],
            "error": call.error,
        }
        self.emit("tool.finished", told)
