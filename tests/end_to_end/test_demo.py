"""The demo as a visitor meets it: one command, and a diagnosed incident is on the page."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from service_process import ServiceProcess, eventually

# The figure to keep is 30 s on an idle machine; a test on a busy one must not measure time.
PATIENCE_S = 120


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("demo")
    with ServiceProcess(
        "demo", "--headless", "--port", "0", "--dir", str(folder), wait_s=PATIENCE_S
    ) as process:
        yield process


def _diagnosed(demo: ServiceProcess) -> list[dict[str, object]]:
    items = demo.get("/api/v1/diagnoses", limit=50)["items"]
    return [one for one in items if one["outcome"] == "cause_found"]


def test_the_incident_under_way_is_diagnosed_with_its_cause(demo: ServiceProcess) -> None:
    found = eventually(lambda: _diagnosed(demo), PATIENCE_S, "no incident was diagnosed")
    causes = {(one["primary_hypothesis"]["cause"], one["primary_hypothesis"]["component"]) for one in found}
    assert ("venue_gateway_latency", "gateway:bybit") in causes


def test_the_page_shows_the_incident_with_cause_and_money(demo: ServiceProcess) -> None:
    eventually(lambda: _diagnosed(demo), PATIENCE_S)
    page = httpx2.get(demo.url, timeout=30).text
    assert "CRIT" in page.upper()
    assert "$" in page
    assert "bybit" in page.lower()


def test_every_source_of_the_desk_is_read_and_healthy(demo: ServiceProcess) -> None:
    sources = eventually(
        lambda: [one for one in demo.get("/api/v1/sources")["items"] if one["status"] == "ok"], PATIENCE_S
    )
    assert {"desk-pnl", "desk-archive", "desk-metrics", "desk-logs", "desk-news"} <= {
        one["name"] for one in sources
    }


def test_an_incident_on_request_is_found_and_diagnosed(demo: ServiceProcess) -> None:
    eventually(lambda: _diagnosed(demo), PATIENCE_S)
    before = {one["id"] for one in demo.get("/api/v1/diagnoses", limit=50)["items"]}
    demo.post("/api/v1/demo/incidents", {"kind": "connection_pool_exhaustion"})

    def named() -> bool:
        items = demo.get("/api/v1/diagnoses", limit=50)["items"]
        news = [one for one in items if one["id"] not in before and one["primary_hypothesis"]]
        return any(one["primary_hypothesis"]["cause"] == "connection_pool_exhaustion" for one in news)

    eventually(named, PATIENCE_S, "the injected incident was not diagnosed")


def test_sigterm_ends_the_demo_and_its_desk_in_order(tmp_path: Path) -> None:
    with ServiceProcess(
        "demo", "--headless", "--port", "0", "--dir", str(tmp_path), wait_s=PATIENCE_S
    ) as process:
        eventually(lambda: process.get("/api/v1/cycles")["items"], PATIENCE_S)
        assert process.terminate() == 0
        time.sleep(0.5)
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"{process.url}/health", timeout=2)
