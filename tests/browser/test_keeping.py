"""What a reader keeps, narrows, tries and takes away; who may do what; what is said in one's own time."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import NOW, PNL, TOKENS, Desk, anomaly, running_desk, token_settings
from browser_desk import more_incidents, more_series, ready, save
from browser_watch import Watch
from playwright.sync_api import Browser, BrowserContext, Page, expect
from service_process import eventually

from api.alert_port import DeliveryState, ReceiverState
from api.settings import ServerSettings
from domain.cycle import SourceHealth


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


def test_a_view_is_kept_by_name_and_forgotten(page: Page, desk: Desk, watch: Watch) -> None:
    ready(page, desk, "/")
    page.get_by_label("Severity").select_option("critical")
    page.get_by_label("Filter").fill("mm_btc")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("severity=critical.*q=mm_btc"))
    expect(page.locator("[data-row]")).to_have_count(1)
    page.locator(".views summary").click()
    page.get_by_label("Name of this view").fill("my desk")
    page.get_by_role("button", name="Save").click()
    ready(page, desk, "/history")
    page.locator(".views summary").click()
    page.get_by_role("link", name="my desk").click()
    expect(page).to_have_url(re.compile("severity=critical.*q=mm_btc"))
    page.locator(".views summary").click()
    page.get_by_role("button", name="Forget my desk").click()
    expect(page.locator(".views summary")).to_have_text("saved views")
    assert watch.faults == []


def test_a_cookie_of_somebody_else_leads_nowhere_else(page: Page, desk: Desk) -> None:
    answer = desk.client.post(
        "/views", data={"csrf": "x", "name": "a", "address": "/"}, headers={"Origin": desk.url}
    )
    assert answer.status_code == 403
    ready(page, desk, "/")
    page.locator(".views summary").click()
    for address in ("javascript:alert(1)", "//elsewhere.example/", "https://elsewhere.example/"):
        page.locator(".views input[name=address]").evaluate("(one, to) => { one.value = to }", address)
        page.get_by_label("Name of this view").fill("trap")
        with page.expect_navigation():
            page.get_by_role("button", name="Save").click()
        expect(page.locator("body")).to_contain_text("422")
        ready(page, desk, "/")
        page.locator(".views summary").click()
        assert page.get_by_role("link", name="trap").count() == 0


def test_a_filter_that_nothing_fits_says_so(page: Page, desk: Desk, tmp_path: Path) -> None:
    more_incidents(tmp_path, 2)
    ready(page, desk, "/?q=aliens")
    expect(page.locator(".empty")).to_contain_text("No incident fits the filter.")
    page.get_by_role("link", name="Show all 3").click()
    expect(page.locator("[data-row]")).to_have_count(3)
    ready(page, desk, "/?sort=newest")
    assert [one.get_attribute("data-row") for one in page.locator("[data-row]").all()] == [
        "I-1",
        "I-2",
        "I-3",
    ]


def test_parts_are_tried_from_the_page_with_one_plain_answer(page: Page, desk: Desk, watch: Watch) -> None:
    desk.service.health = [SourceHealth(name="ledger", kind="sql", status="ok")]
    desk.service.alerts.state = DeliveryState(
        status="refusing",
        pending=2,
        parked=1,
        receivers=(ReceiverState(name="slack", status="refusing", parked=1, last_error="channel_not_found"),),
    )
    ready(page, desk, "/status")
    expect(page.locator("#delivery")).to_contain_text("2 waiting, 1 parked")
    expect(page.locator("#delivery")).to_contain_text("channel_not_found")
    page.get_by_role("button", name="Try 1 again").click()
    expect(page.locator("#tried")).to_have_text("slack works: 1 message will be tried again")
    page.locator("tr", has_text="ledger").get_by_role("button", name="Test").click()
    expect(page.locator("#tried")).to_have_text(re.compile(r"ledger works: 1 row \(2\sms\)"))
    page.get_by_role("button", name="Test the language model").click()
    expect(page.locator("#tried")).to_contain_text("language model does not work: no model is configured")
    assert watch.faults == []


def test_a_price_is_drawn_as_candles(page: Page, desk: Desk, tmp_path: Path) -> None:
    more_series(desk, tmp_path)
    ready(page, desk, "/explore?view=lines&q=price")
    page.get_by_label("candles").check()
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("candles=1"))
    expect(page.locator(".timechart canvas").first).to_be_visible()
    page.wait_for_timeout(300)
    counted = page.evaluate(
        """() => {
          const canvas = document.querySelector('.timechart canvas');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const found = [0, 0];
          for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] < 200) continue;
            if (data[i + 1] > data[i] + 60) found[0] += 1;
            if (data[i] > data[i + 1] + 60) found[1] += 1;
          }
          return found;
        }"""
    )
    assert counted[0] > 200, counted
    assert counted[1] > 200, counted


def test_exactly_what_the_history_shows_is_taken_away(page: Page, desk: Desk, tmp_path: Path) -> None:
    more_incidents(tmp_path, 3)
    ready(page, desk, "/history?q=number&severity=critical")
    shown = [one.inner_text() for one in page.locator("table a[href^='/incidents/']").all()]
    assert len(shown) == 3
    for form in ("CSV", "JSON", "MD"):
        with page.expect_download() as download:
            page.get_by_role("link", name=form, exact=True).click()
        text = Path(download.value.path()).read_text(encoding="utf-8")
        assert sorted(set(re.findall(r"\bI-\d+\b", text))) == sorted(shown), form
    assert [one["id"] for one in json.loads(desk.client.get("/history.json?q=number").text)["items"]] == shown
    page.get_by_label("Compare I-2").check()
    page.get_by_label("Compare I-3").check()
    page.get_by_role("button", name="Compare two").click()
    expect(page.locator("h1")).to_have_text("I-2 and I-3")


def test_a_time_says_what_it_is_here(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    ready(page, desk, "/incidents/I-1")
    began = page.locator(".facts time").first
    expect(began).to_have_text("11:20")
    began.hover()
    expect(began).to_have_attribute("title", "01/03/2026, 20:20:00 here")
    context.close()


def test_notices_are_asked_for_and_come_once(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(permissions=["notifications"])
    context.add_init_script(
        """
        window.rung = 0; window.told = [];
        window.AudioContext = class {
          createOscillator() { window.rung += 1; return { connect() {}, start() {}, stop() {} }; }
        };
        const known = window.Notification;
        window.Notification = class { constructor(title) { window.told.push(title); } };
        window.Notification.requestPermission = () => known.requestPermission();
        """
    )
    pages = [context.new_page() for _ in range(2)]
    for page in pages:
        ready(page, desk, "/")
    desk.service.live.publish("anomaly.created", {"id": "A-1"})
    pages[0].wait_for_timeout(500)
    assert [page.evaluate("window.told") for page in pages] == [[], []]
    pages[0].keyboard.press("b")
    expect(pages[0].locator("#toast")).to_contain_text("notice on")
    for _ in range(2):
        desk.service.live.publish("anomaly.created", {"id": "A-1"})
    pages[0].wait_for_timeout(1_500)
    told = [title for page in pages for title in page.evaluate("window.told")]
    assert told == ['critical pnl{strategy="mm_btc",venue="bybit"}']
    pages[0].keyboard.press("b")
    expect(pages[0].locator("#toast")).to_contain_text("notice off")
    context.close()


def test_who_signs_in_may_do_what_the_role_allows(browser: Browser, tmp_path: Path) -> None:
    with running_desk(tmp_path, ServerSettings(), token_settings()) as desk:
        page = browser.new_context().new_page()
        page.goto(f"{desk.url}/")
        expect(page).to_have_url(re.compile("/login"))
        page.get_by_label("Token").fill("wrong-token-000000000")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("main")).to_contain_text("not")
        page.get_by_label("Token").fill(TOKENS["viewer"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("[data-row=I-1]")).to_be_visible()
        assert page.locator(".judge").count() == 0
        page.goto(f"{desk.url}/incidents/I-1")
        expect(page.get_by_role("button", name="Acknowledge")).to_be_disabled()
        ready(page, desk, "/")
        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.locator("#toast")).to_contain_text("role viewer may not")
        page.get_by_role("button", name="Sign out viewer").click()
        expect(page).to_have_url(re.compile("/login"))
        page.get_by_label("Token").fill(TOKENS["operator"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("[data-row=I-1]")).to_be_visible()
        expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")
        page.keyboard.press("j")
        expect(page.locator(".row.selected")).to_be_visible()
        page.keyboard.press("a")
        expect(page.locator("[data-row=I-1] .state")).to_contain_text("acked operator")
        page.context.close()


def test_one_incident_prints_on_one_page(page: Page, desk: Desk, tmp_path: Path) -> None:
    ready(page, desk, "/diagnoses/D-1")
    page.emulate_media(media="print")
    expect(page.locator("header.top")).to_be_hidden()
    expect(page.locator(".toolbar").first).to_be_hidden()
    printed = page.pdf(format="A4")
    (tmp_path / "post-mortem.pdf").write_bytes(printed)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


def test_copying_works_on_plain_http_under_another_name(browser: Browser, tmp_path: Path) -> None:
    """What a browser withholds there, such as `navigator.clipboard`, it really withholds in this test."""
    settings = ServerSettings(allowed_hosts=("desk.example", "127.0.0.1"))
    with running_desk(tmp_path, settings) as desk:
        url = desk.url.replace("127.0.0.1", "desk.example")
        page = browser.new_context().new_page()
        for path in ("/diagnoses/D-1", "/anomalies/A-1", "/incidents/I-1"):
            page.goto(f"{url}{path}")
            expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")
            assert page.evaluate("[isSecureContext, navigator.clipboard === undefined]") == [False, True]
            page.keyboard.press("c")
            expect(page.locator("#toast")).to_contain_text("Copied")
            page.keyboard.press("/")
            page.locator("#question").fill("")
            page.keyboard.press("ControlOrMeta+V")
            twin = desk.client.get(f"{path}.md").text
            assert page.locator("#question").input_value() == twin
        page.context.close()


def test_rows_stay_where_they_are_while_somebody_reads_further_down(
    page: Page, desk: Desk, tmp_path: Path
) -> None:
    more_incidents(tmp_path, 30)
    page.set_viewport_size({"width": 1440, "height": 600})
    ready(page, desk, "/?sort=newest")
    rows = page.locator("[data-row]")
    before = [one.get_attribute("data-row") for one in rows.all()]
    page.mouse.wheel(0, 400)
    save(tmp_path, [anomaly("new", (PNL,), NOW)], None, "Another loss")
    desk.service.live.publish("incident.updated", {"id": "I-32"})
    expect(page.locator("#news")).to_have_text("1 new: show")
    assert [one.get_attribute("data-row") for one in rows.all()] == before
    page.locator("#news").click()
    expect(rows.first).to_have_attribute("data-row", "I-32")
    expect(page.locator("#news")).to_be_hidden()


def test_without_a_shared_worker_a_page_that_nobody_sees_gives_its_stream_back(
    context: BrowserContext, desk: Desk
) -> None:
    context.add_init_script(
        """
        delete window.SharedWorker;
        window.away = (gone) => {
          Object.defineProperty(document, "hidden", { value: gone, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        };
        """
    )
    page = context.new_page()

    def streams() -> str:
        lines = desk.client.get("/metrics").text.splitlines()
        return next(one for one in lines if one.startswith("analyst_streams "))

    for gone, held in ((False, "1.0"), (True, "0.0"), (False, "1.0")):
        if page.url == "about:blank":
            ready(page, desk, "/")
        page.evaluate("(gone) => window.away(gone)", gone)
        eventually(lambda held=held: streams() == f"analyst_streams {held}", 10, f"not {held} after {gone}")
