"""Servers on loopback for the collectors."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_server import PrometheusServer, prometheus_binary
from raw_server import RawServer, counting_exporter


@pytest.fixture
def server() -> Iterator[RawServer]:
    one = RawServer()
    yield one
    one.close()


@pytest.fixture
def prometheus(server: RawServer, tmp_path: Path) -> Iterator[PrometheusServer]:
    """Scrapes `server`, which counts up with every scrape."""
    server.respond = counting_exporter()
    one = PrometheusServer(prometheus_binary(), tmp_path, server.url.removeprefix("http://"))
    yield one
    one.stop()
