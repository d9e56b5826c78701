"""What a person on call does: keys with undo, charts that answer, evidence that leads somewhere."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import LATENCY, PNL, Desk, running_desk
from browser_desk import FILLS, more_incidents, more_series, ready, same_again
from browser_watch import Watch
from playwright.sync_api import Browser, Page, expect

from domain.diagnosis import STEP_NAMES

_COUNTS = """
  window.counts = [];
  new MutationObserver(() => {
    const list = document.querySelector('#reasoning');
    if (list) window.counts.push(list.querySelectorAll('[data-step]').length);
  }).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


def test_a_row_says_everything_without_a_click(page: Page, desk: Desk) -> None:
    ready(page, desk, "/")
    row = page.locator("[data-row=I-1]")
    for word in ("CRIT", "pnl{mm_btc,bybit}", "$41,200", "9.4", "40", "Hedges fill late", "72"):
        expect(row).to_contain_text(word)


def test_selection_preview_and_address_follow_the_keys(page: Page, desk: Desk, tmp_path: Path) -> None:
    more_incidents(tmp_path, 3)
    ready(page, desk, "/")
    for key, chosen in (("j", "I-1"), ("j", "I-2"), ("k", "I-1")):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"sel={chosen}"))
        expect(page.locator(".row.selected")).to_have_attribute("data-row", chosen)
        expect(page.locator("#preview")).to_contain_text(chosen)
    page.go_back()
    expect(page.locator(".row.selected")).to_have_attribute("data-row", "I-2")
    page.reload()
    expect(page.locator(".row.selected")).to_have_attribute("data-row", "I-2")


def test_a_chip_leads_to_its_lane(page: Page, desk: Desk) -> None:
    ready(page, desk, "/diagnoses/D-1")
    page.locator(".story a.chip", has_text="E1").first.click()
    expect(page).to_have_url(re.compile("#E1$"))
    lane = page.locator(f"[data-series='{LATENCY}'] .timechart")
    expect(lane).to_have_attribute("data-lit", "E1")
    expect(lane).to_be_in_viewport()


def test_hypotheses_sum_to_one_and_say_what_speaks_for_them(page: Page, desk: Desk) -> None:
    ready(page, desk, "/diagnoses/D-1")
    rows = page.locator(".hypotheses tbody tr")
    shares = [int(re.sub(r"\D", "", one.text_content() or "0")) for one in rows.locator("td.num").all()]
    assert abs(sum(shares) - 100) <= 1
    for row in rows.all():
        expect(row.locator(".for")).to_contain_text(re.compile("E\\d|none"))
        expect(row.locator(".against")).to_contain_text(re.compile("E\\d|none"))


def test_acknowledge_and_undo(page: Page, desk: Desk) -> None:
    ready(page, desk, "/")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("[data-row=I-1] .state")).to_have_text(re.compile(r"acked local \d\d:\d\d"))
    taken = desk.client.get("/api/v1/incidents/I-1").json()
    assert (taken["status"], taken["assignee"]) == ("acknowledged", "local")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-row=I-1] .state")).to_have_text("open")
    again = desk.client.get("/api/v1/incidents/I-1").json()
    assert (again["status"], again["assignee"]) == ("open", None)


def _brush(page: Page) -> None:
    """Drag over the last tenth of the first chart: where the incident is."""
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 80, steps=4)
    page.mouse.up()


def test_a_brush_stands_in_the_address_and_escape_takes_it_back(
    browser: Browser, page: Page, desk: Desk
) -> None:
    ready(page, desk, "/anomalies/A-1")
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    whole = chart.get_attribute("aria-label")
    _brush(page)
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(chart).not_to_have_attribute("aria-label", whole or "")
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.locator(".timechart").first).to_have_attribute(
        "aria-label", chart.get_attribute("aria-label") or ""
    )
    other.context.close()
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("from="))
    expect(chart).to_have_attribute("aria-label", whole or "")


