"""Replays over the service's own database."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.reasoners.llm import LlmReasoner
from agent.reasoners.notes import Notes
from agent.reasoners.questions import Asking
from agent.reasoners.statistical import to_diagnosis
from agent.replay import Record, differences, replay, steps_of, unpacked
from agent.runbooks import load_runbooks
from agent.tools import StoredTools
from api.stores import Stores
from db.database import Database
from db.ledgers import LedgerStore
from domain.diagnosis import Diagnosis
from domain.errors import ConfigurationError, NotFound
from service.clock import system_clock
from service.model_calls import StoredCalls
from service.models import build_gateway
from service.settings import Settings, load_settings

PAGE = 200


@dataclass(frozen=True, slots=True)
class Result:
    """What differs, and what has changed since in what the diagnosis was made with."""

    differences: list[str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replays:
    """Repeats stored diagnoses."""

    settings: Settings
    stores: Stores
    ledgers: LedgerStore

    def ids(self) -> Iterator[str]:
        """All diagnoses, newest first."""
        cursor = None
        while True:
            page = self.stores.diagnoses.list(limit=PAGE, cursor=cursor)
            yield from (one.id for one in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def again(self, diagnosis_id: str, model: str | None) -> Result | None:
        """Repeat one; None where it never ended. Raises NotFound."""
        stored = self.stores.diagnoses.get(diagnosis_id)
        if stored.status != "done":
            return None
        try:
            record = unpacked(self.ledgers.get(diagnosis_id))
        except NotFound:
            return Result(["nothing was kept to repeat it from"])
        runbooks = load_runbooks(self.settings.runbooks)
        if model is not None:
            return Result(differences(stored, asyncio.run(self._with_model(stored, record, model))))
        calls = StoredCalls(self.stores.usage).of(diagnosis_id)
        found = asyncio.run(replay(stored, record, runbooks, calls))
        return Result(differences(stored, found.diagnosis), found.notes)

    async def _with_model(self, stored: Diagnosis, record: Record, model: str) -> Diagnosis:
        """The diagnosis as another model tells it; nothing but its calls is stored."""
        llm = self.settings.llm.model_copy(update={"model": model})
        gateway = build_gateway(llm, self.stores, system_clock)
        if gateway is None:
            raise ConfigurationError("llm.model", "no model can be asked")
        subject = f"{stored.id}-{model}-{system_clock():%Y%m%dT%H%M%S%f}"
        run = await gateway.begin(subject)
        tools = StoredTools(record.ledger.evidence)
        reasoner = LlmReasoner(gateway, run, tools, Asking("data", max_tokens=llm.max_tokens))
        done = await steps_of(reasoner, record, load_runbooks(self.settings.runbooks))
        again = to_diagnosis(done, timestamp=stored.timestamp, analysis_duration=stored.analysis_duration)
        usage = await gateway.usage_of(subject)
        return Notes.of(done).finish(again).model_copy(update={"id": stored.id, "usage": usage})


@contextmanager
def open_replays(config: Path | None) -> Iterator[Replays]:
    """Open the database of the configuration; raises ConfigurationError."""
    settings = load_settings(config)
    database = Database(settings.database.url, settings.database)
    database.check()
    try:
        yield Replays(settings, Stores.of(database), LedgerStore(database))
    finally:
        database.close()
