"""The outbox worker: claim, deliver, mark. At least once, and for Slack's Web API exactly once to the eye."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

import structlog

from alerts.compose import Composed, Composer
from alerts.http import Unanswered
from alerts.lane import Lane, ReceiverHealth
from alerts.notice import Receiver
from alerts.outbox import ASKED_TO_WAIT, UNSURE, Outbox, StoredAlert, Stories, is_unsure
from alerts.policy import Reason
from alerts.settings import AlertSettings
from domain.errors import NotifyError, StoreUnavailable

log = structlog.get_logger()

CLAIM_LIMIT = 50
LOOK_BACK = 100
IDLE_S = 0.5
LOOK_EVERY_S = 2.0
STORE_BACKOFF_S = 2.0


# What only brings a message up to date: what nobody has heard of yet goes before it.
UPDATES = frozenset({Reason.GREW, Reason.DIAGNOSIS_READY, Reason.JUDGED, Reason.SNOOZE_SET})


class RealTime:
    """Real seconds, which paces and Retry-After are measured in."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def jitter(self, low: float, high: float) -> float:
        """A number between the two, different in every process."""
        return random.uniform(low, high)  # noqa: S311 - spreads retries, hides nothing


class OutboxWorker:
    """Takes rows out of the outbox until it is stopped.

    Args:
        outbox: where rows wait.
        receivers: whom to deliver to; each has its own lane, so that one that hangs does not hold up others.
        stories: what is known of an incident now.
        settings: lease and dashboard address.
        clock: the time of the service, which rows are compared with.
        real: the time that paces and Retry-After are measured in.
    """

    def __init__(
        self,
        outbox: Outbox,
        receivers: Sequence[Receiver],
        stories: Stories,
        settings: AlertSettings,
        clock: Callable[[], datetime],
        real: RealTime | None = None,
    ) -> None:
        self.before_turn: Callable[[], None] | None = None
        self._looked_at = float("-inf")
        self._outbox = outbox
        self._composer = Composer(outbox, stories, settings.dashboard_url)
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._clock = clock
        self._real = real or RealTime()
        self._lanes = {one.name: Lane(one, self._real.jitter) for one in receivers}
        # One receiver hangs at most one thread; the last one is for rows of receivers that are gone.
        self._pool = ThreadPoolExecutor(len(self._lanes) + 1, thread_name_prefix="receiver")
        self._busy: dict[str, Future[None]] = {}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Run in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Finish the running calls, give the rest back and end; false where that took too long."""
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

    def alive(self) -> bool:
        """Whether the worker's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def run_once(self) -> int:
        """Claim and work off one batch; how many rows were claimed."""
        count = self._begin()
        wait(self._busy.values())
        self._collect()
        return count

    def _begin(self) -> int:
        """Claim a batch for those receivers that no call is running to, and have it worked off beside."""
        self._collect()
        began = self._real.now()
        rows = self._outbox.claim(self._clock(), self._lease, CLAIM_LIMIT, tuple(self._busy))
        lanes: dict[str, list[StoredAlert]] = {}
        for row in rows:
            lanes.setdefault(row.receiver, []).append(row)
        for receiver, mine in lanes.items():
            task = self._pool.submit(self._work_off, receiver, mine, began)
            self._busy[receiver] = task
            task.add_done_callback(lambda _: self._wake.set())
        return len(rows)

    def _collect(self) -> None:
        """Forget what has ended, and raise what ended it."""
        ended = [name for name, task in self._busy.items() if task.done()]
        for task in [self._busy.pop(name) for name in ended]:
            task.result()

    def take_up(self) -> None:
        """What a new process does first: give parked rows another chance."""
        for name in self._lanes:
            self._outbox.unpark(name, self._clock())

    def _run(self) -> None:
        fresh = True
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if fresh:
                    self.take_up()
                    fresh = False
                self._look()
                pause = 0.0 if self._begin() else IDLE_S
            except StoreUnavailable as error:
                log.warning("outbox_unavailable", error=str(error))
                pause = STORE_BACKOFF_S
            except Exception:
                log.exception("outbox_turn_failed")
                pause = STORE_BACKOFF_S
            self._wake.wait(pause)
        self._pool.shutdown()

    def _look(self) -> None:
        """Every few seconds, what else is due: escalations follow from the clock, not from a change."""
        if self.before_turn is not None and self._real.now() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = self._real.now()
            self.before_turn()

    def _work_off(self, receiver: str, rows: Sequence[StoredAlert], began: float) -> None:
        lane = self._lanes.get(receiver)
        subjects: dict[str, list[StoredAlert]] = {}
        for row in rows:
            subjects.setdefault(row.subject, []).append(row)
        if lane is not None:
            self._heed_others(lane)
        for claimed in sorted(subjects.values(), key=_can_wait):
            if lane is None:
                self._park(claimed, f"no receiver {receiver!r} is configured")
            elif self._may_call(lane, began):
                self._deliver(lane, claimed)
            else:
                self._put_back(lane, claimed)

    def _heed_others(self, lane: Lane) -> None:
        """Keep to a Retry-After that an earlier process or another replica was given."""
        now = self._clock()
        for row in self._outbox.list(["pending"], lane.receiver.name, limit=LOOK_BACK).items:
            if ASKED_TO_WAIT in (row.error or "") and row.not_before > now:
                lane.hold(self._real.now(), (row.not_before - now).total_seconds())
                lane.asked_to_wait = True

    def _may_call(self, lane: Lane, began: float) -> bool:
        """Wait for the lane's turn; false where the lease or this process may end first."""
        moment = self._real.now()
        if self._stop.is_set() or lane.blocked(moment) or moment - began > self._lease.total_seconds() / 2:
            return False
        self._real.sleep(lane.wait_s(moment))
        return True

    def _deliver(self, lane: Lane, rows: Sequence[StoredAlert]) -> None:
        receiver, subject = lane.receiver, rows[0].subject
        unsure = any(is_unsure(row) for row in rows)
        try:
            composed = self._composer.compose(receiver, rows, self._clock())
            if composed is None:
                self._park(rows, "the incident is no longer stored")
                return
            if composed.over is not None:
                self._cancel(lane, subject, composed)
                return
            unsure = composed.notice.uncertain
            self._tell(lane, subject, composed)
        except NotifyError as error:
            self._failed(lane, rows, error, unsure=unsure)
        except StoreUnavailable:
            raise  # the lease ends by itself, and the next worker looks before it sends
        except Exception as error:  # one odd message must not stop the rest
            log.exception("alert_failed", receiver=receiver.name, subject=subject)
            odd = Unanswered(receiver.name, f"could not be written ({type(error).__name__})")
            self._failed(lane, rows, odd, unsure=unsure)

    def _tell(self, lane: Lane, subject: str, composed: Composed) -> None:
        notice = composed.notice
        ref = notice.remote_ref
        if not lane.was_told(subject, notice.summaries):
            ref = lane.receiver.notify(notice)
            repeat = notice.uncertain and lane.receiver.updates != "in_place"
            lane.succeeded(self._real.now(), self._clock(), repeat=repeat)
            log.info("alert_sent", receiver=lane.receiver.name, subject=subject, reason=notice.reason)
        for row_id in composed.row_ids:
            self._outbox.sent(row_id, ref, self._clock())
        lane.remember(subject, notice.summaries)

    def _cancel(self, lane: Lane, subject: str, composed: Composed) -> None:
        for row_id in composed.row_ids:
            self._outbox.cancel(row_id, composed.over or "")
        log.info("alert_cancelled", receiver=lane.receiver.name, subject=subject, reason=composed.over)

    def _failed(self, lane: Lane, rows: Sequence[StoredAlert], error: NotifyError, *, unsure: bool) -> None:
        text = error.reason + (UNSURE if unsure or isinstance(error, Unanswered) else "")
        names = {"receiver": lane.receiver.name, "subject": rows[0].subject, "error": text}
        if error.permanent:
            lane.refused(self._real.now(), error)
            self._park(rows, text)
            log.error("alert_parked", **names)
            return
        wait = lane.failed(self._real.now(), error)
        if error.retry_after is not None:
            text += ASKED_TO_WAIT
        self._retry(rows, wait, text)
        log.warning("alert_delayed", **names, wait=round(wait, 1))

    def _put_back(self, lane: Lane, rows: Sequence[StoredAlert]) -> None:
        """Give rows back untried until the receiver may be called again."""
        text = f"waiting for {lane.receiver.name}"
        if any(is_unsure(row) for row in rows):
            text += UNSURE
        if lane.asked_to_wait:
            text += ASKED_TO_WAIT
        self._retry(rows, lane.wait_s(self._real.now()), text)

    def _retry(self, rows: Sequence[StoredAlert], wait_s: float, text: str) -> None:
        due = self._clock() + timedelta(seconds=wait_s)
        for row in rows:
            self._outbox.retry(row.id, due, text)

    def _park(self, rows: Sequence[StoredAlert], reason: str) -> None:
        for row in rows:
            self._outbox.park(row.id, reason)


def _can_wait(rows: Sequence[StoredAlert]) -> bool:
    return all(row.kind in UPDATES for row in rows)
