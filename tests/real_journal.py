"""A real journal: systemd-journald in a namespace of its own, written to by a process of a unit."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_DAEMON = Path("/lib/systemd/systemd-journald")
_UNITS = Path("/sys/fs/cgroup/unified/system.slice")
# Where systemd itself runs, its control groups are none of our business.
_SYSTEMD = Path("/run/systemd/system")
_SENDER = """
import socket, sys
door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for line in sys.stdin:
    level, _, message = line.rstrip("\\n").partition(" ")
    door.sendto(f"MESSAGE={message}\\nPRIORITY={level}\\n".encode(), sys.argv[1])
sys.stdin.read()
"""


@dataclass(frozen=True)
class RealJournal:
    """Args: `program` reads it as `journalctl` would, `namespace` names it."""

    program: str
    namespace: str

    def write(self, unit: str, lines: list[tuple[int, str]]) -> None:
        """Let a process in the control group of a unit send messages with their priorities."""
        group = _UNITS / unit
        group.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{priority} {message}\n" for priority, message in lines)
        door = f"/run/systemd/journal.{self.namespace}/socket"
        sender = subprocess.Popen([sys.executable, "-c", _SENDER, door], stdin=subprocess.PIPE, text=True)
        assert sender.stdin is not None
        try:
            (group / "cgroup.procs").write_text(str(sender.pid))
            sender.stdin.write(text)
            sender.stdin.flush()
            # The journal looks the unit up while the sender lives.
            self._wait_for(unit, lines[-1][1])
        finally:
            sender.stdin.close()
            sender.wait(10)
            for one in (group, _UNITS):
                with suppress(OSError):
                    one.rmdir()

    def _wait_for(self, unit: str, message: str) -> None:
        until = time.monotonic() + 5
        while message not in self.printed(unit):
            if time.monotonic() > until:
                raise RuntimeError("the journal did not take the messages under their unit")
            time.sleep(0.05)

    def printed(self, *units: str) -> str:
        """What `journalctl -o json` prints."""
        command = [self.program, "-o", "json", "--no-pager", "--quiet", *(f"--unit={one}" for one in units)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def real_journal(folder: Path) -> Iterator[RealJournal | None]:
    """A running journal; None where it cannot run: not root, or not installed, or systemd itself runs."""
    journalctl = shutil.which("journalctl")
    able = os.geteuid() == 0 and _DAEMON.exists() and _UNITS.parent.is_dir() and not _SYSTEMD.exists()
    if journalctl is None or not able:
        yield None
        return
    name = f"desk{os.getpid()}"
    program = folder / "journalctl"
    program.write_text(f'#!/bin/sh\nexec {journalctl} --namespace={name} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    daemon = subprocess.Popen([_DAEMON, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        door = Path(f"/run/systemd/journal.{name}/socket")
        until = time.monotonic() + 5
        while not door.exists() and time.monotonic() < until and daemon.poll() is None:
            time.sleep(0.02)
        journal = RealJournal(str(program), name)
        yield journal if door.exists() and _knows_units(journal) else None
    finally:
        daemon.terminate()
        daemon.wait(10)
        shutil.rmtree(f"/run/systemd/journal.{name}", ignore_errors=True)
        for left in Path("/var/log/journal").glob(f"*.{name}"):
            shutil.rmtree(left, ignore_errors=True)


def _knows_units(journal: RealJournal) -> bool:
    """Whether entries come out under the unit of their sender; some containers hide control groups."""
    try:
        journal.write("probe.service", [(6, "probe")])
    except (OSError, RuntimeError, subprocess.SubprocessError):
        return False
    return True
