"""Judges pushed samples soon after they arrived, between the slots of the scheduler."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from domain.errors import AnalystError
from domain.incident import Incident

log = structlog.get_logger()
# A pass may take at most this share of the time, however much is pushed.
BUSY_SHARE = 0.2
# But one slow pass, such as the very first one, must not make the next event wait for long.
MAX_EXTRA_REST_S = 1.0


class PushPasses:
    """A thread that looks for unread samples and has them judged; it rests while there are none.

    The journal is asked instead of the REST door, so that what another replica took in counts as well. What
    changed is diagnosed by a second thread: the next push is judged and told while the last is explained.

    Args:
        delay_s: wall seconds between two looks; a pass begins at most this long after a push.
        unread: whether samples are stored that the windows have not taken in.
        leading: whether this process runs the cycles.
        judge: judges what is unread, stores and tells it, and returns the incidents that changed.
        diagnose: investigates incidents.
    """

    def __init__(
        self,
        delay_s: float,
        unread: Callable[[], bool],
        leading: Callable[[], bool],
        judge: Callable[[], Sequence[Incident]],
        diagnose: Callable[[Sequence[Incident]], None],
    ) -> None:
        self._delay_s = delay_s
        self._unread = unread
        self._leading = leading
        self._judge = judge
        self._diagnose = diagnose
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._waiting: dict[str, Incident] = {}
        self._threads = [
            threading.Thread(target=self._pass, name="push-passes", daemon=True),
            threading.Thread(target=self._explain, name="push-diagnoses", daemon=True),
        ]

    def start(self) -> None:
        """Begin to look; without a delay pushes wait for the next cycle."""
        if self._delay_s:
            for one in self._threads:
                one.start()

    def stop(self, timeout: float = 25.0) -> None:
        """End after the pass that is under way, and after what it changed was looked into."""
        self._stopping.set()
        passes, diagnoses = self._threads
        if passes.is_alive():
            passes.join(timeout)
        with self._changed:
            self._changed.notify_all()
        if diagnoses.is_alive():
            diagnoses.join(timeout)

    def _pass(self) -> None:
        rest = self._delay_s
        while not self._stopping.wait(rest):
            started = time.monotonic()
            with _told("pushed samples wait for the next cycle"):
                if self._leading() and self._unread():
                    self._remember(self._judge())
            took = time.monotonic() - started
            rest = max(self._delay_s, min(took / BUSY_SHARE, took + MAX_EXTRA_REST_S))

    def _remember(self, incidents: Sequence[Incident]) -> None:
        """One that changes again before its turn is diagnosed as it is then."""
        with self._changed:
            self._waiting.update((one.id, one) for one in incidents)
            self._changed.notify_all()

    def _explain(self) -> None:
        while incidents := self._next():
            with _told("incidents wait for their next change to be diagnosed"):
                self._diagnose(incidents)

    def _next(self) -> Sequence[Incident]:
        """What waits to be explained, once something does; nothing when all is done and over."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._stopping.is_set())
            incidents = tuple(self._waiting.values())
            self._waiting.clear()
            return incidents


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Log what fails, and go on."""
    try:
        yield
    except AnalystError as error:
        log.warning(what, reason=str(error))
    except Exception:
        log.exception(what)
