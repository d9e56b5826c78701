"""Every screen in a real browser: quiet, strict, small, readable on a telephone, complete without scripts."""

import gzip
import re
from pathlib import Path

import pytest
from api_desk import Desk, running_desk
from browser_desk import more_incidents
from browser_watch import Watch
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

SCRIPTS = Path(__file__).parents[2] / "api" / "dashboard" / "static" / "js"
SCREENS = (
    "/",
    "/incidents/I-1",
    "/anomalies/A-1",
    "/diagnoses/D-1",
    "/chat",
    "/explore",
    "/explore?view=lines",
    "/explore?view=pca",
    "/history",
    "/performance",
    "/status",
    "/demo",
    "/docs",
)


def test_no_page_asks_another_host_or_complains(page: Page, desk: Desk, watch: Watch) -> None:
    for path in SCREENS:
        answer = page.goto(f"{desk.url}{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, path
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert re.search(r"https?:", policy) is None
        expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")
    assert watch.faults == []


def test_the_first_page_is_small(page: Page, tmp_path: Path) -> None:
    with running_desk(tmp_path) as desk:
        more_incidents(tmp_path, 30)
        _first_load(page, desk)


def _first_load(page: Page, desk: Desk) -> None:
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 -- a bound builtin takes no attributes
    page.goto(desk.url, wait_until="load")
    expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")
    files = [one for one in answers if "/api/v1/stream" not in one.url]
    sizes = {one.url: one.request.sizes()["responseBodySize"] for one in files}
    assert page.locator("[data-row]").count() == 30
    assert len(files) <= 10, sorted(sizes)
    assert sum(sizes.values()) <= 60_000, sizes


def test_all_scripts_together_are_small(desk: Desk) -> None:
    total = 0
    main = re.search(r"/static/\w+/", desk.client.get("/").text)
    assert main
    names = [path.name for path in SCRIPTS.glob("*.js")]
    assert len(names) > 10
    for name in names:
        answer = desk.client.get(f"{main[0]}js/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-encoding"] == "gzip"
        total += len(gzip.compress(answer.content, 9))
    assert total <= 16_384


def test_nothing_scrolls_sideways_on_a_telephone(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    for path in SCREENS:
        page.goto(f"{desk.url}{path}", wait_until="load")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        verdict = page.locator("h1").first.bounding_box()
        assert verdict is not None
        assert verdict["y"] + verdict["height"] <= 844, path
    context.close()


def _count(page: Page, token: str) -> int:
    """How many pixels of the first chart are of a colour of the theme, half of its strength included."""
    counted: int = page.evaluate(
        """(token) => {
          const canvas = document.querySelector('.timechart canvas');
          const probe = document.createElement('span');
          probe.className = `ink-${token}`;
          document.body.append(probe);
          const want = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
          probe.remove();
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let n = 0;
          for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] > 40 && [0, 1, 2].every((k) => Math.abs(data[i + k] - want[k]) < 24)) n += 1;
          return n;
        }""",
        token,
    )
    return counted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_paints_line_and_region_in_both_themes(browser: Browser, desk: Desk, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{desk.url}/anomalies/A-1")
    expect(page.locator(".timechart canvas").first).to_be_visible()
    page.wait_for_timeout(300)
    assert _count(page, "accent") > 500
    assert _count(page, "critical") > 50
    context.close()


def test_verdict_list_and_charts_stand_there_without_scripts(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{desk.url}/diagnoses/D-1")
    expect(page.locator("h1")).to_contain_text("Hedges fill late")
    expect(page.locator("svg.chart").first).to_be_visible()
    page.goto(desk.url)
    expect(page.locator("[data-row=I-1]")).to_contain_text("CRIT")
    context.close()


def test_two_readers_choose_their_own_theme(browser: Browser, desk: Desk) -> None:
    contexts: list[BrowserContext] = [browser.new_context(color_scheme="light") for _ in range(2)]
    first, second = (context.new_page() for context in contexts)
    for page in (first, second):
        page.goto(desk.url)
        expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")
    first.keyboard.press("t")
    first.reload()
    expect(first.locator("html")).to_have_attribute("data-theme", "dark")
    second.reload()
    assert second.locator("html").get_attribute("data-theme") is None
    for context in contexts:
        context.close()


def test_hostile_text_is_shown_as_text(page: Page, desk: Desk, watch: Watch) -> None:
    for path in ("/diagnoses/D-1", "/anomalies/A-1", "/incidents/I-1"):
        page.goto(f"{desk.url}{path}")
    page.goto(f"{desk.url}/diagnoses/D-1")
    expect(page.locator("body")).to_contain_text("<script>alert('x')</script>")
    assert page.locator("body script").count() == 0
    assert watch.faults == []
