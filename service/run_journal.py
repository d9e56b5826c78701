"""Where investigations write: the events of their runs, and diagnoses with the alerts about them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.diagnoses import DiagnosisStore
from db.runs import RunStore
from domain.diagnosis import Diagnosis, supersedes
from service.alerting import Alerting


@dataclass(frozen=True, slots=True)
class RunJournal:
    """The event log of the runs of diagnoses: one open run per diagnosis, gone on with after a restart."""

    store: RunStore
    clock: Callable[[], datetime]
    budget: Callable[[], float | None] = lambda: None

    def append(self, run_id: str, event: str, data: Mapping[str, Any]) -> int:
        now = self.clock()
        known = self.store.of_subject(run_id)
        if event == "usage":
            data = {**data, "budget_left_usd": self.budget()}
        run = known[-1] if known else self.store.start("diagnosis", run_id, now)
        if event == "run.finished":
            self.store.finish(run.id, data["status"], now, (event, data))
            return 0
        return self.store.append(run.id, event, data, now)


@dataclass(frozen=True, slots=True)
class DiagnosisDoor:
    """Stores diagnoses, the alerts about them in the same transaction."""

    store: DiagnosisStore
    alerting: Alerting
    clock: Callable[[], datetime]

    def get(self, diagnosis_id: str) -> Diagnosis:
        return self.store.get(diagnosis_id)

    def save(self, diagnosis: Diagnosis) -> Diagnosis:
        now = self.clock()
        told = diagnosis.status == "done" and self._is_shown(diagnosis)
        return self.store.save(diagnosis, self.alerting.diagnosed(diagnosis, now) if told else (), now)

    def _is_shown(self, diagnosis: Diagnosis) -> bool:
        shown = self.store.shown(diagnosis.incident_id) if diagnosis.incident_id else None
        return shown is None or supersedes(diagnosis, shown)
