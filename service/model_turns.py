"""Whose turn it is with the model: a bounded number at once, a bounded queue, and no near-identical twice."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

from agent.model.settings import LlmSettings
from domain.diagnosis import Diagnosis

MAX_WAITING = 50
Likeness = tuple[str, str | None, frozenset[str]]


class ModelTurns:
    """Counts and orders the investigations that use the model; callable from any thread."""

    def __init__(self, settings: LlmSettings | None) -> None:
        self._settings = settings or LlmSettings()
        self._guard = threading.Lock()
        self._turn = asyncio.Semaphore(self._settings.concurrency)
        self._waiting = 0
        self._recent: dict[Likeness, tuple[str, datetime]] = {}

    @property
    def full(self) -> bool:
        """Whether no more may wait."""
        return self._waiting >= MAX_WAITING

    async def in_turn(self, run: Coroutine[Any, Any, Diagnosis]) -> Diagnosis:
        """Run when it is its turn."""
        with self._guard:
            self._waiting += 1
        try:
            async with self._turn:
                return await run
        finally:
            run.close()
            with self._guard:
                self._waiting -= 1

    def began(self, diagnosis: Diagnosis, identifier: str, now: datetime) -> None:
        """Note that a model looks at something like this diagnosis, under an id."""
        with self._guard:
            self._recent[_likeness(diagnosis)] = (identifier, now)

    def ended(self, diagnosis: Diagnosis, done: "Future[Diagnosis]") -> None:
        """Forget one that brought no model's diagnosis, so that the next of its kind gets its chance."""
        failed = done.cancelled() or done.exception() is not None or done.result().reasoner != "llm"
        if failed:
            with self._guard:
                self._recent.pop(_likeness(diagnosis), None)

    def alike(self, diagnosis: Diagnosis, now: datetime) -> str | None:
        """The id of a recent investigation of nearly the same: equal cause, place and metrics."""
        longest = timedelta(minutes=self._settings.reuse_minutes)
        with self._guard:
            self._recent = {key: one for key, one in self._recent.items() if now - one[1] < longest}
            found = self._recent.get(_likeness(diagnosis))
        return found[0] if found else None


def _likeness(diagnosis: Diagnosis) -> Likeness:
    primary = diagnosis.primary_hypothesis
    cause, component = (primary.cause, primary.component) if primary else ("unknown", None)
    return cause, component, frozenset(diagnosis.affected_metrics[:1])
