"""A real Chromium, driven by Playwright; skipped with a printed reason where there is none."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import Desk, running_desk
from browser_watch import Watch
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

WIDE = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without its sandbox, which containers do not offer."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium found: apt install chromium")
    # Patience for busy machines; what must be quick is measured where it is claimed.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        # Names below .example lead to this machine: plain http that is not localhost.
        names = "--host-resolver-rules=MAP *.example 127.0.0.1"
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", names]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One seeded desk for the tests of a module; they leave it as they found it, or do not mind."""
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=WIDE, color_scheme="light")  # type: ignore[arg-type]
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def watch(page: Page, desk: Desk) -> Watch:
    return Watch(page, desk.url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
