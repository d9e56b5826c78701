"""Runs investigations: from a queued diagnosis to a stored one, through crashes and cancellation."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, Protocol, TypeVar

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.evidence.record import Ledger
from agent.graph import Graph, Reasoner, State, Tools, build_graph, from_text
from agent.model_desk import ModelReasoning
from agent.reasoners.investigation import Investigation
from agent.reasoners.notes import Notes
from agent.reasoners.statistical import to_diagnosis
from domain.diagnosis import STEP_NAMES, Diagnosis, DiagnosisRequest
from domain.errors import AnalystError
from prompts.runbook import Runbook

log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")
ENDED = frozenset({"done", "failed", "cancelled"})


class DiagnosisLog(Protocol):
    """Where diagnoses are kept."""

    def get(self, diagnosis_id: str) -> Diagnosis: ...

    def save(self, diagnosis: Diagnosis) -> Diagnosis: ...


class RunLog(Protocol):
    """Where the events of a run are kept, so that live and replay are one."""

    def append(self, run_id: str, event: str, data: Mapping[str, Any]) -> int: ...


def request_of(diagnosis: Diagnosis) -> DiagnosisRequest:
    """The request behind a diagnosis as far as it tells: all but the type of the anomaly."""
    return DiagnosisRequest(
        anomaly_id=diagnosis.anomaly_id,
        incident_id=diagnosis.incident_id,
        start_time=diagnosis.start_time,
        end_time=diagnosis.end_time,
        affected_metrics=diagnosis.affected_metrics,
        reasoner=diagnosis.reasoner,
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the investigator needs of the world, joined by the composition root."""

    diagnoses: DiagnosisLog
    runs: RunLog
    gather: Callable[[DiagnosisRequest], Ledger]
    runbooks: Sequence[Runbook]
    reasoner: Reasoner
    clock: Callable[[], datetime]
    finished: Callable[[Diagnosis], None]
    models: ModelReasoning | None = None
    keep: Callable[[str, Investigation], None] = lambda _id, _investigation: None
    asked: Callable[[Diagnosis], DiagnosisRequest] = request_of


