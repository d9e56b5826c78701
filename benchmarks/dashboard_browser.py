"""What a browser sees of the dashboard: the cold first page, twelve tabs, a killed server.

Run with `PYTHONPATH=tests python benchmarks/dashboard_browser.py`; needs Chromium, prints a Markdown table.
"""

import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx2
from api_desk import running_desk
from browser_desk import more_incidents, more_series
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright
from service_process import ServiceProcess, write_config

DOT = "#live-dot"
TABS = 12


def row(what: str, found: str, aim: str) -> None:
    """One line of the table."""
    print(f"| {what} | {found} | {aim} |", flush=True)


def live(page: Page) -> None:
    """Wait until the page says that it is live."""
    expect(page.locator(DOT)).to_have_attribute("data-state", "live", timeout=30_000)


def first_page(browser: Browser) -> None:
    """The overview of a desk with thirty incidents, nothing cached."""
    with tempfile.TemporaryDirectory() as name, running_desk(Path(name)) as desk:
        more_incidents(Path(name), 30)
        more_series(desk, Path(name))
        page = browser.new_context().new_page()
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 -- a builtin takes no attributes
        started = time.monotonic()
        page.goto(desk.url, wait_until="load")
        live(page)
        took = time.monotonic() - started
        files = [one for one in answers if "/api/v1/stream" not in one.url]
        size = sum(one.request.sizes()["responseBodySize"] for one in files)
        row("overview with 30 rows, cold", f"{size / 1000:.1f} KB in {len(files)} requests", "60 KB, 10")
        row("until it is live", f"{took * 1000:.0f} ms", "")
        page.context.close()


def tabs(browser: Browser, url: str) -> Sequence[Page]:
    """Twelve tabs of one browser; the time of the slowest, and how many streams they share."""
    context = browser.new_context()
    pages, slowest = [context.new_page() for _ in range(TABS)], 0.0
    for page in pages:
        started = time.monotonic()
        page.goto(url)
        live(page)
        slowest = max(slowest, time.monotonic() - started)
    streams = next(
        line for line in httpx2.get(f"{url}/metrics").text.splitlines() if line.startswith("analyst_streams ")
    )
    row("slowest of 12 tabs", f"{slowest:.2f} s", "5 s")
    row("streams of 12 tabs", f"{float(streams.split()[1]):.0f}", "")
    return pages


def killed(pages: Sequence[Page], server: ServiceProcess, how: signal.Signals) -> None:
    """From the signal until every tab says so, and until the process is gone."""
    started = time.monotonic()
    server.process.send_signal(how)
    for page in pages:
        expect(page.locator(DOT)).to_have_attribute("data-state", "reconnecting", timeout=30_000)
    seen = time.monotonic() - started
    server.process.wait(30)
    row(f"{how.name} with {len(pages)} tabs: shown in all", f"{seen:.2f} s", "5 s")
    row(f"{how.name} with {len(pages)} tabs: process gone", f"{time.monotonic() - started:.2f} s", "5 s")


def main() -> None:
    """Measure."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        print("| what | measured | aim |\n|---|---|---|")
        first_page(browser)
        config = write_config(Path(name))
        with ServiceProcess("serve", "--config", str(config)) as server:
            port, pages = server.url.rpartition(":")[2], tabs(browser, server.url)
            killed(pages, server, signal.SIGTERM)
        config.write_text(config.read_text(encoding="utf-8").replace("port = 0", f"port = {port}"))
        with ServiceProcess("serve", "--config", str(config)) as server:
            started = time.monotonic()
            for page in pages:
                live(page)
            row("all tabs live again after a start", f"{time.monotonic() - started:.2f} s", "10 s")
            killed(pages, server, signal.SIGKILL)
        browser.close()


if __name__ == "__main__":
    main()
