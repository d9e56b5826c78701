"""The demo as a visitor meets it: one command, and a diagnosed incident is on the page."""

from collections.abc import Iterator

import httpx2
import pytest
from service_process import ServiceProcess, eventually

# The figure to keep is 30 s on an idle machine; a test on a busy one must not measure time.
PATIENCE_S = 120


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("demo")
    with ServiceProcess(
        "demo", "--headless", "--port", "0", "--dir", str(folder), wait_s=PATIENCE_S, fresh=True
    ) as process:
        yield process


def _causes(demo: ServiceProcess) -> set[tuple[str, str]]:
    items = demo.get("/api/v1/diagnoses", limit=50)["items"]
    found = [one["primary_hypothesis"] for one in items if one["outcome"] == "cause_found"]
    return {(one["cause"], one["component"]) for one in found}


def _under_way_is_diagnosed(demo: ServiceProcess) -> bool:
    return ("venue_gateway_latency", "gateway:bybit") in _causes(demo)


def test_the_incident_under_way_is_diagnosed_with_its_cause(demo: ServiceProcess) -> None:
    eventually(lambda: _under_way_is_diagnosed(demo), PATIENCE_S, "the first incident was not diagnosed")


def test_the_page_shows_the_incident_with_cause_and_money(demo: ServiceProcess) -> None:
    eventually(lambda: _under_way_is_diagnosed(demo), PATIENCE_S)
    page = httpx2.get(demo.url, timeout=30).text
    assert "CRIT" in page.upper()
    assert "$" in page
    assert "bybit" in page.lower()


def test_every_source_of_the_desk_is_read_and_healthy(demo: ServiceProcess) -> None:
    wanted = {"desk-pnl", "desk-archive", "desk-metrics", "desk-logs", "desk-news", "desk-deploys"}

    def healthy() -> bool:
        sources = demo.get("/api/v1/sources")["items"]
        return wanted <= {one["name"] for one in sources if one["status"] == "ok"}

    eventually(healthy, PATIENCE_S, "a source is not healthy")


def test_an_incident_on_request_is_found_and_diagnosed(demo: ServiceProcess) -> None:
    eventually(lambda: _under_way_is_diagnosed(demo), PATIENCE_S)
    demo.post("/api/v1/demo/incidents", {"kind": "connection_pool_exhaustion"})
    eventually(
        lambda: ("connection_pool_exhaustion", "database:trades") in _causes(demo),
        PATIENCE_S,
        "the incident on request was not diagnosed",
    )


def test_sigterm_ends_the_demo_and_its_desk_in_order(demo: ServiceProcess) -> None:
    eventually(lambda: demo.get("/api/v1/cycles")["items"], PATIENCE_S)
    assert demo.terminate() == 0
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(f"{demo.url}/health", timeout=2)
