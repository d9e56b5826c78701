"""What a person on call does: keys with undo, charts that answer, evidence that leads somewhere."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_desk import LATENCY, NOW, PNL, Desk, anomaly, running_desk
from browser_watch import Watch
from playwright.sync_api import Browser, Page, expect

from db.database import Database
from db.detections import CycleWriter
from db.records import IncidentPlan
from domain.cycle import SourceHealth
from domain.diagnosis import STEP_NAMES
from domain.incident import Incident


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


def _more_incidents(folder: Path, n: int) -> None:
    """Older incidents under the seeded one."""
    database = Database(f"sqlite:///{folder / 'desk.db'}")
    writer = CycleWriter(database)
    for i in range(n):
        found = anomaly(f"rule_{i}", (PNL,), NOW - timedelta(hours=3 + 2 * i))

        def group(new: list[object], _open: list[Incident], i: int = i) -> list[IncidentPlan]:
            return [IncidentPlan(None, tuple(one.id for one in new), f"Loss number {i}")]  # type: ignore[attr-defined]

        writer.save_detections([found], NOW, group, lambda *_: [])  # type: ignore[arg-type]
    database.close()


def _ready(page: Page, desk: Desk, path: str) -> None:
    page.goto(f"{desk.url}{path}")
    expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")


def test_a_row_says_everything_without_a_click(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/")
    row = page.locator("[data-row=I-1]")
    for word in ("CRIT", "pnl{mm_btc,bybit}", "$41,200", "9.4", "40", "Hedges fill late", "72"):
        expect(row).to_contain_text(word)


def test_selection_preview_and_address_follow_the_keys(page: Page, desk: Desk, tmp_path: Path) -> None:
    _more_incidents(tmp_path, 3)
    _ready(page, desk, "/")
    for key, chosen in (("j", "I-1"), ("j", "I-2"), ("k", "I-1")):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"sel={chosen}"))
        expect(page.locator(".row.selected")).to_have_attribute("data-row", chosen)
        expect(page.locator("#preview")).to_contain_text(chosen)
    page.go_back()
    expect(page.locator(".row.selected")).to_have_attribute("data-row", "I-2")
    page.reload()
    expect(page.locator(".row.selected")).to_have_attribute("data-row", "I-2")


def test_acknowledge_and_undo(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("[data-row=I-1] .state")).to_contain_text("acked local")
    assert desk.client.get("/api/v1/incidents/I-1").json()["status"] == "acknowledged"
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-row=I-1] .state")).to_contain_text("open")
    again = desk.client.get("/api/v1/incidents/I-1").json()
    assert (again["status"], again["assignee"]) == ("open", None)


def test_a_brush_is_a_question_and_stands_in_the_address(browser: Browser, page: Page, desk: Desk) -> None:
    _ready(page, desk, "/anomalies/A-2")
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    box = chart.bounding_box()
    assert box is not None
    # The last tenth: where the incident is.
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 80, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    for name in (PNL, LATENCY):
        expect(page.locator(f"#movers [data-mover='{name}']")).to_be_visible()
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.locator(".timechart").first).to_have_attribute(
        "aria-label", chart.get_attribute("aria-label") or ""
    )
    other.context.close()
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("from="))


def test_all_charts_of_a_page_share_one_cursor(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/incidents/I-1")
    charts = page.locator(".timechart")
    expect(charts).to_have_count(2)
    charts.first.hover(position={"x": 300, "y": 60})
    tips = page.locator(".timechart .tip")
    expect(tips.nth(1)).to_be_visible()
    times = {(tip.text_content() or "").split(" UTC")[0] for tip in tips.all()}
    assert len(times) == 1
    assert re.fullmatch(r"\d\d-\d\d \d\d:\d\d", times.pop())


def test_a_chart_is_read_by_keyboard(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/anomalies/A-1")
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    chart.focus()
    tip = chart.locator(".tip")
    page.keyboard.press("ArrowLeft")
    expect(tip).to_be_visible()
    last = tip.text_content()
    page.keyboard.press("ArrowLeft")
    expect(tip).not_to_have_text(last or "")
    page.keyboard.press("ArrowRight")
    expect(tip).to_have_text(last or "")
    expect(tip).to_contain_text("expected")
    expect(tip).to_have_attribute("role", "status")


def test_a_chip_leads_to_its_lane(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/diagnoses/D-1")
    page.locator(".story a.chip", has_text="E1").first.click()
    expect(page).to_have_url(re.compile("#E1$"))
    lane = page.locator(f"[data-series='{LATENCY}'] .timechart")
    expect(lane).to_have_attribute("data-lit", "E1")
    expect(lane).to_be_in_viewport()


def test_hypotheses_sum_to_one_and_say_what_speaks_for_them(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/diagnoses/D-1")
    rows = page.locator(".hypotheses tbody tr")
    shares = [int(re.sub(r"\D", "", one.text_content() or "0")) for one in rows.locator("td.num").all()]
    assert abs(sum(shares) - 100) <= 1
    for row in rows.all():
        expect(row.locator(".for")).to_contain_text(re.compile("E\\d|none"))
        expect(row.locator(".against")).to_contain_text(re.compile("E\\d|none"))


def test_a_run_streams_its_six_steps_and_survives_a_reload(page: Page, desk: Desk, watch: Watch) -> None:
    desk.service.finish_at_once = False
    _ready(page, desk, "/anomalies/A-2")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("/diagnoses/D-2"))
    run = next(iter(desk.stores.runs.of_subject("D-2")))

    def step(i: int, name: str) -> None:
        started = {"id": i + 1, "stage": name, "title": name.replace("_", " ")}
        desk.stores.runs.append(run.id, "step.started", started, NOW)
        expect(page.locator(f"[data-step='{i + 1}'][data-state=running]")).to_be_visible()
        ended = {"id": i + 1, "ms": 12.0, "summary": f"did {name}", "evidence": []}
        desk.stores.runs.append(run.id, "step.finished", ended, NOW)
        expect(page.locator(f"[data-step='{i + 1}'][data-state=done]")).to_contain_text("12 ms")

    for i, name in enumerate(STEP_NAMES[:3]):
        step(i, name)
    page.reload()
    expect(page.locator("#reasoning [data-step]")).to_have_count(3)
    for i, name in enumerate(STEP_NAMES[3:], start=3):
        step(i, name)
    url = page.url
    desk.service.finish_at_once = True
    expect(page.locator("h1")).to_contain_text("Hedges fill late")
    expect(page.locator("#reasoning details.step")).to_have_count(6)
    assert page.url == url
    assert watch.faults == []


def test_wrong_with_the_true_cause_changes_the_accuracy(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/diagnoses/D-1")
    page.keyboard.press("n")
    expect(page.locator("#actual-cause")).to_be_focused()
    page.keyboard.type("funding_shock")
    page.keyboard.press("Enter")
    expect(page.locator("#side")).to_contain_text("it really was funding shock")
    said = desk.stores.feedback.of("diagnosis", "D-1")
    assert [one.actual_cause for one in said] == ["funding_shock"]
    _ready(page, desk, "/performance")
    expect(page.locator("h1")).to_contain_text("0 %")
    expect(page.locator("#performance")).to_contain_text(re.compile("among the first three *100"))
    _ready(page, desk, "/")
    page.keyboard.press("j")
    page.keyboard.press("n")
    expect(page.locator("[data-row=I-1]")).to_contain_text("judged false positive")


def test_copying_works_without_a_secure_context(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    # What plain http on another name lacks is taken away here.
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.add_init_script(
        "document.addEventListener('copy', () => { window.copied = document.activeElement.value; }, true)"
    )
    _ready(page, desk, "/diagnoses/D-1")
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_contain_text("Copied")
    assert page.evaluate("window.copied") == desk.client.get("/diagnoses/D-1.md").text
    context.close()


def test_a_question_streams_and_can_be_read_back(page: Page, desk: Desk) -> None:
    _ready(page, desk, "/chat")
    page.locator("#question").fill("why?")
    page.keyboard.press("Enter")
    expect(page.locator(".message.user")).to_contain_text("why?")
    expect(page.locator(".message.assistant")).to_contain_text("It fell.")
    expect(page.locator("#chat")).to_have_attribute("data-state", "idle")


def test_a_version_without_chat_says_so(page: Page, desk: Desk) -> None:
    page.route(
        "**/api/v1/chat",
        lambda route: route.fulfill(status=404, body=json.dumps({"detail": "There is no chat."})),
    )
    _ready(page, desk, "/chat")
    page.locator("#question").fill("why?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#unavailable")).to_be_visible()


def test_a_dead_source_is_red_on_every_page_that_rests_on_it(page: Page, desk: Desk) -> None:
    desk.service.health = [
        SourceHealth(name="ledger", kind="pnl_data", status="failed", last_error="refused", lag_seconds=1_200)
    ]
    _ready(page, desk, "/")
    expect(page.locator("#warnings")).to_contain_text("Source ledger is failed")
    expect(page.locator("[data-row=I-1]")).to_contain_text("stale data: ledger is failed")
    _ready(page, desk, "/status")
    expect(page.locator(".status-failed")).to_have_text("failed")
    expect(page.locator("#status")).to_contain_text("1,200 s")
    _ready(page, desk, "/anomalies/A-1")
    expect(page.locator("#anomaly .banner")).to_contain_text("ledger is failed")


def test_a_reader_further_up_stays_there_while_an_answer_streams(page: Page, desk: Desk) -> None:
    events = "".join(f'event: token\ndata: {{"text": "word {i}\\n"}}\n\n' for i in range(200))
    page.route(
        "**/api/v1/chat",
        lambda route: route.fulfill(status=200, content_type="text/event-stream", body=events),
    )
    _ready(page, desk, "/chat")
    for _ in range(2):
        page.locator("#question").fill("tell me")
        page.keyboard.press("Enter")
        expect(page.locator(".message.assistant").last).to_contain_text("word 199")
        expect(page.locator("#chat")).to_have_attribute("data-state", "idle")
    at_bottom = page.locator("#messages").evaluate(
        "(host) => host.scrollHeight - host.scrollTop - host.clientHeight < 40"
    )
    assert at_bottom
    page.locator("#messages").evaluate("(host) => { host.scrollTop = 0; }")
    expect(page.locator("#latest")).to_be_visible()
    page.locator("#latest").click()
    expect(page.locator("#latest")).to_be_hidden()
