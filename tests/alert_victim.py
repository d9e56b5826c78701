"""A process that detects, decides and delivers, and kills itself at a named stage; forked for each round.

Started with no argument it reads one JSON object a line (see `Round`), forks a child that does it, and
answers with the child's exit status.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alert_cases import NOW, SLACK, anomaly, settings
from pydantic import SecretStr

from alerts.decider import AlertPolicy
from alerts.notice import Notice, Receiver, Updates
from alerts.outbox import Story
from alerts.policy import Target
from alerts.receivers.slack import slack_receiver
from alerts.slack.settings import SlackSettings
from alerts.worker import OutboxWorker, RealTime
from db.anomalies import AnomalyStore
from db.database import Database
from db.detections import CycleWriter
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent, IncidentPlan, OutboxMessage
from domain.anomaly import Anomaly
from domain.incident import Incident

STAGES = ("in_transaction", "after_commit", "after_claim", "before_post", "after_post", "after_mark")
FASTER = 20.0
PATIENCE_S = 400.0


@dataclass(frozen=True, slots=True)
class Round:
    """One life of the process. `minutes` is the time on its clock; no stage means that it may live."""

    n: int
    minutes: int
    database: str
    slack: str
    bot: bool
    stage: str | None


class FastTime(RealTime):
    """Real seconds, twenty times as many; every process agrees on them."""

    def now(self) -> float:
        return time.monotonic() * FASTER

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / FASTER)


def die_at(stage: str, chosen: str | None) -> None:
    if stage == chosen:
        os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(OutboxStore):
    """The stored outbox, in a process that may die around it."""

    def __init__(self, database: Database, stage: str | None) -> None:
        super().__init__(database)
        self._stage = stage

    def claim(
        self, now: datetime, lease: timedelta, limit: int = 10, but: Sequence[str] = ()
    ) -> list[OutboxMessage]:
        rows = super().claim(now, lease, limit, but)
        if rows:
            die_at("after_claim", self._stage)
        return rows

    def sent(self, message_id: int, remote_ref: str | None, now: datetime) -> None:
        super().sent(message_id, remote_ref, now)
        die_at("after_mark", self._stage)


class MortalReceiver:
    """A receiver in a process that may die around it."""

    def __init__(self, receiver: Receiver, stage: str | None) -> None:
        self._receiver = receiver
        self._stage = stage
        self.name = receiver.name
        self.updates: Updates = receiver.updates
        self.pace_s = receiver.pace_s

    def notify(self, notice: Notice) -> str | None:
        die_at("before_post", self._stage)
        ref = self._receiver.notify(notice)
        die_at("after_post", self._stage)
        return ref

    def check(self) -> str:
        return self._receiver.check()

    def close(self) -> None:
        self._receiver.close()


class StoredStories:
    def __init__(self, database: Database) -> None:
        self._incidents, self._anomalies = IncidentStore(database), AnomalyStore(database)

    def story(self, incident_id: str) -> Story | None:
        incident = self._incidents.get(incident_id)
        return Story(incident, tuple(self._anomalies.get(one) for one in incident.anomaly_ids))


def each_alone(
    loose: Sequence[Anomaly], open_incidents: Sequence[tuple[Incident, Sequence[Anomaly]]]
) -> Sequence[IncidentPlan]:
    return [IncidentPlan(None, (one.id,)) for one in loose]


def receiver_of(one: Round) -> Receiver:
    if one.bot:
        chosen = SlackSettings(
            bot_token=SecretStr("xoxb-test"), channel="C0ALERTS", api_url=f"{one.slack}/api/"
        )
    else:
        chosen = SlackSettings(webhook_url=SecretStr(f"{one.slack}/services/T000/B000/secret"))
    return MortalReceiver(slack_receiver(chosen, 0.5, ("127.0.0.1",)), one.stage)


def live(one: Round) -> None:
    """Detect one anomaly, and deliver until nothing waits."""
    database = Database(one.database)
    store = MortalStore(database, one.stage)
    fast = FastTime()
    began = fast.now()

    def clock() -> datetime:
        return NOW + timedelta(minutes=one.minutes, seconds=fast.now() - began)

    receiver = receiver_of(one)
    policy = settings(max_alerts_per_hour=10_000)
    target = Target(SLACK.name, receiver.updates, SLACK.threshold)
    open_ids = [incident.id for incident in IncidentStore(database).open()]
    decider = AlertPolicy(policy, [(target, {})], store).decider(open_ids, clock())

    def decide(
        incident: Incident, members: Sequence[Anomaly], previous: Incident | None
    ) -> Sequence[AlertIntent]:
        die_at("in_transaction", one.stage)
        return [
            AlertIntent(
                made.receiver, made.kind, made.dedupe_key, made.payload, made.not_before, made.subject
            )
            for made in decider(incident, members, previous)
        ]

    found = anomaly(one.n, id="", timestamp=NOW + timedelta(minutes=one.n))
    CycleWriter(database).save_detections([found], clock(), each_alone, decide)
    die_at("after_commit", one.stage)
    worker = OutboxWorker(store, [receiver], StoredStories(database), policy, clock, fast)
    worker.take_up()
    while fast.now() - began < PATIENCE_S and {state for _, state in store.counts()} != {"sent"}:
        if not worker.run_once():
            fast.sleep(0.5)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # what it logs is not our answer
            live(Round(**json.loads(line)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
