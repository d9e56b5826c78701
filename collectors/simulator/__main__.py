"""`python -m collectors.simulator`: run a simulated desk until SIGTERM or until the parent is gone."""

import argparse
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collectors.simulator.kinds import KINDS
from collectors.simulator.process import Options, run
from collectors.simulator.schedule import FIRST_KIND
from domain.errors import AnalystError
from domain.timestamps import parse_rfc3339


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m collectors.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed and start give the same desk")
    parser.add_argument("--start", help="simulated time of the live start, RFC 3339; default: now")
    parser.add_argument("--speed", type=float, default=60.0, help="simulated seconds per second")
    parser.add_argument("--dir", type=Path, required=True, help="folder for database, archive and logs")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--every", type=float, default=100, help="minutes between incidents; 0 for none")
    parser.add_argument("--first", choices=[*KINDS, "none"], default=FIRST_KIND)
    given = parser.parse_args(arguments)
    if given.seed < 0 or not 0 < given.speed <= 100_000:
        parser.error("--seed must not be negative and --speed must be above 0 and at most 100000")
    try:
        start = parse_rfc3339(given.start, "--start") if given.start else datetime.now(UTC)
    except AnalystError as error:
        parser.error(str(error))
    options = Options(
        given.seed,
        start,
        given.speed,
        given.dir,
        given.port,
        timedelta(minutes=given.every) if given.every else None,
        None if given.first == "none" else given.first,
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(options, time.time, _announce, stop)
    except OSError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    return 0


def _announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
