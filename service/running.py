"""The life of the process: bind, build, start, serve, and leave in order."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import structlog

from api.server import bind, build_server
from service.clock import Clock, system_clock
from service.logs import configure_logs
from service.redaction import redactor_of
from service.settings import Settings
from service.wiring import DemoDesk, build_service

log = structlog.get_logger()


def run_service(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    speed: float = 1.0,
    desk: DemoDesk | None = None,
    ready: Callable[[str], None] = lambda _url: None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Args:
        settings: the configuration.
        clock: the service's clock; the demo's runs faster than the wall.
        speed: how much faster.
        desk: the demo desk, if this is the demo.
        ready: called with the address once the socket is bound and the service is built.

    Raises:
        ConfigurationError: something of the configuration cannot work; nothing was started.
    """
    configure_logs(redactor_of(settings, os.environ))
    listening = bind(settings.server, settings.tokens)
    service = build_service(settings, clock=clock, speed=speed, desk=desk)
    _leave_quietly()
    host, port = listening.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    service.start()
    try:
        sys.stderr.write(f"LLM Analyst serves {url}\n")
        ready(url)
        build_server(service.app, service.live, settings.server).run(sockets=[listening])
    finally:
        drained = service.stop()
    if not drained:
        # A cycle that does not end must not keep the process; the next start records it as interrupted.
        sys.stderr.flush()
        os._exit(0)
    return 0


def _leave_quietly() -> None:
    """The server raises its signal again once it has ended; by then we are leaving in order anyway."""

    def ignore(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _interrupted():
            # A second Ctrl-C means now.
            os._exit(130)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ignore)


_interrupts = 0


def _interrupted() -> bool:
    global _interrupts  # noqa: PLW0603 -- signals belong to the process
    _interrupts += 1
    return _interrupts > 1
