"""Investigations of the service: those of a cycle at once, those that people ask for on a bounded queue."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from agent.checkpoints import open_checkpoints
from agent.evidence.record import Ledger
from agent.graph import Reasoner
from agent.investigator import Investigator, Surroundings
from agent.model.gateway import ModelGateway
from agent.model_desk import ModelDesk
from agent.reasoners.investigation import Investigation
from agent.runbooks import Runbook
from db.anomalies import AnomalyStore
from db.diagnoses import DiagnosisStore
from db.runs import RunStore
from domain.anomaly import Anomaly, severity_rank
from domain.diagnosis import SAME_START, Diagnosis, DiagnosisRequest, is_sure
from domain.errors import Overloaded
from domain.incident import Incident, lead_anomaly, start_of
from service.agent_loop import AgentLoop
from service.alerting import Alerting
from service.model_turns import ModelTurns
from service.models import check
from service.run_journal import DiagnosisDoor, RunJournal

log = structlog.get_logger()
MAX_WAITING = 200
# A cycle must not hang on an investigation; what takes longer goes on beside it.
IN_CYCLE_SECONDS = 30.0
# An open incident is looked at again, at first soon, then ever more rarely.
FIRST_PAUSE = timedelta(minutes=5)
SOON_LOOKS = 2
MAX_DIAGNOSES_PER_INCIDENT = 9
# How much longer a sure cause is left alone.
SURE_PAUSES = 6
CHECK_SECONDS = 70.0
MAX_METRICS = 100


@dataclass(frozen=True, slots=True)
class InvestigationParts:
    """What investigations are made of, joined by the composition root."""

    diagnoses: DiagnosisStore
    anomalies: AnomalyStore
    runs: RunStore
    alerting: Alerting
    gather: Callable[[DiagnosisRequest], Ledger]
    runbooks: Sequence[Runbook]
    reasoner: Reasoner
    checkpoints: Path | str
    clock: Callable[[], datetime]
    finished: Callable[[Diagnosis], None]
    per_cycle: int
    keep: Callable[[str, Investigation], None] = lambda _id, _investigation: None
    gateway: ModelGateway | None = None
    models: ModelDesk | None = None
    budget: Callable[[], float | None] = lambda: None


def needs_diagnosis(
    incident: Incident, anomalies: Sequence[Anomaly], known: Sequence[Diagnosis], now: datetime
) -> bool:
    """A first look at every incident; a further one where there is more to see, ever more rarely.

    There is more to see where other series joined, or where it goes on and no cause is sure yet. A sure cause
    is looked at more rarely still, for what it costs by now, and once more when it is over: the cost is final
    then.
    """
    if not known:
        return True
    last = known[-1]
    if incident.status == "resolved":
        over = incident.ended_at
        return over is not None and last.end_time < over and len(known) <= MAX_DIAGNOSES_PER_INCIDENT
    if len(known) >= MAX_DIAGNOSES_PER_INCIDENT:
        return False
    start, lead = start_of(anomalies), lead_anomaly(anomalies).id
    same = [one for one in known if abs(one.start_time - start) <= SAME_START]
    # What was said before something worse joined is no look at that.
    looks = min(len(same), max(1, sum(one.anomaly_id == lead for one in same)))
    grew = bool(set(affected_metrics(anomalies)) - set(last.affected_metrics))
    # While it unfolds, what no cause was found for and is more by now may show one in the very next cycle.
    if grew and not is_sure(last) and looks <= SOON_LOOKS:
        looks = 1
    # Cycles come a little late or early: half a pause of tolerance. Another start is another question.
    pause: timedelta = FIRST_PAUSE * (2 ** (looks - 1) - 0.5)
    return now - last.timestamp >= (pause if grew or not is_sure(last) else SURE_PAUSES * pause)


def request_for(incident: Incident, anomalies: Sequence[Anomaly], now: datetime) -> DiagnosisRequest:
    """What to investigate about an incident as it is now."""
    lead, start = lead_anomaly(anomalies), start_of(anomalies)
    return DiagnosisRequest(
        anomaly_id=lead.id,
        incident_id=incident.id,
        anomaly_type=lead.anomaly_type,
        start_time=start,
        end_time=max(incident.ended_at or now, start + timedelta(seconds=1)),
        affected_metrics=affected_metrics(anomalies),
    )


def affected_metrics(anomalies: Sequence[Anomaly]) -> tuple[str, ...]:
    """The series of an incident, those of its leading anomaly first, then by score."""
    lead = lead_anomaly(anomalies)
    ordered = sorted(anomalies, key=lambda one: (one is not lead, -one.score, one.key))
    return tuple(dict.fromkeys(name for one in ordered for name in one.affected_metrics))[:MAX_METRICS]


class Investigations:
    """Starts, resumes, cancels and drains investigations; callable from any thread."""

    def __init__(self, parts: InvestigationParts) -> None:
        self._parts = parts
        self._loop = AgentLoop()
        self._exit = AsyncExitStack()
        self._guard = threading.Lock()
        self._running: dict[str, Future[Diagnosis]] = {}
        self._investigator: Investigator | None = None
        self._models = ModelTurns(parts.gateway.settings if parts.gateway else None, parts.diagnoses)

    def start(self) -> None:
        """Open the checkpoints."""
        self._loop.start()
        self._investigator = self._loop.submit(self._open()).result(30)

    def resume(self) -> int:
        """Take up what an earlier process left unfinished; how many there are."""
        unfinished = self._parts.diagnoses.unfinished()
        for diagnosis in unfinished:
            self._submit(diagnosis.id, model=diagnosis.reasoner == "llm")
        return len(unfinished)

    def stop(self, timeout: float = 20.0) -> None:
        """Let running investigations end; what does not is resumed by the next start."""
        with self._guard:
            waiting = list(self._running.values())
        wait(waiting, timeout=timeout)
        self._loop.submit(self._exit.aclose()).result(5)
        self._loop.stop()

    def begin(self, request: DiagnosisRequest, idempotency_key: str | None, now: datetime) -> Diagnosis:
        """Queue an investigation, or return the equal one that is under way or just ended.

        Raises:
            Overloaded: too many are waiting.
        """
        with self._guard:
            if len(self._running) >= MAX_WAITING:
                raise Overloaded("too many investigations are waiting", retry_after=10)
        if request.reasoner is None and self._parts.models is not None:
            request = request.model_copy(update={"reasoner": "llm"})
        created = self._parts.diagnoses.create(request, idempotency_key, now=now)
        if created.created:
            self._submit(created.diagnosis.id, model=created.diagnosis.reasoner == "llm")
        return created.diagnosis

    @property
    def gateway(self) -> ModelGateway | None:
        """The door to the model, where one is configured."""
        return self._parts.gateway

    def check_model(self) -> str | None:
        """What the model answers now, None where none is configured; raises ReasonerError."""
        gateway = self._parts.gateway
        return None if gateway is None else self._loop.submit(check(gateway)).result(CHECK_SECONDS)

    def cancel(self, diagnosis_id: str) -> Diagnosis:
        """Stop a run and keep what it found."""
        return self._loop.submit(self._ready().cancel(diagnosis_id)).result(30)

    def of_cycle(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Investigate incidents that are new or grew, the worst first, and wait for the results."""
        wanted = [one for one in incidents if self._needs_diagnosis(one, now)]
        wanted.sort(key=lambda one: (-severity_rank(one.severity), one.started_at, one.id))
        begun: list[tuple[DiagnosisRequest, Future[Diagnosis]]] = []
        for incident in wanted[: self._parts.per_cycle]:
            request = self._request(incident, now)
            created = self._parts.diagnoses.create(request, now=now)
            if created.created:
                begun.append((request, self._submit(created.diagnosis.id)))
        # One that fails has stored why; one that takes longer goes on beside the cycle.
        wait([future for _, future in begun], timeout=IN_CYCLE_SECONDS)
        self._parts.alerting.worker.wake()
        if self._parts.models is not None:
            for request, future in begun:
                self._ask_model(request, future, now)

    def _ask_model(self, request: DiagnosisRequest, future: "Future[Diagnosis]", now: datetime) -> None:
        """Let a model look at what has its statistical diagnosis; nothing waits for it."""
        if not future.done() or future.cancelled() or future.exception() is not None:
            return
        known = future.result()
        if known.status != "done" or known.outcome == "no_fault":
            return
        alike = self._models.alike(known, now)
        if alike is not None:
            reason = f"nearly the same as {alike}, which a model has looked at; see there"
            self._parts.diagnoses.save(known.model_copy(update={"fallback_reason": reason}))
            return
        if self._models.full:
            log.warning("too many investigations wait for the model", diagnosis_id=known.id)
            return
        asked = request.model_copy(update={"reasoner": "llm"})
        created = self._parts.diagnoses.create(asked, now=now)
        if created.created:
            self._submit(created.diagnosis.id, model=True)

    def _needs_diagnosis(self, incident: Incident, now: datetime) -> bool:
        known = self._parts.diagnoses.of_incident(incident.id) if incident.diagnosis_id else ()
        # A model's look at the same facts is not a further look at the incident.
        known = [one for one in known if one.reasoner != "llm" and not one.prompt_versions]
        return needs_diagnosis(incident, self._members(incident), known, now)

    def _members(self, incident: Incident) -> list[Anomaly]:
        found = self._parts.anomalies.many(incident.anomaly_ids)
        return [found[one] for one in incident.anomaly_ids if one in found]

    def _request(self, incident: Incident, now: datetime) -> DiagnosisRequest:
        return request_for(incident, self._members(incident), now)

    def _submit(self, diagnosis_id: str, *, model: bool = False) -> "Future[Diagnosis]":
        run = self._ready().run(diagnosis_id)
        future = self._loop.submit(self._models.in_turn(run) if model else run)
        with self._guard:
            self._running[diagnosis_id] = future
        future.add_done_callback(lambda _: self._forget(diagnosis_id))
        return future

    def _forget(self, diagnosis_id: str) -> None:
        with self._guard:
            self._running.pop(diagnosis_id, None)

    def _ready(self) -> Investigator:
        assert self._investigator is not None, "start() comes first"
        return self._investigator

    async def _open(self) -> Investigator:
        parts = self._parts
        checkpointer = await self._exit.enter_async_context(open_checkpoints(parts.checkpoints))
        surroundings = Surroundings(
            diagnoses=DiagnosisDoor(parts.diagnoses, parts.alerting, parts.clock),
            runs=RunJournal(parts.runs, parts.clock, parts.budget),
            gather=parts.gather,
            runbooks=parts.runbooks,
            reasoner=parts.reasoner,
            clock=parts.clock,
            finished=parts.finished,
            models=parts.models,
            keep=parts.keep,
            asked=lambda diagnosis: parts.diagnoses.request(diagnosis.id),
        )
        return Investigator(surroundings, checkpointer)