class Investigator:
    """Runs one investigation at a time per diagnosis id; different ones run side by side."""

    def __init__(self, surroundings: Surroundings, checkpointer: BaseCheckpointSaver[Any] | None) -> None:
        self._around = surroundings
        self._checkpointer = checkpointer
        self._graph: Graph = build_graph(checkpointer)
        self._tasks: dict[str, asyncio.Task[Diagnosis]] = {}
        self._cancelled: set[str] = set()
        # What is stored as ended is past stopping: its events and its listeners still have to hear of it.
        self._ending: set[str] = set()

    async def run(self, diagnosis_id: str) -> Diagnosis:
        """Run, resume or join the investigation of a stored diagnosis, and return what was stored."""
        task = self._tasks.get(diagnosis_id)
        if task is None:
            task = asyncio.create_task(self._run(diagnosis_id), name=f"investigate {diagnosis_id}")
            self._tasks[diagnosis_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(diagnosis_id, None))
        return await asyncio.shield(task)

    async def cancel(self, diagnosis_id: str) -> Diagnosis:
        """Stop a run; what was found is kept. One that has ended is returned as it is."""
        task = self._tasks.get(diagnosis_id)
        if task is not None:
            await self._stop(diagnosis_id, task)
            if not task.cancelled():
                return task.result()
        # It waits for its turn, or was stopped before there was anything to keep.
        diagnosis = await asyncio.to_thread(self._around.diagnoses.get, diagnosis_id)
        if diagnosis.status in ENDED:
            return diagnosis
        return await self._end(diagnosis.model_copy(update={"status": "cancelled"}), "cancelled", None)

    async def _stop(self, diagnosis_id: str, task: asyncio.Task[Diagnosis]) -> None:
        if diagnosis_id not in self._cancelled and diagnosis_id not in self._ending:
            self._cancelled.add(diagnosis_id)
            task.cancel()
        try:
            await asyncio.wait({task})
        finally:
            self._cancelled.discard(diagnosis_id)

    async def _run(self, diagnosis_id: str) -> Diagnosis:
        diagnosis = await asyncio.to_thread(self._around.diagnoses.get, diagnosis_id)
        if diagnosis.status in ENDED:
            return diagnosis
        started = time.perf_counter()
        running = diagnosis.model_copy(update={"status": "running"})
        await _in_full(self._around.diagnoses.save, running)
        await self._emit(diagnosis_id, "run.started", self._introduction(running))
        try:
            investigation = await self._investigate(running)
        except asyncio.CancelledError:
            if diagnosis_id not in self._cancelled:
                raise  # The process is leaving: the row stays `running` and the next start resumes it.
            return await self._keep_partial(running, started)
        except AnalystError as error:
            return await self._fail(running, str(error))
        except Exception as error:
            log.exception("investigation failed", diagnosis_id=diagnosis_id)
            return await self._fail(running, f"internal error: {type(error).__name__}")
        finished = await self._conclude(running, investigation, started)
        await asyncio.to_thread(self._around.keep, diagnosis_id, investigation)
        return await self._end(finished, "done", finished.fallback_reason)

    async def _investigate(self, diagnosis: Diagnosis) -> Investigation:
        around = self._around
        request = await asyncio.to_thread(around.asked, diagnosis)

        async def gather(asked: DiagnosisRequest) -> Ledger:
            return await asyncio.to_thread(around.gather, asked)

        async def emit(event: str, data: Mapping[str, Any]) -> None:
            await self._emit(diagnosis.id, event, data)

        reasoner: Reasoner = around.reasoner
        if diagnosis.reasoner == "llm" and around.models is not None:
            reasoner = await around.models.reasoner(diagnosis, request, emit)
        tools = Tools(gather=gather, runbooks=around.runbooks, reasoner=reasoner, emit=emit)
        config = _config(diagnosis.id)
        kept = await self._kept(diagnosis.id)
        if kept is not None and len(kept.steps) == len(STEP_NAMES):
            return kept
        fresh = State(request=request.model_dump_json(), investigation="")
        start = fresh if kept is None else None
        state = await self._graph.ainvoke(
            start, config, context=tools, durability="sync" if self._checkpointer else None
        )
        return from_text(state["investigation"], around.runbooks)

    async def _kept(self, diagnosis_id: str) -> Investigation | None:
        """What the checkpoint of an earlier process holds, if a step was finished there."""
        if self._checkpointer is None:
            return None
        state = await self._graph.aget_state(_config(diagnosis_id))
        text = state.values.get("investigation") if state.values else None
        return from_text(text, self._around.runbooks) if text else None

    async def _keep_partial(self, diagnosis: Diagnosis, started: float) -> Diagnosis:
        kept = await self._kept(diagnosis.id)
        if kept is not None:
            diagnosis = diagnosis.model_copy(update={"steps": kept.steps, "evidence": kept.ledger.evidence})
        cancelled = diagnosis.model_copy(
            update={"status": "cancelled", "analysis_duration": round(time.perf_counter() - started, 3)}
        )
        return await self._end(cancelled, "cancelled", None)

    async def _fail(self, diagnosis: Diagnosis, reason: str) -> Diagnosis:
        await self._emit(diagnosis.id, "error", {"code": "failed", "message": reason, "retryable": True})
        failed = diagnosis.model_copy(update={"status": "failed", "fallback_reason": reason})
        return await self._end(failed, "failed", reason)

    async def _end(self, diagnosis: Diagnosis, status: str, reason: str | None) -> Diagnosis:
        self._ending.add(diagnosis.id)
        try:
            return await self._told(diagnosis, status, reason)
        finally:
            self._ending.discard(diagnosis.id)

    async def _told(self, diagnosis: Diagnosis, status: str, reason: str | None) -> Diagnosis:
        stored = await _in_full(self._around.diagnoses.save, diagnosis)
        outcome = {
            "status": status,
            "outcome": stored.outcome,
            "fallback_reason": reason,
            "diagnosis_id": stored.id,
        }
        await self._emit(stored.id, "usage", {**stored.usage.model_dump(), "budget_left_usd": None})
        await self._emit(stored.id, "run.finished", outcome)
        if self._checkpointer is not None:
            await self._checkpointer.adelete_thread(stored.id)
        await asyncio.to_thread(self._around.finished, stored)
        return stored

    async def _emit(self, run_id: str, event: str, data: Mapping[str, Any]) -> None:
        await _in_full(self._around.runs.append, run_id, event, data)

    def _introduction(self, diagnosis: Diagnosis) -> dict[str, Any]:
        return {
            "kind": "diagnosis",
            "anomaly_id": diagnosis.anomaly_id,
            "model": diagnosis.llm_model_used,
            "reasoner": diagnosis.reasoner,
        }

    async def _conclude(
        self, diagnosis: Diagnosis, investigation: Investigation, started: float
    ) -> Diagnosis:
        concluded = to_diagnosis(
            investigation,
            timestamp=diagnosis.timestamp,
            analysis_duration=round(time.perf_counter() - started, 3),
        )
        concluded = concluded.model_copy(update={"id": diagnosis.id})
        if diagnosis.reasoner != "llm":
            return concluded
        if self._around.models is None:
            return concluded.model_copy(update={"fallback_reason": "no model is configured"})
        usage = await self._around.models.usage(diagnosis.id)
        return Notes.of(investigation).finish(concluded).model_copy(update={"usage": usage})


async def _in_full(write: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Write in a thread, and wait for it though we are cancelled: nothing may be written behind an end."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, *arguments, **named))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.gather(writing, return_exceptions=True)
        raise


def _config(diagnosis_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": diagnosis_id}}
