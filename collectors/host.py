"""This host's own metrics: processor, memory, disks, load and network errors."""

import socket
import time
from datetime import datetime
from pathlib import Path

import psutil

from collectors.collector import Collected, Position
from collectors.intake import Intake
from collectors.settings import HostSource

_FIRST_LOOK_S = 0.2


class HostCollector:
    """Reads what the operating system says about itself.

    The processor's share is over the time since the previous read; the first one looks for a moment.
    """

    kind = "host"

    def __init__(self, settings: HostSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._host = settings.host or socket.gethostname() or "localhost"
        self._before: tuple[float, float] | None = None

    def collect(self, since: Position, now: datetime) -> Collected:  # noqa: ARG002 - the host has no past
        intake = Intake(self._settings)
        labels = {"host": self._host}

        def put(metric: str, value: float, unit: str, **more: str) -> None:
            intake.add_at(intake.row(metric, {**labels, **more}, unit=unit), now, value)

        put("cpu_percent", self._cpu_percent(), "percent")
        put("memory_percent", psutil.virtual_memory().percent, "percent")
        put("swap_percent", psutil.swap_memory().percent, "percent")
        put("load_per_cpu", psutil.getloadavg()[0] / (psutil.cpu_count() or 1), "ratio")
        for path in self._settings.disks:
            more = {"path": path} if len(self._settings.disks) > 1 else {}
            if Path(path).exists():
                put("disk_percent", psutil.disk_usage(path).percent, "percent", **more)
            else:
                intake.skip(f"disks: {path} does not exist")
        network = psutil.net_io_counters()
        if network is not None:
            errors = network.errin + network.errout + network.dropin + network.dropout
            intake.add_at(intake.row("network_errors", labels, kind="counter", unit="errors"), now, errors)
        return Collected(intake.batch(), (), Position(now), intake.notes())

    def _cpu_percent(self) -> float:
        """Share of the processors' time that was not idle, 0 to 100."""
        if self._before is None:
            self._before = _cpu_seconds()
            time.sleep(_FIRST_LOOK_S)
        busy_before, all_before = self._before
        busy, total = self._before = _cpu_seconds()
        return 100.0 * max(0.0, busy - busy_before) / max(total - all_before, 1e-9)


def _cpu_seconds() -> tuple[float, float]:
    times = psutil.cpu_times()
    # Guest time is already part of user time on Linux.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total
