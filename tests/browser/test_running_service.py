"""The whole service in a process of its own: many tabs, a killed server, the demo up to the diagnosis."""

import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from browser_watch import Watch
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from service_process import ServiceProcess, eventually, write_config

DOT = "#live-dot"
LATENCY = 'order_ack_latency_ms{venue="bybit"}'
_AXIS_PX, _RIGHT_PX = 64, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[ServiceProcess]:
    """The demo at a minute per second."""
    options = ("--port", "0", "--headless", "--speed", "60", "--seed", "7", "--dir", str(folder))
    with ServiceProcess("demo", *options) as running:
        yield running


def _cycle(page: Page) -> int:
    found = re.search(r"cycle (\d+)", page.locator("#pulse").inner_text())
    return int(found[1]) if found else 0


def test_twelve_tabs_share_one_stream_and_all_see_the_next_cycle(
    context: BrowserContext, demo: ServiceProcess
) -> None:
    pages = [context.new_page() for _ in range(12)]
    for page in pages:
        started = time.monotonic()
        page.goto(f"{demo.url}/status")
        expect(page.locator(DOT)).to_have_attribute("data-state", "live")
        assert time.monotonic() - started <= 5
    assert "analyst_streams 1.0" in httpx2.get(f"{demo.url}/metrics", timeout=10).text
    seen = max(map(_cycle, pages))
    for page in pages:
        eventually(lambda page=page: _cycle(page) > seen, 60, "a tab did not hear of the next cycle")


def _latency_incident(demo: ServiceProcess) -> dict[str, Any]:
    """The incident that is under way when the demo begins, once it is diagnosed."""

    def found() -> Any:
        items = demo.get("/api/v1/diagnoses", limit=50)["items"]
        causes = [(one, one["primary_hypothesis"] or {}) for one in items if one["status"] == "done"]
        mine = {one["incident_id"] for one, lead in causes if lead.get("cause") == "venue_gateway_latency"}
        incidents = [demo.get(f"/api/v1/incidents/{one}") for one in sorted(mine)]
        # By chance something small of the same cause may have been found beside it.
        return next((one for one in incidents if one["severity"] == "critical"), None)

    incident: dict[str, Any] = eventually(found, 60, "the first incident was not diagnosed")
    return incident


def _drag(page: Page, chart: Locator, first: datetime, last: datetime) -> None:
    """Brush a stretch of time; the chart's label says which times its edges are."""
    label = chart.get_attribute("aria-label") or ""
    clocks = re.search(r"from (\d\d):(\d\d) to (\d\d):(\d\d) UTC", label)
    assert clocks, label
    begin, end = (int(clocks[i]) * 60 + int(clocks[i + 1]) for i in (1, 3))
    span = (end - begin) % 1440
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    width = box["width"] - _AXIS_PX - _RIGHT_PX

    def x(at: datetime) -> float:
        return box["x"] + _AXIS_PX + width * (((at.hour * 60 + at.minute) - begin) % 1440) / span

    page.mouse.move(x(first), box["y"] + 60)
    page.mouse.down()
    page.mouse.move(x(last), box["y"] + 60, steps=4)
    page.mouse.up()


def test_a_brush_over_the_incident_lists_its_cause_among_the_first(
    context: BrowserContext, demo: ServiceProcess
) -> None:
    incident = _latency_incident(demo)
    onset = datetime.fromisoformat(incident["started_at"])
    until = onset + timedelta(minutes=40)
    eventually(lambda: datetime.fromisoformat(_now(demo)) >= until + timedelta(minutes=5), 60)
    hurt = eventually(lambda: _hurt(demo, incident["id"]), 60, "the incident consists of its cause alone")
    page = context.new_page()
    page.goto(f"{demo.url}/anomalies/{hurt['id']}?window=6h")
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    _drag(page, chart, onset, until)
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(page.locator("#movers [data-mover]").nth(4)).to_be_visible()
    first = [one.get_attribute("data-mover") for one in page.locator("#movers [data-mover]").all()[:5]]
    # What it made worse moved as far: slippage, rejected orders and the queue in front of the gateway.
    assert LATENCY in first, first


def _hurt(demo: ServiceProcess, incident_id: str) -> Any:
    """An anomaly of the incident that is not its cause, a loss where there is one."""
    ids = demo.get(f"/api/v1/incidents/{incident_id}")["anomaly_ids"]
    found = [demo.get(f"/api/v1/anomalies/{one}") for one in ids]
    others = [one for one in found if one["affected_metrics"][0] != LATENCY]
    return next(iter(sorted(others, key=lambda one: "pnl_data" not in one["data_sources"])), None)


def _now(demo: ServiceProcess) -> str:
    last: str = demo.get("/api/v1/cycles", limit=1)["items"][0]["scheduled_for"]
    return last


def test_the_chat_of_the_demo_answers_with_evidence(context: BrowserContext, demo: ServiceProcess) -> None:
    _latency_incident(demo)
    page = context.new_page()
    watch = Watch(page, demo.url)
    page.goto(f"{demo.url}/chat")
    expect(page.locator(DOT)).to_have_attribute("data-state", "live")
    page.locator("#question").fill("Why did PnL drop?")
    page.keyboard.press("Enter")
    answer = page.locator(".message.assistant").last
    expect(answer.locator("[data-step]").first).to_be_attached(timeout=1_000)
    expect(page.locator("#chat")).to_have_attribute("data-state", "idle")
    assert answer.locator("details").get_attribute("open") is None
    expect(answer.locator(".usage")).to_contain_text(re.compile(r"\d tokens?, \$"))
    # What is cited leads to where it is drawn.
    answer.locator(".cites a").first.click()
    expect(page.locator(".timechart canvas").first).to_be_visible()
    assert watch.faults == []