def test_a_brush_ranks_what_moved_with_it_first(page: Page, desk: Desk, tmp_path: Path) -> None:
    more_series(desk, tmp_path)
    ready(page, desk, "/anomalies/A-1")
    _brush(page)
    expect(page).to_have_url(re.compile("from="))
    movers = page.locator("#movers [data-mover]")
    expect(movers.first).to_have_attribute("data-mover", LATENCY)
    names = [one.get_attribute("data-mover") for one in movers.all()]
    assert FILLS in names
    # What is asked about is not its own answer.
    assert PNL not in names


def test_four_lanes_show_the_same_time(page: Page, desk: Desk, tmp_path: Path) -> None:
    more_series(desk, tmp_path)
    page.set_viewport_size({"width": 1440, "height": 1800})
    ready(page, desk, "/incidents/I-1")
    charts = page.locator(".timechart")
    expect(charts).to_have_count(4)
    charts.first.hover(position={"x": 300, "y": 60})
    tips = page.locator(".timechart .tip:visible")
    expect(tips).to_have_count(4)
    times = {(tip.text_content() or "").split(" UTC")[0] for tip in tips.all()}
    assert len(times) == 1
    assert re.fullmatch(r"\d\d-\d\d \d\d:\d\d", times.pop())


def test_an_arrow_moves_the_cursor_by_one_point_and_says_what_is_there(page: Page, desk: Desk) -> None:
    ready(page, desk, "/anomalies/A-1?window=1h")
    chart = page.locator(".timechart").first
    expect(chart).to_be_visible()
    chart.focus()
    tip = chart.locator(".tip")
    minutes = []
    for _ in range(3):
        before = tip.text_content() or ""
        page.keyboard.press("ArrowRight")
        expect(tip).not_to_have_text(before)
        expect(tip).to_be_visible()
        at = re.match(r"\d\d-\d\d (\d\d):(\d\d) UTC · [\u2212\d.,k]+ USD", tip.text_content() or "")
        assert at, tip.text_content()
        minutes.append(int(at[1]) * 60 + int(at[2]))
    assert [later - earlier for earlier, later in itertools.pairwise(minutes)] == [5, 5]
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(tip).to_contain_text(re.compile(r"expected [\u2212\d.,k]+ to [\u2212\d.,k]+"))
    expect(tip).to_have_attribute("role", "status")


def test_the_money_without_a_part_is_drawn_and_taken_away_again(page: Page, desk: Desk) -> None:
    ready(page, desk, "/diagnoses/D-1")
    money = page.locator("#money")
    expect(money.locator("canvas").first).to_be_visible()
    for name, asked in (("bybit", "venue%3Abybit"), ("nothing", "")):
        with page.expect_response(re.compile(f"/chart/pnl.*without={asked}$")) as answer:
            money.get_by_label(name).check()
        assert answer.value.status == 200
        assert ("alt" in answer.value.json()) == bool(asked)


def _step(desk: Desk, page: Page, run: int, i: int) -> None:
    started = {"id": i + 1, "stage": STEP_NAMES[i], "title": STEP_NAMES[i].replace("_", " ")}
    desk.stores.runs.append(run, "step.started", started, desk.service.instant)
    row = page.locator(f"[data-step='{i + 1}']")
    expect(row).to_have_attribute("data-state", "running")
    ended = {"id": i + 1, "ms": 12.0, "summary": f"did {STEP_NAMES[i]}", "evidence": []}
    desk.stores.runs.append(run, "step.finished", ended, desk.service.instant)
    expect(row).to_have_attribute("data-state", "done")
    expect(row).to_contain_text("12 ms")
    expect(row).to_contain_text(STEP_NAMES[i].replace("_", " "))


