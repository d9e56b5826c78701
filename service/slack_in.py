"""What people do in Slack, worked off beside: kept first, done once, by a few workers."""

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from alerts.slack.inbound import Inbound, Said
from db.inbox import Delivery, InboxStore
from domain.errors import AnalystError, NotifyError, Overloaded, StoreUnavailable

log = structlog.get_logger()
CHANNEL = "slack"
WORKERS = 4
POLL_S = 1.0
LEASE = timedelta(minutes=3)
MAX_WAITING = 500
MAX_ATTEMPTS = 6
HAND_OVER_S = 1.5


@dataclass(slots=True)
class Slot:
    """Somebody waits here for an answer, for a moment."""

    _guard: threading.Lock = field(default_factory=threading.Lock)
    _given: threading.Event = field(default_factory=threading.Event)
    _answer: Mapping[str, Any] | None = None
    _gone: bool = False

    def wait(self, seconds: float) -> Mapping[str, Any] | None:
        """The answer, if it comes in time."""
        self._given.wait(seconds)
        with self._guard:
            self._gone = True
            return self._answer

    def give(self, answer: Mapping[str, Any]) -> bool:
        """Hand an answer over; false where nobody waits any more."""
        with self._guard:
            if self._gone:
                return False
            self._answer = answer
            self._given.set()
            return True


class Effects(Protocol):
    """Does what was asked for."""

    def perform(self, said: Said, delivery: Delivery, slot: Slot | None) -> None:
        """Do it and answer; doing the same delivery twice must show once.

        Raises:
            NotifyError, StoreUnavailable: it may work later.
            AnalystError: it cannot be done; the person is to be told why.
        """

    def apologise(self, said: Said, delivery: Delivery, slot: Slot | None, why: str) -> None:
        """Tell the person why it was not done; must not raise."""


class SlackIn:
    """Implements `api.routes.slack.SlackDoor`.

    Args:
        secret: what Slack signs with; empty where only Socket Mode is open.
        inbox: where deliveries are kept.
        effects: does what they ask for.
        clock: real time, which leases are measured in.
        longest: how long one answer may take; a lease lasts longer.
    """

    def __init__(
        self,
        secret: bytes,
        inbox: InboxStore,
        effects: Effects,
        clock: Callable[[], datetime],
        longest: timedelta = timedelta(),
    ) -> None:
        self._secret = secret
        self._inbox = inbox
        self._effects = effects
        self._clock = clock
        self._lease = LEASE + longest
        self._bells: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._slots: dict[str, Slot] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def secret(self) -> bytes:
        return self._secret

    def take(self, inbound: Inbound) -> Mapping[str, Any] | None:
        """Keep a delivery; for a command the answer, where it comes at once."""
        if inbound.said is None:
            return None
        if self._inbox.waiting(CHANNEL) >= MAX_WAITING:
            raise Overloaded("too much waits to be answered in Slack", retry_after=5)
        slot = self._slot(inbound)
        said = inbound.said
        delivery = Delivery(CHANNEL, inbound.delivery_id, said.lane, said.payload, self._clock())
        try:
            if not self._inbox.receive(delivery):
                return None
            self._bells.put(None)
            return slot.wait(HAND_OVER_S) if slot else None
        finally:
            if slot is not None:
                self._slots.pop(inbound.delivery_id, None)

    def _slot(self, inbound: Inbound) -> Slot | None:
        """Where the answer to a command is waited for; a repeat of it waits for nothing."""
        if inbound.said is None or inbound.said.kind != "command":
            return None
        mine = Slot()
        return mine if self._slots.setdefault(inbound.delivery_id, mine) is mine else None

    def start(self) -> None:
        """Work off what waits, what an earlier process left included."""
        for n in range(WORKERS):
            thread = threading.Thread(target=self._run, name=f"slack-in-{n}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Finish what is under way; the rest stays kept."""
        self._stop.set()
        for _ in self._threads:
            self._bells.put(None)
        for thread in self._threads:
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                while not self._stop.is_set() and self.work_once():
                    pass
            except StoreUnavailable as error:
                log.warning("slack_inbox_unavailable", error=str(error))
            except Exception:
                log.exception("slack_inbox_turn_failed")
            try:
                self._bells.get(timeout=POLL_S)
            except queue.Empty:
                continue

    def work_once(self) -> bool:
        """Work off one delivery; false where nothing waits."""
        delivery = self._inbox.claim(CHANNEL, self._clock(), self._lease)
        if delivery is None:
            return False
        try:
            said = Said.stored(delivery.payload)
        except TypeError:
            log.exception("slack_delivery_unreadable", delivery=delivery.delivery_id)
            self._inbox.done(delivery, self._clock(), "kept by another version, which said it otherwise")
            return True
        self._do(said, delivery)
        return True

    def _do(self, said: Said, delivery: Delivery) -> None:
        slot = self._slots.get(delivery.delivery_id)
        try:
            self._effects.perform(said, delivery, slot)
        except (NotifyError, StoreUnavailable) as error:
            self._failed(delivery, error)
        except AnalystError as error:
            log.info("slack_not_done", kind=said.kind, action=said.action, user=said.user, why=str(error))
            self._effects.apologise(said, delivery, slot, getattr(error, "reason", str(error)))
            self._inbox.done(delivery, self._clock(), str(error))
        except Exception as error:
            log.exception("slack_delivery_failed", kind=said.kind)
            self._effects.apologise(said, delivery, slot, "something went wrong; it is in the log")
            self._inbox.done(delivery, self._clock(), f"internal error: {type(error).__name__}")
        else:
            self._inbox.done(delivery, self._clock())

    def _failed(self, delivery: Delivery, error: NotifyError | StoreUnavailable) -> None:
        """Try again later, unless it cannot help."""
        hopeless = isinstance(error, NotifyError) and error.permanent
        log.warning("slack_delivery_delayed", error=str(error), attempts=delivery.attempts, hopeless=hopeless)
        if hopeless or delivery.attempts >= MAX_ATTEMPTS:
            self._inbox.done(delivery, self._clock(), str(error))
            return
        wait = max(error.retry_after or 0.0, 2.0**delivery.attempts)
        self._inbox.retry(delivery, self._clock() + timedelta(seconds=wait), str(error))
