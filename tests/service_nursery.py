"""Starts `analyst` processes without the seconds that its imports take: forks of one that has them.

A child is a process like any other: its own session, sockets, database and log; kill -9 ends it at once.
The nursery itself runs nothing. Between it and a child stands a keeper that waits for its exit status.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
HEAVY = (
    "service.cli",
    "service.running",
    "service.demo",
    "mcp.server.lowlevel.server",
    "mcp.server.streamable_http_manager",
    "slack_sdk.web.client",
    "ruptures",
    "sklearn.ensemble",
)
LONGEST_ORDER = 1 << 20


class Child:
    """A forked `analyst`, driven as a `subprocess.Popen` would be."""

    def __init__(self, keeper: socket.socket) -> None:
        self._keeper = keeper.makefile("rb")
        self.pid = int(self._keeper.readline())
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._wait, name="keeper", daemon=True).start()

    def _wait(self) -> None:
        line = self._keeper.readline()
        self._keeper.close()
        self.returncode = int(line) if line else -signal.SIGKILL
        self._ended.set()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self.returncode if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"analyst (process {self.pid})", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As `os.kill`, to a process that has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """The way to the process that forks; it ends when this one lets go of it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_ORDER)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self.close)

    def born(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        printed: IO[bytes],
        complained: IO[bytes] | None = None,
    ) -> Child:
        """A new `analyst ARGUMENTS`, with files for what it prints; errors go to the first one as well."""
        order = json.dumps({"arguments": [*arguments], "environ": {**environ}}).encode()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._guard:
                files = [printed.fileno(), (complained or printed).fileno(), theirs.fileno()]
                socket.send_fds(self._orders, [order], files)
            return Child(ours)

    def close(self) -> None:
        """Children live on."""
        self._orders.close()
        self._process.wait(60)


@cache
def nursery() -> Nursery:
    """One for all tests of a process."""
    return Nursery()


def main(orders: socket.socket) -> None:
    """Fork a keeper for each order until nobody can give one."""
    for name in HEAVY:
        __import__(name)
    # What the collector never looks at is never copied for a child.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, LONGEST_ORDER, 3)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _keep(json.loads(order), *descriptors)
            os._exit(0)
        for one in descriptors:
            os.close(one)


def _keep(order: dict[str, Any], printed: int, complained: int, answers: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.close(answers)
        _live(order, printed, complained)
    os.close(printed)
    os.close(complained)
    os.write(answers, f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _live(order: dict[str, Any], printed: int, complained: int) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (complained, 2)):
        os.dup2(source, target)
    os.closerange(3, 64)
    os.environ.clear()
    os.environ.update(order["environ"])
    from service.cli import main as analyst  # noqa: PLC0415 -- after the imports of the nursery

    sys.argv = ["analyst", *order["arguments"]]
    try:
        analyst()
    except SystemExit as left:
        _leave(left.code if isinstance(left.code, int) else 1)


def _leave(code: int) -> None:
    """End as the interpreter does, but for taking apart all that was imported, which takes seconds."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