def test_a_button_of_the_demo_ends_in_a_diagnosis(context: BrowserContext, demo: ServiceProcess) -> None:
    page = context.new_page()
    watch = Watch(page, demo.url)
    page.goto(f"{demo.url}/demo")
    page.get_by_role("button", name="Venue gateway latency").click()
    expect(page.locator("#progress")).to_contain_text("waiting for the detectors")
    expect(page).to_have_url(re.compile("/diagnoses/D-"), timeout=60_000)
    expect(page.locator("#side h2").first).to_have_text("Do now")
    for path in ("/explore", "/explore?view=lines&candles=1&q=price", "/explore?view=pca", "/history", "/"):
        page.goto(f"{demo.url}{path}")
        expect(page.locator("h1")).to_be_visible()
    assert watch.faults == []


def test_a_stopped_collector_is_red_and_nothing_is_made_up(
    context: BrowserContext, demo: ServiceProcess, folder: Path
) -> None:
    """The last test of the demo: from here on its ledger of PnL cannot be read."""
    _latency_incident(demo)
    for path in (folder / "desk").glob("desk.sqlite*"):
        path.rename(path.with_name(f"gone-{path.name}"))

    def failed() -> Any:
        sources = {one["name"]: one for one in demo.get("/api/v1/sources")["items"]}
        return sources["desk-pnl"] if sources["desk-pnl"]["status"] == "failed" else None

    assert eventually(failed, 60, "the source did not fail")["last_error"]
    page = context.new_page()
    page.goto(f"{demo.url}/status")
    row = page.locator("#status tr", has_text="desk-pnl")
    expect(row.locator(".status-failed")).to_have_text("failed")
    expect(row.locator("td").nth(3)).to_have_text(re.compile(r"[\d,]+ s"))
    assert row.locator("td").nth(6).inner_text().strip()
    page.goto(demo.url)
    expect(page.locator("#warnings")).to_contain_text("Source desk-pnl is failed")
    affected = page.locator("[data-row]", has_text="pnl{").first
    expect(affected).to_contain_text("stale data: desk-pnl is failed")


class _Exporter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'queue_depth{queue="orders"} 3\n'
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' name
        """Requests are not logged."""


_SOURCE = """
[[sources]]
name = "exporter"
kind = "openmetrics"
url = "http://127.0.0.1:{port}/metrics"
allow_private_addresses = true
deadline_seconds = 1
retries = 0
"""


def test_without_data_a_diagnosis_is_inconclusive(page: Page, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Exporter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = write_config(tmp_path, [_SOURCE.format(port=server.server_port)], interval_s=2)
    with ServiceProcess("serve", "--config", str(config)) as desk:
        name = eventually(lambda: desk.get("/api/v1/series", metric="queue_depth")["items"], 60)[0]["name"]
        server.shutdown()
        server.server_close()
        eventually(lambda: desk.get("/api/v1/sources")["items"][0]["status"] == "failed", 60)
        stopped = _now(desk)
        eventually(lambda: _now(desk) > stopped, 30)
        asked = {"start_time": stopped, "end_time": _now(desk), "affected_metrics": [name]}
        answer = httpx2.post(f"{desk.url}/api/v1/diagnoses", params={"wait": 60}, json=asked, timeout=90)
        assert answer.json()["outcome"] == "inconclusive", answer.text
        page.goto(f"{desk.url}/diagnoses/{answer.json()['id']}")
        expect(page.locator("h1")).to_contain_text("inconclusive")
        lead = answer.json()["primary_hypothesis"]
        assert lead is None or lead["cause"] == "unknown", lead


def test_a_killed_server_is_seen_and_recovered_from(browser: Browser, tmp_path: Path) -> None:
    """Both ways to go: SIGTERM, which it obeys with three dashboards open, and SIGKILL."""
    config = write_config(tmp_path)
    pages = [browser.new_context().new_page() for _ in range(3)]
    with ServiceProcess("serve", "--config", str(config)) as first:
        port = first.url.rpartition(":")[2]
        for page in pages:
            page.goto(first.url)
            expect(page.locator(DOT)).to_have_attribute("data-state", "live")
        expect(pages[0].locator(".empty")).to_contain_text("No source is configured")
        _kill(first, pages, signal.SIGTERM)
    text = config.read_text(encoding="utf-8").replace("port = 0", f"port = {port}")
    config.write_text(text, encoding="utf-8")
    with ServiceProcess("serve", "--config", str(config)) as second:
        started = time.monotonic()
        for page in pages:
            expect(page.locator(DOT)).to_have_attribute("data-state", "live")
            expect(page.locator("#offline")).to_be_hidden()
        assert time.monotonic() - started <= 10
        _kill(second, pages, signal.SIGKILL)
    for page in pages:
        page.context.close()


def _kill(server: ServiceProcess, pages: Sequence[Page], how: signal.Signals) -> None:
    """End it: every dashboard says so, and the process is gone, within five seconds."""
    stopped = time.monotonic()
    server.process.send_signal(how)
    for page in pages:
        expect(page.locator(DOT)).to_have_attribute("data-state", "reconnecting")
        expect(page.locator("#offline")).to_be_visible()
    assert time.monotonic() - stopped <= 5
    server.process.wait(10)
    assert time.monotonic() - stopped <= 5
