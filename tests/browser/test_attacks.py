"""What strangers and mishaps send through the pages: markup, turned writing, garbage addresses, races."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_desk import NOW, Desk, anomaly, running_desk
from browser_desk import ready, save
from browser_watch import Watch
from playwright.sync_api import Browser, Page, expect

from domain.event import Event
from domain.series import SampleBatch, Series, SeriesKey

MARKUP = "<img src=x onerror=window.owned=1>'\"--><script>window.owned=1</script>"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{RIGHT-TO-LEFT ISOLATE}"
LONG = "w" * 10_000
GARBAGE = (
    "%00",
    "%E2%80%AE",
    "-1",
    "9" * 40,
    "%3Cscript%3E",
    "..%2F..%2F",
    "'%20OR%201=1--",
    "NaN",
    "%F0%9F%92%A5",
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


def _hostile(desk: Desk, folder: Path) -> str:
    """A series, an event and an incident full of markup, of writing that turns, and of long words."""
    key = SeriesKey.of("pnl", {"strategy": MARKUP, "venue": TURNED + "w" * 400})
    at = [NOW - timedelta(minutes=5 * i) for i in range(60)]
    desk.stores.samples.append(SampleBatch.of([(Series(0, key, "pnl_data", "USD"), one, 1.0) for one in at]))
    headline = Event(timestamp=NOW - timedelta(minutes=20), source="news", text=MARKUP + TURNED)
    desk.stores.events.append([headline])
    save(folder, [anomaly("pnl_drop", (key.name,))], None, MARKUP + TURNED + LONG)
    return "A-3"


@pytest.mark.parametrize("width", [390, 1440])
def test_hostile_names_and_headlines_do_nothing_anywhere(
    browser: Browser, desk: Desk, tmp_path: Path, width: int
) -> None:
    found = _hostile(desk, tmp_path)
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    watch = Watch(page, desk.url)
    for path in ("/", "/incidents/I-2", f"/anomalies/{found}", "/explore?view=lines", "/explore", "/history"):
        ready(page, desk, path)
        assert page.evaluate("window.owned") is None, path
        assert page.locator("body img, body script").count() == 0, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        verdict = page.locator("h1").first.bounding_box()
        assert verdict is not None
        assert verdict["y"] + verdict["height"] <= 900, path
    assert watch.faults == []
    context.close()


def test_turned_writing_stays_within_its_name(page: Page, desk: Desk, tmp_path: Path) -> None:
    _hostile(desk, tmp_path)
    ready(page, desk, "/?state=all")
    for code in page.locator("[data-row] code, [data-row] .cause").all():
        assert code.evaluate("(one) => getComputedStyle(one).unicodeBidi").startswith("isolate")


def test_garbage_in_an_address_is_refused_in_words_and_never_breaks(page: Page, desk: Desk) -> None:
    pages = {
        "/": ("state", "sort", "severity", "page", "cursor", "sel", "q"),
        "/anomalies/A-1": ("window", "from", "to"),
        "/explore": ("view", "group", "window", "q", "page", "at", "odd"),
        "/history": ("window", "status", "page", "compare", "q"),
        "/performance": ("window",),
        "/chat": ("about", "from", "to"),
        "/api/v1/chart": ("series", "from", "to"),
    }
    for path, names in pages.items():
        for name in names:
            for value in GARBAGE:
                answer = desk.client.get(f"{path}?{name}={value}", headers={"Accept": "text/html"})
                assert answer.status_code < 500, (path, name, value)
    for kind in ("incidents", "anomalies", "diagnoses", "chat"):
        for value in GARBAGE:
            answer = desk.client.get(f"/{kind}/{value}", headers={"Accept": "text/html"})
            assert 400 <= answer.status_code < 500, (kind, value)
    page.goto(f"{desk.url}/?sort=upwards")
    expect(page.locator("h1")).to_contain_text("422")
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("[data-row=I-1]")).to_be_visible()


def test_what_somebody_else_did_meanwhile_is_not_undone(browser: Browser, desk: Desk) -> None:
    first, second = (browser.new_context().new_page() for _ in range(2))
    for page in (first, second):
        ready(page, desk, "/")
    first.keyboard.press("j")
    first.keyboard.press("a")
    expect(first.locator("#toast")).to_contain_text("acknowledged")
    # The other desk sees it without being asked, and ends it.
    expect(second.locator("[data-row=I-1] .state")).to_contain_text("acked local")
    desk.client.patch("/api/v1/incidents/I-1", json={"status": "resolved"})
    first.get_by_role("button", name="Undo").click()
    expect(first.locator("#toast")).to_contain_text("changed by somebody else")
    assert desk.client.get("/api/v1/incidents/I-1").json()["status"] == "resolved"
    for page in (first, second):
        expect(page.locator("[data-row=I-1]")).to_have_count(0)
        page.context.close()


def test_a_form_from_elsewhere_changes_nothing(browser: Browser, desk: Desk) -> None:
    page = browser.new_context().new_page()
    form = f'<form method=post action="{desk.url}/incidents/I-1"><input name=status value=resolved><button>x'
    page.route(
        "http://elsewhere.example/**", lambda route: route.fulfill(body=form, content_type="text/html")
    )
    page.goto("http://elsewhere.example/")
    page.get_by_role("button").click()
    expect(page.locator("body")).to_contain_text("40")
    assert desk.client.get("/api/v1/incidents/I-1").json()["status"] == "open"
    page.context.close()


def test_back_and_forward_bring_the_window_and_the_selection_back(page: Page, desk: Desk) -> None:
    ready(page, desk, "/anomalies/A-1")
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    whole = chart.get_attribute("aria-label") or ""
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 80, steps=3)
    page.mouse.up()
    expect(chart).not_to_have_attribute("aria-label", whole)
    part = chart.get_attribute("aria-label") or ""
    page.go_back()
    expect(chart).to_have_attribute("aria-label", whole)
    page.go_forward()
    expect(chart).to_have_attribute("aria-label", part)
