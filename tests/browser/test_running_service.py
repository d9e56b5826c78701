"""The whole service in a process of its own: many tabs, a killed server, the demo up to the diagnosis."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from browser_watch import Watch
from playwright.sync_api import Browser, BrowserContext, expect
from service_process import ServiceProcess, write_config

DOT = "#live-dot"


@pytest.fixture(scope="module")
def demo() -> Iterator[ServiceProcess]:
    """The demo at two minutes per second."""
    with ServiceProcess("demo", "--port", "0", "--headless", "--speed", "120", "--seed", "7") as running:
        yield running


def test_twelve_tabs_share_one_stream(context: BrowserContext, demo: ServiceProcess) -> None:
    pages = [context.new_page() for _ in range(12)]
    for page in pages:
        started = time.monotonic()
        page.goto(f"{demo.url}/status")
        expect(page.locator(DOT)).to_have_attribute("data-state", "live")
        assert time.monotonic() - started <= 5
    for page in pages:
        expect(page.locator(DOT)).to_have_attribute("data-last", re.compile(r".+"), timeout=20_000)
    assert "analyst_streams 1.0" in _metrics(demo)


def _metrics(demo: ServiceProcess) -> str:

    return httpx2.get(f"{demo.url}/metrics", timeout=10).text


def test_a_button_of_the_demo_ends_in_a_diagnosis(context: BrowserContext, demo: ServiceProcess) -> None:
    page = context.new_page()
    watch = Watch(page, demo.url)
    page.goto(f"{demo.url}/demo")
    page.get_by_role("button", name="Venue gateway latency").click()
    expect(page.locator("#progress")).to_contain_text("waiting for the detectors")
    expect(page).to_have_url(re.compile("/diagnoses/D-"), timeout=60_000)
    expect(page.locator("#side h2").first).to_have_text("Do now")
    for path in ("/explore", "/explore?view=pca", "/history", "/performance", "/"):
        page.goto(f"{demo.url}{path}")
        expect(page.locator("h1")).to_be_visible()
    assert watch.faults == []


def test_a_killed_server_is_seen_and_recovered_from(browser: Browser, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with ServiceProcess("serve", "--config", str(config)) as first:
        port = first.url.rpartition(":")[2]
        pages = [browser.new_context().new_page() for _ in range(3)]
        for page in pages:
            page.goto(first.url)
            expect(page.locator(DOT)).to_have_attribute("data-state", "live")
        expect(pages[0].locator(".empty")).to_contain_text("No source is configured")
        first.process.send_signal(signal.SIGTERM)
        stopped = time.monotonic()
        first.process.wait(10)
        assert time.monotonic() - stopped <= 5
        expect(pages[0].locator(DOT)).to_have_attribute("data-state", "reconnecting", timeout=5_000)
        expect(pages[0].locator("#offline")).to_be_visible()
    text = config.read_text(encoding="utf-8").replace("port = 0", f"port = {port}")
    config.write_text(text, encoding="utf-8")
    with ServiceProcess("serve", "--config", str(config)):
        expect(pages[0].locator(DOT)).to_have_attribute("data-state", "live", timeout=10_000)
        expect(pages[0].locator("#offline")).to_be_hidden()
    for page in pages:
        page.context.close()