def test_a_key_diagnoses_six_steps_stream_and_the_verdict_appears(
    page: Page, desk: Desk, watch: Watch
) -> None:
    desk.service.finish_at_once = False
    ready(page, desk, "/anomalies/A-2")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("/diagnoses/D-2"))
    page.evaluate("window.sameDocument = true")
    run = next(iter(desk.stores.runs.of_subject("D-2"))).id
    for i in range(6):
        _step(desk, page, run, i)
        assert page.locator("#steps [data-step]").count() == i + 1
    desk.service.finish_at_once = True
    expect(page.locator("h1")).to_contain_text("Hedges fill late")
    titles = [one.text_content() or "" for one in page.locator("#reasoning details.step summary").all()]
    assert [re.sub(r"^\d ", "", one).split(" 12")[0].lower() for one in titles] == [
        name.replace("_", " ") for name in STEP_NAMES
    ]
    assert page.evaluate("window.sameDocument") is True
    assert watch.faults == []


def test_a_reload_amid_a_run_goes_on_with_the_same_one(page: Page, desk: Desk) -> None:
    desk.service.finish_at_once = False
    page.add_init_script(_COUNTS)
    ready(page, desk, "/anomalies/A-2")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("/diagnoses/D-2"))
    url = page.url
    run = next(iter(desk.stores.runs.of_subject("D-2"))).id
    for i in range(3):
        _step(desk, page, run, i)
    page.reload()
    expect(page.locator("#reasoning [data-step]")).to_have_count(3)
    for i in range(3, 6):
        _step(desk, page, run, i)
    desk.service.finish_at_once = True
    expect(page.locator("#reasoning details.step")).to_have_count(6)
    # The replay fills an empty list; from then on no step is ever taken away.
    counts = page.evaluate("window.counts")
    grown = counts[counts.index(min(counts)) :]
    assert grown == sorted(grown)
    assert page.url == url
    assert len(list(desk.stores.runs.of_subject("D-2"))) == 1
    shown = page.locator("#summary").inner_text()
    stored = desk.client.get("/api/v1/diagnoses/D-2").json()["executive_summary"]
    plain = re.sub(r"[*\[\]]", "", stored)
    assert re.sub(r"\s+", " ", shown).strip() == re.sub(r"\s+", " ", plain).strip()


def test_wrong_with_the_true_cause_is_stored_shown_counted_and_marks_what_is_alike(
    page: Page, desk: Desk, tmp_path: Path
) -> None:
    same_again(desk, tmp_path)
    ready(page, desk, "/performance")
    expect(page.locator("h1")).to_contain_text("nobody has judged")
    ready(page, desk, "/")
    rows = page.locator("[data-row]")
    assert [one.get_attribute("data-row") for one in rows.all()] == ["I-2", "I-1"]
    ready(page, desk, "/diagnoses/D-1")
    page.keyboard.press("n")
    cause = page.locator("#wrong button", has_text="funding shock")
    expect(cause).to_be_visible()
    page.keyboard.press((cause.text_content() or "")[0])
    expect(page.locator("#side")).to_contain_text("it really was funding shock")
    said = desk.client.get("/api/v1/performance").json()
    assert said["diagnosis_verdicts"] == {"incorrect": 1}
    assert [one.actual_cause for one in desk.stores.feedback.of("diagnosis", "D-1")] == ["funding_shock"]
    ready(page, desk, "/performance")
    expect(page.locator("h1")).to_contain_text("0 %")
    expect(page.locator("#performance")).to_contain_text(re.compile("among the first three *100"))
    ready(page, desk, "/")
    alike = page.locator("[data-row=I-2]")
    expect(alike).to_contain_text("the same cause was wrong in D-1: it really was funding shock")
    assert [one.get_attribute("data-row") for one in rows.all()] == ["I-1", "I-2"]


def test_a_false_alarm_in_the_row_marks_its_like_and_can_be_taken_back(
    page: Page, desk: Desk, tmp_path: Path
) -> None:
    same_again(desk, tmp_path)
    ready(page, desk, "/")
    page.get_by_role("button", name="Wrong: I-2").click()
    expect(page.locator("[data-row=I-2]")).to_contain_text("judged false positive")
    expect(page.locator("[data-row=I-1]")).to_contain_text("like A-3, a false alarm")
    expect(page.locator(".foot")).to_contain_text("1 ranked lower by feedback")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-row=I-1]")).not_to_contain_text("a false alarm")
