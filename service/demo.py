"""The demo: a simulated desk in a process of its own, and the real service in front of its doors."""

import json
import queue
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx2

from api.server import bind
from api.settings import ServerSettings
from collectors.simulator.kinds import KINDS
from collectors.simulator.sources import desk_configuration
from domain.errors import ConfigurationError, NotFound, SourceError
from domain.series import floor_to_step
from domain.timestamps import parse_rfc3339
from service.clock import AcceleratedClock
from service.demo_model import fake_model
from service.running import run_service
from service.settings import Settings, settings_from

READY_SECONDS = 60.0
STEP_S = 300


def run_demo(  # noqa: PLR0913 -- one argument per option
    *,
    port: int,
    seed: int,
    speed: float,
    headless: bool,
    start: str | None,
    directory: Path,
    llm: str | None = None,
) -> int:
    """Start the desk, serve it, and end both together; with a fake model server where asked for."""
    begin = parse_rfc3339(start, "--start") if start else floor_to_step(datetime.now(UTC), STEP_S)
    # A port in use is said before the history is built.
    bind(ServerSettings(port=port)).close()
    directory.mkdir(parents=True, exist_ok=True)
    sys.stderr.write(f"building 14 days of history in {directory} ...\n")
    with (
        SimulatedDesk(seed=seed, start=begin, speed=speed, directory=directory) as desk,
        fake_model(llm) as model,
    ):
        shown = desk.ready["clock"]
        clock = AcceleratedClock(parse_rfc3339(shown["start"]), float(shown["wall_start"]), shown["speed"])
        settings = _settings(desk.ready, directory, port, model)
        return run_service(settings, clock=clock, speed=speed, desk=desk, ready=_announce(headless=headless))


def _settings(ready: dict[str, Any], directory: Path, port: int, model: Mapping[str, Any] | None) -> Settings:
    content = desk_configuration(ready)
    if model is not None:
        content["llm"] = dict(model)
    content["database"] = {"url": f"sqlite:///{directory / 'analyst.db'}"}
    content["server"] = {"port": port}
    return settings_from(content)


def _announce(*, headless: bool) -> Any:
    def ready(url: str) -> None:
        sys.stderr.write(f"the simulated desk is running; open {url}\n")
        if not headless:
            threading.Timer(1.0, webbrowser.open, [url]).start()

    return ready


class SimulatedDesk:
    """The process of the simulator; ends with the block."""

    def __init__(self, *, seed: int, start: datetime, speed: float, directory: Path) -> None:
        self._command = [
            *(sys.executable, "-m", "collectors.simulator"),
            *("--seed", str(seed), "--start", start.isoformat(), "--speed", str(speed)),
            *("--dir", str(directory / "desk")),
        ]
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 -- our own module, our own arguments
            self._command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            self.ready = json.loads(self._first_line())
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _first_line(self) -> str:
        lines: queue.Queue[str] = queue.Queue()
        output = self._process.stdout
        assert output is not None
        threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            line = ""
        if not line.strip():
            raise ConfigurationError("demo", "the simulated desk did not start; its message is above")
        return line

    @property
    def kinds(self) -> tuple[str, ...]:
        """The incidents that can be injected."""
        return tuple(KINDS)

    def inject(self, kind: str) -> dict[str, Any]:
        """Start an incident now; returns what the desk says about it."""
        if kind not in self.kinds:
            raise NotFound("kind of demo incident", kind)
        try:
            answer = httpx2.post(self.ready["incidents"], json={"kind": kind}, timeout=10)
        except httpx2.HTTPError as error:
            raise SourceError("demo", f"the simulated desk does not answer: {type(error).__name__}") from None
        if answer.is_error:
            raise SourceError("demo", f"the simulated desk refused: HTTP {answer.status_code}")
        said: dict[str, Any] = answer.json()
        return said
