"""The chat, as a page and as a drawer: steps stream and fold, answers can be checked and stopped."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import Desk, running_desk
from browser_chat import Teller
from browser_desk import ready
from browser_watch import Watch
from playwright.sync_api import Browser, Page, expect

HOSTILE = (
    '<img src=x onerror="window.owned=1"> <script>window.owned=1</script> '
    "[click](javascript:window.owned=1) javascript:window.owned=1 " + "A" * 600
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


def _ask(page: Page, text: str) -> None:
    page.locator("#question").fill(text)
    page.keyboard.press("Enter")


def test_steps_come_within_a_second_fold_at_the_end_and_the_answer_can_be_checked(
    page: Page, desk: Desk, watch: Watch
) -> None:
    teller = Teller(desk)
    ready(page, desk, "/chat")
    teller.tell("tool.started", id="t1", n=1, name="find_incidents", args={})
    asked = time.monotonic()
    _ask(page, "why did pnl drop?")
    answer = page.locator(".message.assistant").last
    expect(answer.locator("[data-step]")).to_have_attribute("data-state", "running")
    assert time.monotonic() - asked <= 1
    assert answer.locator("details").get_attribute("open") is not None
    teller.tell("tool.finished", id="t1", ms=12.0, rows=3, error=None)
    expect(answer.locator("[data-step]")).to_contain_text("3 rows")
    teller.words("Hedges were late.")
    expect(answer).to_contain_text("Hedges were late.")
    teller.end()
    expect(answer.locator(".usage")).to_have_text("812 tokens, $0.0031, 640 ms")
    assert answer.locator("details").get_attribute("open") is None
    expect(answer.locator("summary")).to_have_text("1 step")
    expect(page).to_have_url(re.compile("/chat/T-1$"))
    page.reload()
    expect(page.locator(".message.assistant .usage")).to_have_text("812 tokens, $0.0031, 640 ms")
    page.locator(".message.assistant .cites a").first.click()
    expect(page).to_have_url(re.compile("/anomalies/A-1"))
    expect(page.locator(".timechart canvas").first).to_be_visible()
    assert watch.faults == []


def test_stop_stops_here_and_on_the_server(page: Page, desk: Desk) -> None:
    teller = Teller(desk)
    ready(page, desk, "/chat")
    _ask(page, "tell me everything")
    teller.words("It began")
    expect(page.locator(".message.assistant").last).to_contain_text("It began")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#chat")).to_have_attribute("data-state", "idle")
    expect(page.locator(".message.assistant").last).to_contain_text("It began (stopped)")
    assert teller.cancelled == ["T-1"]


def test_escape_stops_too(page: Page, desk: Desk) -> None:
    teller = Teller(desk)
    ready(page, desk, "/chat")
    _ask(page, "tell me everything")
    teller.words("It began")
    expect(page.locator(".message.assistant").last).to_contain_text("It began")
    page.keyboard.press("Escape")
    expect(page.locator("#chat")).to_have_attribute("data-state", "idle")
    page.wait_for_timeout(300)  # the page is idle at once, the server hears of it a moment later
    assert teller.cancelled == ["T-1"]


def _scrolled(page: Page) -> tuple[int, int]:
    """Where the conversation is, and how far it is from its end."""
    at, left = page.locator("#messages").evaluate(
        "(host) => [host.scrollTop, host.scrollHeight - host.scrollTop - host.clientHeight]"
    )
    return round(at), round(left)


def test_who_reads_further_up_stays_there_while_an_answer_streams(page: Page, desk: Desk) -> None:
    teller = Teller(desk)
    ready(page, desk, "/chat")
    _ask(page, "tell me")
    for i in range(60):
        teller.words(f"line {i}\n")
    answer = page.locator(".message.assistant").last
    expect(answer).to_contain_text("line 59")
    assert _scrolled(page)[1] < 40
    page.locator("#messages").evaluate("(host) => { host.scrollTop = 100; }")
    expect(page.locator("#latest")).to_be_visible()
    for i in range(60, 90):
        teller.words(f"line {i}\n")
    expect(answer).to_contain_text("line 89")
    assert _scrolled(page)[0] == 100
    expect(page.locator("#latest")).to_be_visible()
    page.locator("#latest").click()
    assert _scrolled(page)[1] < 40
    expect(page.locator("#latest")).to_be_hidden()
    for i in range(90, 120):
        teller.words(f"line {i}\n")
    expect(answer).to_contain_text("line 119")
    assert _scrolled(page)[1] < 40
    teller.end()
    expect(page.locator("#chat")).to_have_attribute("data-state", "idle")


@pytest.mark.parametrize("width", [390, 1440])
def test_hostile_words_of_a_model_are_shown_and_do_nothing(browser: Browser, desk: Desk, width: int) -> None:
    found = desk.stores.diagnoses.get("D-1")
    assert found.primary_hypothesis is not None
    cause = found.primary_hypothesis.model_copy(update={"title": HOSTILE, "description": HOSTILE})
    desk.stores.diagnoses.save(
        found.model_copy(
            update={
                "executive_summary": HOSTILE,
                "detailed_analysis": HOSTILE,
                "primary_hypothesis": cause,
                "fallback_reason": HOSTILE,
            }
        )
    )
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    watch = Watch(page, desk.url)
    for path in ("/", "/?sel=I-1", "/incidents/I-1", "/anomalies/A-1", "/diagnoses/D-1", "/history"):
        ready(page, desk, path)
        _harmless(page, path, width)
    expect(page.locator("body")).to_contain_text("<img src=x onerror=")
    teller = Teller(desk)
    ready(page, desk, "/chat")
    _ask(page, "what happened?")
    teller.words(HOSTILE)
    expect(page.locator(".message.assistant")).to_contain_text("javascript:window.owned=1")
    _harmless(page, "while it streams", width)
    teller.end()
    expect(page.locator(".usage")).to_contain_text("812")
    expect(page.locator(".message.assistant")).to_contain_text("<img src=x onerror=")
    _harmless(page, "the stored answer", width)
    assert watch.faults == []
    context.close()


def _harmless(page: Page, where: str, width: int) -> None:
    assert page.evaluate("window.owned") is None, where
    assert page.locator("body img, body script, a[href^='javascript:']").count() == 0, where
    assert page.evaluate("document.documentElement.scrollWidth") <= width, where


def test_the_drawer_opens_on_any_page_about_what_is_looked_at(page: Page, desk: Desk, watch: Watch) -> None:
    ready(page, desk, "/anomalies/A-1?from=1772360400&to=1772366400")
    page.keyboard.press("/")
    expect(page.locator("#drawer #question")).to_be_focused()
    about = page.locator("#drawer #question").input_value()
    assert about == "About D-1 from 10:20 to 12:00 UTC: "
    page.keyboard.type("why?")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer .message.assistant")).to_contain_text("It fell.")
    expect(page).to_have_url(re.compile("/anomalies/A-1"))
    page.locator("#question").press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_empty()
    for path in ("/", "/incidents/I-1", "/diagnoses/D-1", "/explore", "/history", "/performance", "/status"):
        ready(page, desk, path)
        page.keyboard.press("/")
        expect(page.locator("#drawer #question")).to_be_focused()
        page.get_by_role("button", name="Close").last.click()
        expect(page.locator("#drawer")).to_be_empty()
    assert watch.faults == []


def test_ten_turns_stay_one_conversation(page: Page, desk: Desk) -> None:
    ready(page, desk, "/chat")
    for i in range(10):
        teller = Teller(desk)
        _ask(page, f"question {i}")
        teller.words(f"answer {i}")
        teller.end()
        expect(page.locator(".message.assistant").last).to_contain_text(f"answer {i}")
        expect(page.locator("#chat")).to_have_attribute("data-state", "idle")
    assert len(desk.client.get("/api/v1/chat/T-1").json()["items"]) == 20
    page.reload()
    expect(page.locator(".message.user")).to_have_count(10)
    last = page.locator(".message.assistant").last
    last.get_by_role("button", name="Wrong").click()
    expect(page.locator("#toast")).to_contain_text("it counts")
    assert desk.stores.feedback.of("chat", "T-1/20")[0].verdict == "incorrect"
    teller = Teller(desk)
    last.get_by_role("button", name="Retry").click()
    expect(page.locator(".message.user").last).to_contain_text("question 9")
    teller.end()


def test_a_version_without_chat_says_so(page: Page, desk: Desk) -> None:
    page.route(
        "**/api/v1/chat",
        lambda route: route.fulfill(status=404, body=json.dumps({"detail": "There is no chat."})),
    )
    ready(page, desk, "/chat")
    page.locator("#question").fill("why?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#unavailable")).to_be_visible()
