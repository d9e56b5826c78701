"""The real worker and the real Slack client before a fake Slack, in a time that only moves when they wait."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from alert_cases import NOW, settings
from fake_slack import CHANNEL, TOKEN, FakeSlack, fake_slack
from memory_outbox import MemoryOutbox, MemoryStories

from alerts.notice import Receiver
from alerts.receivers.slack import slack_receiver
from alerts.settings import AlertSettings
from alerts.slack.settings import SlackSettings
from alerts.worker import OutboxWorker, RealTime

TIMEOUT_S = 0.4


class VirtualTime(RealTime):
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self._seconds = 1_000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._seconds

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._seconds += seconds

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.now() - 1_000.0)


class Rig:
    """A worker with its outbox, its stories and the Slack behind it."""

    def __init__(self, slack: FakeSlack, *, bot: bool = True) -> None:
        self.slack = slack
        self.bot = bot
        self.time = VirtualTime()
        slack.clock = self.time.now
        self.outbox = MemoryOutbox()
        self.stories = MemoryStories()
        self.settings: AlertSettings = settings()
        self.others: list[Receiver] = []
        self.slack_settings: dict[str, Any] = {}
        self.opened: list[Receiver] = []
        self.worker = self.fresh_worker()

    def fresh_worker(self) -> OutboxWorker:
        """A worker as a restarted process has it: it remembers nothing."""
        receivers = [self.receiver(), *self.others]
        self.opened += receivers
        self.worker = OutboxWorker(
            self.outbox, receivers, self.stories, self.settings, self.time.clock, self.time
        )
        self.worker.take_up()
        return self.worker

    def receiver(self) -> Receiver:
        way: dict[str, Any] = {"webhook_url": self.slack.hook_url}
        if self.bot:
            way = {"bot_token": TOKEN, "channel": CHANNEL, "api_url": self.slack.api_url}
        chosen = SlackSettings.model_validate({**way, **self.slack_settings})
        return slack_receiver(chosen, TIMEOUT_S, ("127.0.0.1",), self.time.now)

    def close(self) -> None:
        for one in self.opened:
            one.close()

    def drain(self, seconds: float = 3_600) -> None:
        """Work until nothing is waiting any more, or this much time has passed."""
        end = self.time.now() + seconds
        while self.time.now() < end and not set(self.outbox.states()) <= {"sent", "parked"}:
            if not self.worker.run_once():
                self.time.sleep(1)

    def gaps(self, methods: Sequence[str]) -> list[float]:
        """Seconds between the calls of these methods."""
        at = [call.at for call in self.slack.calls if call.method in methods]
        return [later - earlier for earlier, later in pairwise(at)]


@contextmanager
def rig(*, bot: bool = True) -> Iterator[Rig]:
    with fake_slack() as slack:
        one = Rig(slack, bot=bot)
        try:
            yield one
        finally:
            one.close()
