"""Escalations on the stored outbox and in a Slack: each step once, over restarts and replicas."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from alert_cases import NOW, SLACK, anomaly, settings
from alert_rig import Rig, rig
from fake_slack import CHANNEL

from alerts.decider import AlertPolicy
from alerts.outbox import AlertIntent, Story
from alerts.policy import Target
from alerts.receivers.slack import SlackBot
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

LEADS = "#alerts"  # the fake Slack knows this channel beside the one of the desk
STEP = f"slack:{LEADS}"
MINUTE = 60.0


def stored(intents: Sequence[AlertIntent]) -> list[StoredIntent]:
    return [
        StoredIntent(one.receiver, one.kind, one.dedupe_key, one.payload, one.not_before, one.subject)
        for one in intents
    ]


class Desk:
    """One incident that was told, and processes that look for what is due."""

    def __init__(self, database: Database, slack: Rig) -> None:
        self.rig = slack
        self.store, self.incidents = OutboxStore(database), IncidentStore(database)
        self._anomalies, self._writer = AnomalyStore(database), CycleWriter(database)
        policy = settings(escalate_after_minutes=15, escalate_to=(STEP, "slack"))
        leads = Target(STEP, "in_place", "low", only_escalations=True)
        self.policy = AlertPolicy(policy, [(SLACK, {}), (leads, {})], self.store)
        self._settings = policy

    def story(self, incident_id: str) -> Story | None:
        incident = self.incidents.get(incident_id)
        return Story(incident, tuple(self._anomalies.get(one) for one in incident.anomaly_ids))

    def detect(self) -> Incident:
        now = self.rig.time.clock()
        decider = self.policy.decider((), now)

        def alone(loose: Sequence[Anomaly], _open: object) -> Sequence[IncidentPlan]:
            return [IncidentPlan(None, (one.id,)) for one in loose]

        def decide(
            incident: Incident, members: Sequence[Anomaly], previous: Incident | None
        ) -> Sequence[StoredIntent]:
            return stored(decider(incident, members, previous))

        return self._writer.save_detections([anomaly(id="", timestamp=NOW)], now, alone, decide).incidents[0]

    def change(self, **changes: Any) -> None:
        before, now = self.incidents.get("I-1"), self.rig.time.clock()
        after = self.incidents.patch("I-1", changes, now)
        decider = self.policy.decider(("I-1",), now)
        self.store.add(stored(decider(after, (anomaly(),), before)), "I-1", now)

    def look(self) -> None:
        """What every replica does every few seconds."""
        now = self.rig.time.clock()
        for one in self.policy.escalations(self.incidents.open(), now):
            self.store.add(stored([one]), one.incident_id, now)

    def work(self) -> None:
        """A process that was just started delivers what is due."""
        bot = self.rig.receiver()
        assert isinstance(bot, SlackBot)
        worker = OutboxWorker(
            self.store, [bot, bot.in_channel(LEADS)], self, self._settings, self.rig.time.clock, self.rig.time
        )
        worker.take_up()
        while worker.run_once():
            self.rig.time.sleep(1)
        bot.close()

    def told(self, channel: str) -> list[dict[str, Any]]:
        return [one for one in self.rig.slack.posts() if one["channel"] == channel]

    def escalated(self) -> int:
        """How many messages there are by which something was escalated."""
        return sum("Escalation" in one["text"] for one in self.rig.slack.posts())


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    with rig() as slack:
        one = Desk(database, slack)
        one.detect()
        one.work()
        yield one


@pytest.fixture
def untold(database: Database) -> Iterator[Desk]:
    """The first message is decided, and nothing has delivered it."""
    with rig() as slack:
        one = Desk(database, slack)
        one.detect()
        yield one


def test_steps_come_one_after_the_other_and_once_whoever_looks(desk: Desk) -> None:
    for minutes, leads, own in ((14, 0, 1), (2, 1, 1), (13, 1, 1), (2, 1, 2), (60, 1, 2)):
        desk.rig.time.sleep(minutes * MINUTE)
        for _ in range(3):
            desk.look()
            desk.work()
        assert (len(desk.told(LEADS)), len(desk.told(CHANNEL))) == (leads, own)
        assert desk.incidents.get("I-1").escalation == leads + own - 1
    assert "Escalation 1: nobody had acknowledged this." in desk.told(LEADS)[0]["text"]


@pytest.mark.parametrize(
    "changes", [{"status": "acknowledged", "assignee": "slack:U1"}, {"status": "resolved"}]
)
def test_a_step_that_is_taken_before_it_left_is_cancelled(desk: Desk, changes: dict[str, Any]) -> None:
    desk.rig.time.sleep(16 * MINUTE)
    desk.look()
    desk.change(**changes)
    desk.work()
    assert not desk.told(LEADS)
    assert (desk.incidents.get("I-1").escalation, desk.incidents.get("I-1").escalated_at) == (0, None)
    escalated = next(one for one in desk.store.list().items if one.kind == "escalated")
    assert (escalated.state, escalated.error) == ("cancelled", f"escalation_over: {changes['status']}")
    desk.rig.time.sleep(60 * MINUTE)
    desk.look()
    desk.work()
    assert not desk.told(LEADS)


def test_an_escalation_changes_along_with_its_incident_and_everywhere(desk: Desk) -> None:
    desk.rig.time.sleep(31 * MINUTE)
    at = desk.rig.time.clock()
    desk.look()
    desk.work()
    desk.change(status="acknowledged", assignee="slack:U0LEAD")
    desk.work()
    shown = desk.incidents.list().items[0]
    assert (shown.escalation, shown.escalated_at) == (2, at), "it stays on record who had to be told"
    everything = desk.rig.slack.posts()
    assert len(everything) == 3
    assert all("Acknowledged by <@U0LEAD>" in str(one["blocks"]) for one in everything)


def test_opened_again_it_is_escalated_again(desk: Desk) -> None:
    desk.rig.time.sleep(16 * MINUTE)
    desk.look()
    desk.work()
    desk.change(status="acknowledged")
    desk.rig.time.sleep(5 * MINUTE)
    desk.change(status="open")
    desk.work()
    desk.look()
    desk.work()
    assert desk.escalated() == 1
    desk.rig.time.sleep(16 * MINUTE)
    desk.look()
    desk.work()
    assert desk.escalated() == 2


def test_a_slack_that_is_away_holds_no_clock_up(desk: Desk) -> None:
    before: datetime = desk.rig.time.clock()
    desk.rig.time.sleep(16 * MINUTE)
    desk.look()
    waiting = desk.store.list(["pending"]).items
    assert [one.receiver for one in waiting] == [STEP]
    assert waiting[0].not_before <= desk.rig.time.clock()
    assert waiting[0].not_before > before


def test_a_first_receiver_that_fails_holds_no_clock_up(untold: Desk) -> None:
    desk = untold
    row = desk.store.list(["pending"]).items[0]
    for _ in range(10):
        desk.rig.time.sleep(1.6 * MINUTE)
        desk.store.retry(row.id, desk.rig.time.clock() + timedelta(minutes=5), "HTTP 503")
    desk.look()
    assert [one.receiver for one in desk.store.list(["pending"]).items if one.kind == "escalated"] == [STEP]


def test_a_message_that_is_taken_up_again_escalates_nothing_a_second_time(untold: Desk) -> None:
    desk = untold
    row = desk.store.list(["pending"]).items[0]
    desk.store.park(row.id, "not_in_channel")
    desk.rig.time.sleep(31 * MINUTE)
    desk.look()
    known = [one.subject for one in desk.store.list().items if one.kind == "escalated"]
    assert len(known) == 2
    for _ in range(3):
        assert desk.store.unpark("slack", desk.rig.time.clock()) == 1
        desk.rig.time.sleep(31 * MINUTE)
        desk.look()
        desk.store.park(row.id, "not_in_channel")
    assert [one.subject for one in desk.store.list().items if one.kind == "escalated"] == known
