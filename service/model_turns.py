"""Whose turn it is with the model: a bounded number at once, a bounded queue, and no near-identical twice."""

import asyncio
import threading
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from agent.model.settings import LlmSettings
from db.diagnoses import DiagnosisStore
from domain.diagnosis import Diagnosis, DiagnosisStatus

MAX_WAITING = 50
MAX_RECENT = 500
Likeness = tuple[str, str | None, frozenset[str]]
_UNDER_WAY: frozenset[DiagnosisStatus] = frozenset({"queued", "running"})


class ModelTurns:
    """Counts and orders the investigations that use the model; callable from any thread."""

    def __init__(self, settings: LlmSettings | None, known: DiagnosisStore) -> None:
        self._settings = settings or LlmSettings()
        self._known = known
        self._guard = threading.Lock()
        self._turn = asyncio.Semaphore(self._settings.concurrency)
        self._waiting = 0

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

    def alike(self, diagnosis: Diagnosis, now: datetime) -> str | None:
        """The id of a recent look of a model at nearly the same: equal cause, place and first metric.

        It is looked up in what is stored, so that a restart or another replica pays for nothing twice. One
        whose model failed does not count: the next of its kind gets its chance.
        """
        since = now - timedelta(minutes=self._settings.reuse_minutes)
        wanted = _likeness(diagnosis)
        for one in self._known.list(start=since, limit=MAX_RECENT).items:
            if one.reasoner == "llm" and one.id != diagnosis.id and self._likeness_of(one) == wanted:
                return one.id
        return None

    def _likeness_of(self, one: Diagnosis) -> Likeness | None:
        """What a model looked at; while it looks, what the statistics had found for its incident."""
        if one.status == "done":
            return _likeness(one)
        if one.status not in _UNDER_WAY or one.incident_id is None:
            return None
        before = [known for known in self._known.of_incident(one.incident_id) if known.status == "done"]
        return _likeness(before[-1]) if before else None


def _likeness(diagnosis: Diagnosis) -> Likeness:
    primary = diagnosis.primary_hypothesis
    cause, component = (primary.cause, primary.component) if primary else ("unknown", None)
    return cause, component, frozenset(diagnosis.affected_metrics[:1])
