"""The worker on the stored outbox: nothing lost, nothing doubled, on both kinds of database."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from alert_cases import NOW, SLACK, anomaly, settings
from alert_rig import Rig, rig
from fake_slack import Fault
from memory_outbox import ProcessKilled

from alerts.decider import AlertPolicy
from alerts.outbox import AlertIntent, Outbox, Story
from alerts.worker import OutboxWorker
from db.anomalies import AnomalyStore
from db.database import Database
from db.detections import CycleWriter
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent as StoredIntent
from db.records import IncidentPlan
from domain.anomaly import Anomaly
from domain.incident import Incident


class StoredStories:
    """Stories from the stores, as the composition root makes them."""

    def __init__(self, database: Database) -> None:
        self._incidents = IncidentStore(database)
        self._anomalies = AnomalyStore(database)

    def story(self, incident_id: str) -> Story | None:
        incident = self._incidents.get(incident_id)
        return Story(incident, tuple(self._anomalies.get(one) for one in incident.anomaly_ids))


class Desk:
    """Detections in, Slack messages out, with a database between them."""

    def __init__(self, database: Database, slack: Rig) -> None:
        self.rig = slack
        self.store = OutboxStore(database)
        self.incidents = IncidentStore(database)
        self._writer = CycleWriter(database)
        self._stories = StoredStories(database)
        self.policy = AlertPolicy(settings(), [(SLACK, {})], self.store)

    def cycle(self, *anomalies: Anomaly) -> Sequence[Incident]:
        now = self.rig.time.clock()
        decider = self.policy.decider([one.id for one in self.incidents.open()], now)

        def decide(
            incident: Incident, members: Sequence[Anomaly], previous: Incident | None
        ) -> Sequence[StoredIntent]:
            return [stored(one) for one in decider(incident, members, previous)]

        return self._writer.save_detections(anomalies, now, each_alone, decide).incidents

    def kill_worker_after_post(self) -> None:
        """Post as a worker does, and die before the mark."""

        def die(message_id: int, remote_ref: str | None, now: datetime) -> None:
            raise ProcessKilled

        worker, mark = self.worker(), self.store.sent
        self.store.sent = die  # type: ignore[method-assign]
        with pytest.raises(ProcessKilled):
            worker.run_once()
        self.store.sent = mark  # type: ignore[method-assign]

    def worker(self) -> OutboxWorker:
        outbox: Outbox = self.store
        receiver = self.rig.receiver()
        self.rig.opened.append(receiver)
        worker = OutboxWorker(
            outbox, [receiver], self._stories, settings(), self.rig.time.clock, self.rig.time
        )
        worker.take_up()
        return worker


def stored(intent: AlertIntent) -> StoredIntent:
    return StoredIntent(
        intent.receiver, intent.kind, intent.dedupe_key, intent.payload, intent.not_before, intent.subject
    )


def each_alone(
    loose: Sequence[Anomaly], open_incidents: Sequence[tuple[Incident, Sequence[Anomaly]]]
) -> Sequence[IncidentPlan]:
    return [IncidentPlan(None, (one.id,)) for one in loose]


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    with rig() as slack:
        yield Desk(database, slack)


def work(desk: Desk, worker: OutboxWorker, seconds: float = 120) -> None:
    end = desk.rig.time.now() + seconds
    while desk.rig.time.now() < end:
        if not worker.run_once():
            desk.rig.time.sleep(1)


def test_an_incident_is_told_updated_in_place_and_resolved(desk: Desk) -> None:
    worker = desk.worker()
    desk.cycle(anomaly(1, id=""))
    work(desk, worker, 5)
    ended = anomaly(1, id="", status="resolved", ended_at=desk.rig.time.clock())
    (incident,) = desk.cycle(ended)
    work(desk, worker, 5)
    (message,) = desk.rig.slack.posts()
    assert incident.status == "resolved"
    assert "RESOLVED" in message["text"]
    assert [call.method for call in desk.rig.slack.calls] == ["chat.postMessage", "chat.update"]
    assert [row.kind for row in desk.store.about("slack", f"incident:{incident.id}")] == [
        "first_notification",
        "resolved",
    ]


def test_a_burst_is_ten_messages_and_one_digest_and_nothing_stays_behind(desk: Desk) -> None:
    desk.cycle(*(anomaly(n, id="") for n in range(1, 41)))
    work(desk, desk.worker(), 40)
    assert len(desk.rig.slack.posts()) == 11
    assert {state for _, state in desk.store.counts()} == {"sent"}
    digest = desk.rig.slack.posts()[-1]
    assert "30 incidents" in digest["blocks"][0]["text"]["text"]


def test_a_worker_that_died_after_the_post_leaves_one_message(desk: Desk) -> None:
    desk.cycle(anomaly(1, id=""))
    desk.kill_worker_after_post()
    assert len(desk.rig.slack.posts()) == 1
    desk.rig.time.sleep(200)
    work(desk, desk.worker(), 10)
    assert len(desk.rig.slack.posts()) == 1
    assert {state for _, state in desk.store.counts()} == {"sent"}


def test_the_same_detections_again_tell_nobody_again(desk: Desk) -> None:
    worker = desk.worker()
    for _ in range(3):
        desk.cycle(anomaly(1, id=""))
        work(desk, worker, 5)
    assert len(desk.rig.slack.calls) == 1
    assert desk.rig.time.clock() > NOW


def test_two_replicas_on_one_database_tell_each_incident_once(desk: Desk, database_url: str) -> None:
    desk.cycle(*(anomaly(n, id="") for n in range(1, 9)))
    other = Database(database_url)
    second = Desk(other, desk.rig).worker()
    threads = [threading.Thread(target=work, args=(desk, one, 30)) for one in (desk.worker(), second)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    other.close()
    assert len(desk.rig.slack.posts()) == desk.rig.slack.count("chat.postMessage") == 8
    assert {state for _, state in desk.store.counts()} == {"sent"}


def test_one_replica_heeds_the_retry_after_of_another(desk: Desk) -> None:
    first, second = desk.worker(), desk.worker()
    desk.cycle(anomaly(1, id=""))
    desk.rig.slack.faults = [Fault("429", "30")]
    first.run_once()
    desk.cycle(anomaly(2, id=""))
    work(desk, second, 60)
    assert desk.rig.slack.inside_retry_after == 0
    assert len(desk.rig.slack.posts()) == 2
