"""`python -m evaluation.fake_model`: the fake model server as a process of its own."""

import argparse
import json
import signal
import sys
import threading

from evaluation.fake_model.behaviours import BEHAVIOURS
from evaluation.fake_model.server import FakeModelServer


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; prints one JSON line with the address."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.fake_model", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--behaviour", choices=sorted(BEHAVIOURS), default="honest")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer begins")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = FakeModelServer(given.behaviour, port=given.port, delay_s=given.delay)
    except OSError as error:
        sys.stderr.write(f"fake model: {error}\n")
        return 1
    with server:
        sys.stdout.write(json.dumps({"base_url": server.base_url, "model": f"fake-{given.behaviour}"}) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
