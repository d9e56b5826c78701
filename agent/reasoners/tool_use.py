"""Tools that a model asks for: called by us, within bounds, each answer a fact of the ledger."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.evidence.record import Ledger
from agent.model.gateway import Emit
from agent.model.outcomes import Reply
from agent.reasoners.answers import Analysis
from agent.reasoners.investigation import Investigation
from agent.reasoners.notes import Notes
from domain.errors import InvalidInput
from domain.evidence import Evidence

MAX_TOOL_ROUNDS = 2
MAX_TOOLS_PER_ROUND = 3


class ToolBox(Protocol):
    """Read-only tools over the case."""

    def call(self, name: str, arguments: str, ledger: Ledger) -> Evidence: ...


@dataclass
class Talk:
    """The state of one analysis."""

    investigation: Investigation
    notes: Notes
    rounds: int = 0
    brief: bool = False
    tools: bool = True
    errors: tuple[str, ...] = ()
    asked: frozenset[tuple[str, str]] = frozenset()


async def use_tools(talk: Talk, box: ToolBox, wanted: Sequence[tuple[str, str]], emit: Emit) -> None:
    """Call what is asked for; equal calls and rounds that bring nothing new end the tools."""
    errors: list[str] = []
    brought = 0
    for name, arguments in wanted[:MAX_TOOLS_PER_ROUND]:
        if (name, arguments) in talk.asked:
            errors.append(f"{name[:60]}: was asked already, its answer stands above")
            continue
        talk.asked |= {(name, arguments)}
        error = await _use(talk, box, (name, arguments), emit)
        if error is None:
            brought += 1
        else:
            errors.append(error)
    talk.rounds += 1
    talk.tools = bool(brought)
    talk.errors = tuple(errors)


async def _use(talk: Talk, box: ToolBox, wanted: tuple[str, str], emit: Emit) -> str | None:
    """Call one tool and add its fact to the ledger; what was wrong otherwise."""
    name, arguments = wanted
    number = len(talk.asked)
    started = time.perf_counter()
    shown = {"id": f"tool-{number}", "n": number, "name": name[:60], "args": arguments[:300]}
    await emit("tool.started", shown)
    ledger = talk.investigation.ledger
    error: str | None = None
    preview = ""
    try:
        fact = await asyncio.to_thread(box.call, name, arguments, ledger)
        grown = ledger.model_copy(update={"evidence": (*ledger.evidence, fact)})
        talk.investigation = talk.investigation.model_copy(update={"ledger": grown})
        preview = f"{fact.id}: {fact.statement}"
    except InvalidInput as refused:
        error = str(refused)[:200]
    ended: Mapping[str, Any] = {
        "id": f"tool-{number}",
        "ms": round((time.perf_counter() - started) * 1000, 1),
        "rows": int(not error),
        "chars": len(preview),
        "truncated": len(preview) > 300,
        "preview": preview[:300],
        "error": error,
    }
    await emit("tool.finished", ended)
    return error


def tools_wanted(reply: Reply, found: Analysis | None) -> list[tuple[str, str]]:
    """Names with their arguments as JSON text, by tool calls or inside the answer."""
    if reply.tools:
        return [(one.name, one.arguments) for one in reply.tools]
    return [(one.tool, json.dumps(one.arguments, sort_keys=True)) for one in found.need] if found else []
