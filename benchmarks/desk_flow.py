"""The service's flow in one process: window, detection, grouping, storage, evidence, diagnosis."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from desk_world import STEP, World

from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose, to_diagnosis
from collectors.simulator.sources import edges, strategies
from db.database import Database
from db.detections import CycleWriter
from db.records import AlertIntent
from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis, DiagnosisRequest, supersedes
from domain.incident import Incident
from domain.series import Window
from domain.topology import Edge, Strategy
from prompts.runbook import Runbook, load_runbooks
from service.cases import CaseBuilder, judged
from service.grouping import Grouping
from service.investigations import needs_diagnosis, request_for

GAP = timedelta(minutes=30)
HALF_WINDOW = timedelta(hours=12)
REFERENCE = timedelta(days=2)


@dataclass
class Seen:
    """What a run saw of one incident.

    Args:
        opened: cycle that opened it.
        incident: its last state.
        anomalies: all its anomalies.
        diagnoses: with the cycle of each.
    """

    opened: int
    incident: Incident
    anomalies: dict[str, Anomaly] = field(default_factory=dict)
    diagnoses: list[tuple[int, Diagnosis]] = field(default_factory=list)


class Flow:
    """One service before one world."""

    def __init__(self, world: World, engine: DetectionEngine, database: Path, seen: dict[str, Seen]) -> None:
        self.world = world
        self.engine = engine
        self.seen = seen
        self.cycles = 0
        self.anomalies: dict[str, Anomaly] = {}
        self._database = Database(f"sqlite:///{database}")
        self._database.upgrade()
        self._writer = CycleWriter(self._database)
        self._runbooks: Sequence[Runbook] = load_runbooks()
        self._cases = CaseBuilder(
            window_for=self._window_for,
            events=world,
            past=tuple,
            strategies=[Strategy(**one) for one in strategies()],
            edges=[Edge(**one) for one in edges()],
            settings=EvidenceSettings(),
            clock=lambda: world.now,
        )

    @classmethod
    def cold(cls, world: World, folder: Path) -> "Flow":
        """A service that starts with nothing but the world's history."""
        engine = DetectionEngine(default_rules(), DetectionSettings())
        engine.learn(judged(world.history))
        (folder / "analyst.db").unlink(missing_ok=True)
        return cls(world, engine, folder / "analyst.db", {})

    def close(self) -> None:
        self._database.close()

    def copied_database(self, target: Path) -> Path:
        """Close, and copy what was stored."""
        assert self._database.path is not None
        self.close()
        target.unlink(missing_ok=True)
        for old in target.parent.glob(f"{target.name}-*"):
            old.unlink()
        shutil.copy(self._database.path, target)
        return target

    def cycle(self, first_new: int | None = None) -> list[Anomaly]:
        """Run one cycle on the world as it is now; what is new or changed."""
        now = self.world.now
        view = judged(self.world.window.view())
        found = self.engine.detect(view, view.n_steps - 3 if first_new is None else first_new, now)
        self.anomalies |= {one.key: one for one in found.anomalies}
        grouping = Grouping(self._cases.topology(view.series), GAP, STEP, self._causes())
        saved = self._writer.save_detections(found.anomalies, now, grouping, _no_alerts, reopen_within=GAP)
        by_incident: dict[str, list[Anomaly]] = {}
        for one in saved.anomalies:
            by_incident.setdefault(one.incident_id or "", []).append(one)
        for incident in saved.incidents:
            self._note(incident, by_incident.get(incident.id, ()), now)
        self.cycles += 1
        return list(found.anomalies)

    def _causes(self) -> dict[str, str]:
        found = {}
        for name, seen in self.seen.items():
            last = seen.diagnoses[-1][1] if seen.diagnoses else None
            primary = last.primary_hypothesis if last is not None else None
            if last is not None and last.outcome == "cause_found" and primary and primary.component:
                found[name] = primary.component
        return found

    def _note(self, incident: Incident, changed: Sequence[Anomaly], now: datetime) -> None:
        seen = self.seen.setdefault(incident.id, Seen(self.cycles, incident))
        seen.incident = incident
        seen.anomalies |= {one.id: one for one in changed}
        members = [seen.anomalies[one] for one in incident.anomaly_ids]
        if needs_diagnosis(incident, members, [one for _, one in seen.diagnoses], now):
            found = self.diagnosed(request_for(incident, members, now))
            if not seen.diagnoses or supersedes(found, seen.diagnoses[-1][1]):
                seen.diagnoses.append((self.cycles, found))

    def diagnosed(self, request: DiagnosisRequest) -> Diagnosis:
        """The statistical diagnosis of a request."""
        ledger = self._cases.gather(request)
        done = diagnose(Investigation.begin(request, ledger, self._runbooks))
        return to_diagnosis(done, timestamp=self.world.now)

    def _window_for(self, request: DiagnosisRequest) -> Window:
        live = self.world.window.view()
        if live.start <= request.start_time - HALF_WINDOW:
            return live.between(live.start, max(request.end_time, live.start))
        return self.world.held(request.start_time - REFERENCE, request.end_time + STEP)


def _no_alerts(
    incident: Incident,  # noqa: ARG001 -- the shape of the writer's question
    anomalies: Sequence[Anomaly],  # noqa: ARG001
    before: Incident | None,  # noqa: ARG001
) -> Sequence[AlertIntent]:
    return ()
