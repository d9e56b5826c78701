"""The composition root: the only place where rooms meet."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from fastapi import FastAPI

from agent.reasoners.offline import StatisticalReasoner
from agent.replay import packed
from agent.runbooks import load_runbooks
from api.app import create_app
from api.live import LiveFeed
from api.stores import Stores
from collectors.build import build_runner
from collectors.runner import SourceRunner
from db.database import Database
from db.detections import CycleWriter
from db.leader import LeaderLock
from db.ledgers import LedgerStore
from db.sources import SourceStateStore
from domain.diagnosis import Diagnosis
from service.alerting import Alerting, Storyteller
from service.analyst import Analyst, Parts, Rules
from service.cases import CaseBuilder
from service.casework import build_cases
from service.clock import Clock, system_clock
from service.demo_desk import DemoDesk
from service.deriving import Deriving
from service.desk_tools import toolbox
from service.ingesting import Ingest, SourceStates
from service.investigations import InvestigationParts, Investigations
from service.model_calls import DayBudget
from service.models import build_desk, build_gateway
from service.pipeline import Pipeline, Stages
from service.saving import Saver
from service.scheduler import Scheduler
from service.settings import Settings
from service.slack import SlackRoads, attach_slack
from service.streaming import PushPasses
from service.transitions import finished, take_over
from service.upkeep import Upkeep
from service.windows import Windows

log = structlog.get_logger()
__all__ = ["DemoDesk", "Service", "build_service"]
DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Service:
    """A built service: start it, serve its app, stop it."""

    app: FastAPI
    live: LiveFeed
    analyst: Analyst
    parts: Parts
    leader: LeaderLock
    passes: PushPasses
    slack: SlackRoads

    def start(self) -> None:
        """Load the windows, then let the clock run."""
        parts = self.parts
        parts.windows.load(parts.clock())
        parts.investigations.start()
        parts.alerting.worker.start()
        self.analyst.start_chat()
        parts.scheduler.start()
        self.passes.start()
        self.slack.start()

    def stop(self) -> bool:
        """Leave in order: no new cycle, running work ends or stays resumable, then the lock goes."""
        parts = self.parts
        parts.live.close()
        self.passes.stop()
        self.slack.stop()
        drained = parts.scheduler.stop() and parts.pipeline.wait_idle(DRAIN_SECONDS)
        parts.sources.close()
        self.analyst.stop_chat()
        parts.investigations.stop()
        parts.alerting.worker.stop(10.0)
        self.leader.release()
        parts.database.close()
        log.info("stopped", drained=drained)
        return drained


def open_database(settings: Settings) -> Database:
    """The database, brought to the newest schema; raises ConfigurationError in one line."""
    database = Database(settings.database.url, settings.database)
    database.upgrade()
    return database


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every part stands on."""

    settings: Settings
    database: Database
    stores: Stores
    windows: Windows
    live: LiveFeed
    clock: Clock
    speed: float
    owner: str


def build_service(
    settings: Settings, *, clock: Clock = system_clock, speed: float = 1.0, desk: DemoDesk | None = None
) -> Service:
    """Join all rooms; nothing runs before `Service.start`.

    Raises:
        ConfigurationError: something of the configuration cannot work, in one line.
    """
    ground = _ground(settings, clock, speed)
    stores = ground.stores
    rules = Rules(stores, settings, ground.windows)
    rules.seed()
    alerting = _alerting(ground)
    cases = build_cases(settings, stores, ground.windows, clock)
    investigations = _investigations(ground, alerting, cases)
    sources = _sources(ground)
    pipeline = _pipeline(ground, sources, rules, investigations, _saver(ground, alerting, cases))
    leader = LeaderLock(ground.database)
    parts = Parts(
        settings=settings,
        database=ground.database,
        stores=stores,
        sources=sources,
        windows=ground.windows,
        rules=rules,
        pipeline=pipeline,
        scheduler=_scheduler(ground, leader, pipeline, rules, investigations),
        investigations=investigations,
        alerting=alerting,
        live=ground.live,
        clock=clock,
        claim=lambda now: stores.cycles.claim_slot(now, ground.owner, now),
        desk=desk,
    )
    analyst = Analyst(parts)
    app = create_app(
        analyst,
        stores,
        settings.server,
        settings.tokens,
        hooks=settings.hooks,
        tools=toolbox(analyst, parts),
    )
    slack = attach_slack(app, settings, alerting)
    return Service(app, ground.live, analyst, parts, leader, _passes(ground, parts), slack)


