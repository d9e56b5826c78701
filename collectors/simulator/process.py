"""The simulator as a process of its own: history, a ready line, then live steps until told to stop."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from collectors.simulator.clock import SimulatedClock
from collectors.simulator.doors import DeskServer
from collectors.simulator.layout import STEP_S
from collectors.simulator.schedule import FIRST_KIND, Schedule
from collectors.simulator.simulation import Simulation
from domain.timestamps import format_rfc3339

_LONGEST_WAIT_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: see the command's help."""

    seed: int
    start: datetime
    speed: float
    folder: Path
    port: int = 0
    every: timedelta | None = timedelta(minutes=100)
    first: str | None = FIRST_KIND


def run(
    options: Options, wall: Callable[[], float], announce: Callable[[str], None], stop: threading.Event
) -> None:
    """Run until `stop` is set or the parent process is gone.

    Args:
        options: what to simulate.
        wall: seconds since 1970 of the wall clock.
        announce: gets the ready line.
        stop: set by whoever wants the end.

    Raises:
        OSError: the port is in use or the folder cannot be written.
    """
    parent = os.getppid()
    schedule = Schedule(options.seed, options.start, options.every, options.first)
    simulation = Simulation(options.seed, options.start, options.folder.resolve(), schedule)
    simulation.write_history()
    clock = SimulatedClock(options.start, options.speed, wall(), wall)
    with DeskServer(options.port, simulation, clock.now) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        announce(json.dumps(ready_line(options, simulation, clock, server.url)))
        try:
            _live(simulation, clock, stop, lambda: os.getppid() != parent)
        finally:
            server.shutdown()
            simulation.close()


def _live(
    simulation: Simulation, clock: SimulatedClock, stop: threading.Event, orphaned: Callable[[], bool]
) -> None:
    while not stop.is_set() and not orphaned():
        wait = clock.wall_seconds_until(simulation.due)
        if wait <= 0:
            simulation.step()
        else:
            stop.wait(min(wait, _LONGEST_WAIT_S))


def ready_line(options: Options, simulation: Simulation, clock: SimulatedClock, url: str) -> dict[str, Any]:
    """Where every door is, and the two numbers that define the clock."""
    folder = options.folder.resolve()
    return {
        "event": "ready",
        "pid": os.getpid(),
        "seed": options.seed,
        "step_seconds": STEP_S,
        "history_start": format_rfc3339(simulation.history_start),
        "clock": {
            "start": format_rfc3339(clock.start),
            "speed": clock.speed,
            "wall_start": clock.wall_start,
        },
        "database": f"sqlite:///{folder / 'desk.sqlite'}",
        "archive": str(folder / "archive"),
        "logs": str(folder / "logs"),
        "metrics": f"{url}/metrics",
        "news": f"{url}/news.xml",
        "events": f"{url}/events.json",
        "incidents": f"{url}/incidents",
        "truth": f"{url}/truth",
    }
