"""The outbox worker: claim, deliver, mark. At least once, and for Slack's Web API exactly once to the eye."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog

from alerts.compose import Composer
from alerts.http import Unanswered
from alerts.lane import Lane, ReceiverHealth
from alerts.notice import Notice, Receiver
from alerts.outbox import Outbox, StoredAlert, Stories
from alerts.settings import AlertSettings
from domain.errors import NotifyError, StoreUnavailable

log = structlog.get_logger()

CLAIM_LIMIT = 50
IDLE_S = 0.5
STORE_BACKOFF_S = 2.0


class OutboxWorker:
    """Takes rows out of the outbox until it is stopped.

    Args:
        outbox: where rows wait.
        receivers: whom to deliver to; each has its own lane, so that one that hangs does not hold up others.
        stories: what is known of an incident now.
        settings: lease and dashboard address.
        clock: the time of the service, which rows are compared with.
        monotonic: real seconds, which paces and Retry-After are measured with.
    """

    def __init__(
        self,
        outbox: Outbox,
        receivers: Sequence[Receiver],
        stories: Stories,
        settings: AlertSettings,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._composer = Composer(outbox, stories, settings.dashboard_url)
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._clock = clock
        self._monotonic = monotonic
        dice = random.Random()  # noqa: S311 - jitter, no secret
        self._lanes = {one.name: Lane(one, dice) for one in receivers}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Give parked messages another chance, then run in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Finish what was claimed and end; false where that took too long."""
        self._stop.set()
        self._wake.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        ended = thread is None or not thread.is_alive()
        if ended:
            for lane in self._lanes.values():
                lane.receiver.close()
        return ended

    def wake(self) -> None:
        """Look into the outbox now instead of at the next turn."""
        self._wake.set()

    def health(self) -> Mapping[str, ReceiverHealth]:
        """How each receiver fares."""
        return {name: lane.health for name, lane in self._lanes.items()}

    def run_once(self) -> int:
        """Claim and work off one batch; how many rows were claimed."""
        began = self._monotonic()
        rows = self._outbox.claim(self._clock(), self._lease, CLAIM_LIMIT)
        lanes: dict[str, list[StoredAlert]] = {}
        for row in rows:
            lanes.setdefault(row.receiver, []).append(row)
        if lanes:
            with ThreadPoolExecutor(len(lanes), thread_name_prefix="receiver") as pool:
                list(pool.map(lambda item: self._work_off(item[0], item[1], began), lanes.items()))
        return len(rows)

    def _run(self) -> None:
        self._unpark()
        while not self._stop.is_set():
            self._wake.clear()
            try:
                pause = 0.0 if self.run_once() else IDLE_S
            except StoreUnavailable as error:
                log.warning("outbox_unavailable", error=str(error))
                pause = STORE_BACKOFF_S
            except Exception:
                log.exception("outbox_turn_failed")
                pause = STORE_BACKOFF_S
            self._wake.wait(pause)

    def _unpark(self) -> None:
        try:
            for name in self._lanes:
                self._outbox.unpark(name)
        except StoreUnavailable as error:
            log.warning("outbox_unavailable", error=str(error))

    def _work_off(self, receiver: str, rows: Sequence[StoredAlert], began: float) -> None:
        lane = self._lanes.get(receiver)
        if lane is None:
            for row in rows:
                self._outbox.park(row.id, f"no receiver {receiver!r} is configured")
            return
        subjects: dict[str, list[StoredAlert]] = {}
        for row in rows:
            subjects.setdefault(row.subject, []).append(row)
        for subject, waiting in subjects.items():
            if self._may_call(lane, began):
                self._deliver(lane, subject, waiting)
            else:
                self._put_back(lane, subject, waiting)

    def _may_call(self, lane: Lane, began: float) -> bool:
        """Wait for the lane's turn; false where that takes too long or the lease may end meanwhile."""
        moment = self._monotonic()
        if lane.blocked(moment) or moment - began > self._lease.total_seconds() / 2:
            return False
        time.sleep(lane.wait_s(moment))
        return True

    def _deliver(self, lane: Lane, subject: str, rows: Sequence[StoredAlert]) -> None:
        try:
            self._tell(lane, subject, rows)
        except NotifyError as error:
            self._failed(lane, subject, rows, error)
        except StoreUnavailable:
            raise  # the lease ends by itself, and the next worker looks before it sends
        except Exception as error:
            log.exception("alert_failed", receiver=lane.receiver.name, subject=subject)
            reason = f"could not be written ({type(error).__name__})"
            self._failed(lane, subject, rows, Unanswered(lane.receiver.name, reason))

    def _tell(self, lane: Lane, subject: str, rows: Sequence[StoredAlert]) -> None:
        harmless = lane.harmless_attempts(subject)
        notice = self._composer.compose(lane.receiver, subject, rows, harmless, self._clock())
        if notice is None:
            self._park(rows, "the incident is no longer stored")
            return
        if lane.was_told(subject, notice.summaries):
            self._mark(rows, notice.remote_ref)
            return
        ref = lane.receiver.notify(notice)
        lane.succeeded(self._monotonic(), self._clock(), repeat=_is_repeat(lane.receiver, notice))
        self._mark(rows, ref)
        lane.remember_delivery(subject, notice.summaries)
        log.info("alert_sent", receiver=lane.receiver.name, subject=subject, reason=notice.reason)

    def _failed(self, lane: Lane, subject: str, rows: Sequence[StoredAlert], error: NotifyError) -> None:
        lane.remember_failure(subject, error, len(rows))
        if error.permanent:
            lane.refused(self._monotonic(), error)
            self._park(rows, error.reason)
            log.error("alert_parked", receiver=lane.receiver.name, subject=subject, error=error.reason)
            return
        wait = lane.failed(self._monotonic(), error)
        due = self._clock() + timedelta(seconds=wait)
        for row in rows:
            self._outbox.retry(row.id, due, error.reason)
        log.warning(
            "alert_delayed",
            receiver=lane.receiver.name,
            subject=subject,
            error=error.reason,
            wait=round(wait, 1),
        )

    def _put_back(self, lane: Lane, subject: str, rows: Sequence[StoredAlert]) -> None:
        """Give rows back untried until the receiver may be called again."""
        lane.remember_failure(subject, None, len(rows))
        due = self._clock() + timedelta(seconds=lane.wait_s(self._monotonic()))
        reason = lane.health.last_error or "waiting for its turn"
        for row in rows:
            self._outbox.retry(row.id, due, reason)

    def _mark(self, rows: Sequence[StoredAlert], ref: str | None) -> None:
        for row in rows:
            self._outbox.sent(row.id, ref)

    def _park(self, rows: Sequence[StoredAlert], reason: str) -> None:
        for row in rows:
            self._outbox.park(row.id, reason)


def _is_repeat(receiver: Receiver, notice: Notice) -> bool:
    return notice.uncertain and receiver.updates != "in_place"