def _ground(settings: Settings, clock: Clock, speed: float) -> _Ground:
    database = open_database(settings)
    stores = Stores.of(database)
    lookback = timedelta(hours=settings.scheduler.lookback_hours)
    windows = Windows(
        stores.samples, stores.series, lookback, timedelta(days=settings.detection.history_days)
    )
    owner = f"{socket.gethostname()}:{os.getpid()}"
    return _Ground(settings, database, stores, windows, LiveFeed(), clock, speed, owner)


def _alerting(ground: _Ground) -> Alerting:
    stores = ground.stores
    stories = Storyteller(
        stores.incidents, stores.anomalies, stores.diagnoses, stores.feedback, ground.windows
    )
    alerting = Alerting(ground.settings.alerts, stores.outbox, stories, ground.clock)
    alerting.escalated = lambda incident_id: ground.live.publish("incident.updated", {"id": incident_id})
    return alerting


def _investigations(ground: _Ground, alerting: Alerting, cases: CaseBuilder) -> Investigations:
    llm = ground.settings.llm
    gateway = build_gateway(llm, ground.stores, ground.clock)
    ledgers = LedgerStore(ground.database)
    return Investigations(
        InvestigationParts(
            diagnoses=ground.stores.diagnoses,
            anomalies=ground.stores.anomalies,
            runs=ground.stores.runs,
            alerting=alerting,
            gather=cases.gather,
            runbooks=load_runbooks(ground.settings.runbooks),
            reasoner=StatisticalReasoner(),
            checkpoints=_checkpoints(ground.database),
            clock=ground.clock,
            finished=lambda diagnosis: _tell_diagnosis(ground.live, diagnosis),
            per_cycle=ground.settings.scheduler.diagnoses_per_cycle,
            keep=lambda diagnosis_id, found: ledgers.put(diagnosis_id, packed(found)),
            gateway=gateway,
            models=build_desk(gateway, ground.stores, cases, ground.clock),
            budget=DayBudget(llm, ground.stores.usage, ground.clock).left,
        )
    )


def _sources(ground: _Ground) -> SourceRunner:
    states = SourceStates(SourceStateStore(ground.database), ground.clock)
    step_s = ground.settings.scheduler.interval_seconds
    return build_runner(ground.settings.sources, os.environ, states, default_step_s=step_s)


def _saver(ground: _Ground, alerting: Alerting, cases: CaseBuilder) -> Saver:
    return Saver(
        CycleWriter(ground.database),
        ground.settings,
        alerting,
        cases,
        ground.windows,
        ground.live,
        ground.stores.anomalies,
        ground.stores.cycles,
        ground.stores.incidents,
        ground.stores.diagnoses,
    )


def _pipeline(
    ground: _Ground, sources: SourceRunner, rules: Rules, investigations: Investigations, saver: Saver
) -> Pipeline:
    upkeep = Upkeep(ground.database, ground.stores, ground.settings.retention)
    return Pipeline(
        Stages(
            sources=sources,
            ingest=Ingest(ground.stores.samples, ground.stores.events),
            windows=ground.windows,
            engine=rules.engine,
            learn_anew=rules.changed,
            save=saver,
            diagnose=investigations.of_cycle,
            finish=lambda cycle: finished(ground.stores, ground.live, upkeep, cycle),
            clock=ground.clock,
            step_s=ground.settings.scheduler.interval_seconds,
            derive=Deriving(ground.windows, ground.stores.samples, ground.settings.derived),
            last_cycle=lambda: _last_collected(ground.stores),
        )
    )


def _last_collected(stores: Stores) -> datetime | None:
    done = stores.cycles.last("done")
    return None if done is None else done.started_at


def _passes(ground: _Ground, parts: Parts) -> PushPasses:
    return PushPasses(
        ground.settings.scheduler.push_seconds,
        ground.windows.unread,
        lambda: parts.scheduler.leading,
        lambda: parts.pipeline.judge_pushed(ground.clock()),
        lambda incidents: parts.pipeline.diagnose(incidents, ground.clock()),
    )


def _scheduler(
    ground: _Ground, leader: LeaderLock, pipeline: Pipeline, rules: Rules, investigations: Investigations
) -> Scheduler:
    return Scheduler(
        interval_s=ground.settings.scheduler.interval_seconds,
        settle_s=ground.settings.scheduler.settle_seconds,
        speed=ground.speed,
        clock=ground.clock,
        slots=ground.stores.cycles,
        leader=leader,
        owner=ground.owner,
        run=pipeline.run_cycle,
        led=lambda: take_over(ground.stores, ground.windows, rules, investigations, ground.clock),
    )


def _checkpoints(database: Database) -> Path | str:
    if database.path is not None:
        return Path(f"{database.path}.checkpoints")
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _tell_diagnosis(live: LiveFeed, diagnosis: Diagnosis) -> None:
    live.publish("diagnosis.updated", {"id": diagnosis.id, "status": diagnosis.status})
