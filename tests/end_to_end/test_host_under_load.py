"""A real Prometheus scrapes this host; the CPU is loaded; the anomaly and its diagnosis name it."""

import multiprocessing
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_server import PrometheusServer, prometheus_binary
from service_process import ServiceProcess, eventually, write_config

INTERVAL_S = 2
QUIET_S = 150
SOURCE = """
[[sources]]
name = "prometheus"
kind = "prometheus"
url = "{url}"
allow_private_addresses = true
deadline_seconds = 5
step_seconds = {step}
backfill_hours = 0.05
[[sources.queries]]
query = '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{{mode="idle"}}[6s])))'
metric = "cpu_percent"
unit = "%"
labels = {{ instance = "host" }}
[[sources.queries]]
query = "node_load1"
metric = "load_average"
labels = {{ job = "", instance = "host" }}
"""


@contextmanager
def node_exporter() -> Iterator[int]:
    """Debian's exporter of host metrics on a free loopback port."""
    binary = shutil.which("prometheus-node-exporter")
    if binary is None:
        pytest.skip("prometheus-node-exporter is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [binary, f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.endurance
@pytest.mark.prometheus
def test_a_loaded_cpu_is_found_and_named(tmp_path: Path) -> None:
    with node_exporter() as port:
        target = f"127.0.0.1:{port}"
        server = PrometheusServer(prometheus_binary(), tmp_path, target)
        try:
            _watch_and_load(tmp_path, server, target)
        finally:
            server.stop()


def _watch_and_load(folder: Path, server: PrometheusServer, target: str) -> None:
    sections = [SOURCE.format(url=server.url, step=INTERVAL_S)]
    config = write_config(folder, sections, interval_s=INTERVAL_S)
    with ServiceProcess("serve", "--config", str(config)) as process:
        time.sleep(QUIET_S)
        workers = [
            multiprocessing.Process(target=_spin, args=(40,)) for _ in range(multiprocessing.cpu_count())
        ]
        for worker in workers:
            worker.start()
        try:
            found = eventually(lambda: _cpu_diagnoses(process), 60, "the load was not diagnosed")
        finally:
            for worker in workers:
                worker.join()
    assert found[0]["primary_hypothesis"]["cause"] == "cpu_saturation", found[0]["executive_summary"]
    assert found[0]["primary_hypothesis"]["component"] == f"host:{target}"


def _cpu_diagnoses(process: ServiceProcess) -> list[dict[str, object]]:
    items = process.get("/api/v1/diagnoses", limit=50)["items"]
    return [one for one in items if one["status"] == "done" and "cpu_percent" in str(one["affected_metrics"])]
