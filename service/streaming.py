"""Judges pushed samples soon after they arrived, between the slots of the scheduler."""

import threading
import time
from collections.abc import Callable

import structlog

from domain.errors import AnalystError

log = structlog.get_logger()
# A pass may take at most this share of the time, however much is pushed.
BUSY_SHARE = 0.2
# But one slow pass, such as the very first one, must not make the next event wait for long.
MAX_EXTRA_REST_S = 2.0


class PushPasses:
    """A thread that looks for unread samples and has them judged; it rests while there are none.

    The journal is asked instead of the REST door, so that what another replica took in counts as well.

    Args:
        delay_s: wall seconds between two looks; a pass begins at most this long after a push.
        unread: whether samples are stored that the windows have not taken in.
        leading: whether this process runs the cycles.
        judge: judges what is unread; tells nobody but stores everything.
    """

    def __init__(
        self,
        delay_s: float,
        unread: Callable[[], bool],
        leading: Callable[[], bool],
        judge: Callable[[], None],
    ) -> None:
        self._delay_s = delay_s
        self._unread = unread
        self._leading = leading
        self._judge = judge
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="push-passes", daemon=True)

    def start(self) -> None:
        """Begin to look; without a delay pushes wait for the next cycle."""
        if self._delay_s:
            self._thread.start()

    def stop(self, timeout: float = 25.0) -> None:
        """End after the pass that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _work(self) -> None:
        rest = self._delay_s
        while not self._stopping.wait(rest):
            started = time.monotonic()
            try:
                if self._leading() and self._unread():
                    self._judge()
            except AnalystError as error:
                log.warning("pushed samples wait for the next cycle", reason=str(error))
            except Exception:
                log.exception("pushed samples wait for the next cycle")
            took = time.monotonic() - started
            rest = max(self._delay_s, min(took / BUSY_SHARE, took + MAX_EXTRA_REST_S))
