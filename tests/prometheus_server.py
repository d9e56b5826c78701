"""A real Prometheus server for tests."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest


def prometheus_binary() -> str:
    found = os.environ.get("PROMETHEUS_BIN") or shutil.which("prometheus")
    if found is None:
        pytest.skip("no prometheus binary: install the package `prometheus` or set PROMETHEUS_BIN")
    return found


class PrometheusServer:
    """A real Prometheus that scrapes one exporter every second."""

    def __init__(self, binary: str, folder: Path, target: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            f"  - {{job_name: desk, static_configs: [{{targets: ['{target}']}}]}}\n",
            encoding="utf-8",
        )
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()
