"""The real service in a process of its own, driven from outside as a user would."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import httpx2
from service_nursery import Child, nursery

ROOT = Path(__file__).parents[1]
_URL = re.compile(rb"serves (http://\S+)")


class ServiceProcess:
    """`analyst ARGUMENTS` with its address once it serves; ends with the block.

    Args:
        arguments: of the command.
        environ: what is added to the environment.
        wait_s: how long it may take until it serves.
        fresh: start an interpreter of its own, which imports everything anew, instead of a fork of one that
            has; some seconds slower.
    """

    def __init__(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        wait_s: float = 60.0,
        fresh: bool = False,
    ) -> None:
        self._fresh = fresh
        self._arguments = arguments
        self._environ = {**os.environ, **(environ or {})}
        self._wait_s = wait_s
        self.url = ""

    def __enter__(self) -> Self:
        self.log: IO[bytes] = tempfile.TemporaryFile()
        self.process = self._born()
        try:
            self.url = self._address()
        except BaseException:
            self.kill()
            self.log.close()
            raise
        return self

    def _born(self) -> "Child | subprocess.Popen[bytes]":
        if not self._fresh:
            return nursery().born(self._arguments, self._environ, self.log)
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", *self._arguments],
            cwd=ROOT,
            env=self._environ,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.log.close()

    def output(self) -> str:
        """Everything that it printed so far."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def _address(self) -> str:
        deadline = time.monotonic() + self._wait_s
        while time.monotonic() < deadline:
            found = _URL.search(self.output().encode())
            if found:
                url = found[1].decode()
                if _answers(url):
                    return url
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the service did not start:\n{self.output()[-4_000:]}")

    def kill(self) -> None:
        """kill -9, its children included."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, timeout_s: float = 30.0) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer of a GET that succeeds."""
        answer = httpx2.get(f"{self.url}{path}", params=params, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer of a POST that succeeds."""
        answer = httpx2.post(f"{self.url}{path}", json=body, timeout=60)
        assert answer.status_code in {200, 201, 202}, answer.text
        return answer.json()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


def eventually(check: Any, timeout_s: float, why: str = "") -> Any:
    """The first truthy result of a check that is tried until then."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        result = check()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(why or "it did not happen in time")


def write_config(
    folder: Path, sections: Sequence[str] = (), *, url: str | None = None, interval_s: int = 300
) -> Path:
    """A configuration on a free port, with its database in the folder unless a URL is given."""
    path = folder / "analyst.toml"
    base = f"""
[database]
url = "{url or f"sqlite:///{folder / 'analyst.db'}"}"
[server]
port = 0
[scheduler]
interval_seconds = {interval_s}
"""
    path.write_text("\n".join([base, *sections]), encoding="utf-8")
    return path
