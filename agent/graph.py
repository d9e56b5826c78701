"""The investigation as a LangGraph: six steps, checkpointed after each, thin over plain functions."""

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

# Must be set before langgraph is imported: checkpoints may hold plain data only.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

import langsmith
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.evidence.record import Ledger
from agent.reasoners.investigation import Investigation
from domain.diagnosis import STEP_NAMES, DiagnosisRequest, ReasonerName, StepName
from prompts.runbook import Runbook

# A stray variable of a shell, such as LANGSMITH_TRACING, must not upload what is investigated.
langsmith.configure(enabled=False)

Emit = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Reasoner(Protocol):
    """Takes one step of an investigation; the statistical one and a model's are interchangeable."""

    @property
    def name(self) -> ReasonerName: ...

    async def take_step(self, step: StepName, investigation: Investigation) -> Investigation: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What an investigation works with; passed again on resume, never checkpointed."""

    gather: Callable[[DiagnosisRequest], Awaitable[Ledger]]
    runbooks: Sequence[Runbook]
    reasoner: Reasoner
    emit: Emit


class State(TypedDict):
    """JSON text, so that a checkpoint holds no type of ours and can be read by any version."""

    request: str
    investigation: str


Graph = CompiledStateGraph[State, Tools, State, State]


def build_graph(checkpointer: BaseCheckpointSaver[Any] | None) -> Graph:
    """Compile the six steps in a row."""
    graph = StateGraph(State, context_schema=Tools)
    for name in STEP_NAMES:
        graph.add_node(name, _node(name))
    for before, after in zip((START, *STEP_NAMES), (*STEP_NAMES, END), strict=True):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=checkpointer)


class Node(Protocol):
    """A step as LangGraph calls it."""

    def __call__(self, state: State, *, runtime: Runtime[Tools]) -> Awaitable[dict[str, str]]: ...


def _node(name: StepName) -> Node:
    async def take(state: State, *, runtime: Runtime[Tools]) -> dict[str, str]:
        tools = runtime.context
        started = time.perf_counter()
        number = STEP_NAMES.index(name) + 1
        await tools.emit("step.started", {"id": number, "stage": name, "title": name.replace("_", " ")})
        investigation = await _investigation(state, tools)
        investigation = await tools.reasoner.take_step(name, investigation)
        elapsed = (time.perf_counter() - started) * 1000
        investigation = _timed(investigation, name, elapsed)
        if name == "evidence_evaluation":
            await _emit_hypotheses(investigation, tools.emit)
        step = investigation.steps[-1]
        await tools.emit(
            "step.finished",
            {
                "id": number,
                "stage": name,
                "ms": round(elapsed, 1),
                "summary": step.text,
                "evidence": step.evidence_ids,
            },
        )
        return {"investigation": to_text(investigation)}

    return take


def to_text(investigation: Investigation) -> str:
    """What a checkpoint keeps: everything but the catalogue of causes, which every process has."""
    return investigation.model_dump_json(exclude={"runbooks"})


def from_text(text: str, runbooks: Sequence[Runbook]) -> Investigation:
    """An investigation from a checkpoint."""
    return Investigation.model_validate({**json.loads(text), "runbooks": tuple(runbooks)})


async def _investigation(state: State, tools: Tools) -> Investigation:
    if state.get("investigation"):
        return from_text(state["investigation"], tools.runbooks)
    request = DiagnosisRequest.model_validate_json(state["request"])
    return Investigation.begin(request, await tools.gather(request), tools.runbooks)


def _timed(investigation: Investigation, name: StepName, elapsed_ms: float) -> Investigation:
    steps = tuple(
        step.model_copy(update={"duration_ms": round(elapsed_ms, 1)}) if step.name == name else step
        for step in investigation.steps
    )
    return investigation.model_copy(update={"steps": steps})


async def _emit_hypotheses(investigation: Investigation, emit: Emit) -> None:
    for hypothesis in investigation.hypotheses:
        await emit(
            "hypothesis.scored",
            {
                "id": hypothesis.id,
                "name": hypothesis.title,
                "posterior": hypothesis.confidence,
                "for": hypothesis.supporting,
                "against": hypothesis.contradicting,
            },
        )
