"""The dashboard's pages, without JavaScript: what they say, what their buttons do, who may see them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from api_desk import NOW, TOKENS, Desk, running_desk, token_settings

from db.incidents import ESCALATED
from db.records import AlertIntent
from domain.cycle import SourceHealth
from domain.diagnosis import STEP_NAMES
from domain.series import SampleBatch, Series, SeriesKey

VOID = {"meta", "option", "link", "input", "br", "path", "rect", "img"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


class _Checker(HTMLParser):
    """Tags close in the order in which they opened; text is collected, scripts and styles are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.inline += [name for name in found if name == "style" or name.startswith("on")]
        self.links += [str(found[name]) for name in ("href", "src", "action") if name in found]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def page(desk: Desk, path: str) -> tuple[str, _Checker]:
    answer = desk.client.get(path)
    assert answer.status_code == 200, answer.text
    checker = _Checker()
    checker.feed(answer.text)
    assert checker.stack == []
    assert checker.inline == []
    assert not [link for link in checker.links if link.startswith(("http:", "https:", "//", "javascript:"))]
    return re.sub(r"\s+", " ", " ".join(checker.words)), checker


def test_the_overview_answers_without_a_click(desk: Desk) -> None:
    text, checker = page(desk, "/")
    for word in (
        "1 open incident",
        "CRIT",
        "pnl{mm_btc,bybit}",
        "41,200",
        "9.4",
        "40 min",
        "Hedges fill late",
        "72",
    ):
        assert word in text
    assert "/incidents/I-1" in checker.links


def test_a_quiet_desk_says_so_in_words(desk: Desk) -> None:
    desk.client.patch("/api/v1/incidents/I-1", json={"status": "resolved"})
    assert "No open incident" in page(desk, "/")[0]
    assert "I-1" in page(desk, "/?state=resolved")[0]


def test_calm_is_claimed_only_of_what_is_watched(desk: Desk) -> None:
    desk.client.patch("/api/v1/incidents/I-1", json={"status": "resolved"})
    assert "Nothing is wrong that we know of" in page(desk, "/")[0]
    pnl = SourceHealth(name="ledger", kind="sql", status="ok")
    desk.service.health = [pnl, SourceHealth(name="okx", kind="exchange", status="failed")]
    assert "Nothing is wrong in what can be seen" in page(desk, "/")[0]
    desk.service.health = [pnl.model_copy(update={"status": "warming_up"})]
    assert "Nothing can be judged now" in page(desk, "/")[0]


def test_what_is_too_new_to_be_judged_says_how_long_it_needs(desk: Desk) -> None:
    new = SeriesKey.parse("fill_ratio")
    at = [NOW - timedelta(minutes=5 * i) for i in range(1, 27)]
    desk.stores.samples.append(SampleBatch.of([(Series(0, new), one, 0.9) for one in at]))
    desk.service.too_new = [new.name]
    assert "warming up, not judged yet: 1 series needs 2 h more" in page(desk, "/")[0]


def test_a_page_is_packed_unless_it_repeats_words_of_its_address(desk: Desk) -> None:
    plain = desk.client.get("/", headers={"Accept-Encoding": "identity"})
    packed = desk.client.get("/")
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    for answer in (plain, desk.client.get("/?q=words"), desk.client.get("/incidents/I-1.md")):
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_an_escalation_is_seen_in_the_list_and_on_the_incident(desk: Desk) -> None:
    intent = AlertIntent("webhook:pager", ESCALATED, "I-1 first", {}, NOW)
    desk.stores.outbox.add([intent], "I-1", NOW - timedelta(minutes=10))
    assert "escalated 11:50" in page(desk, "/")[0]
    assert "escalated: nobody acknowledged it in time" in page(desk, "/incidents/I-1")[0]


def test_a_troubled_source_and_an_old_cycle_are_announced_on_every_page(desk: Desk) -> None:
    desk.service.run_cycle()
    desk.service.instant = NOW + timedelta(minutes=20)
    desk.service.health = [SourceHealth(name="okx", kind="exchange", status="stale", last_error="timed out")]
    for path in ("/", "/incidents/I-1", "/diagnoses/D-1"):
        text, _ = page(desk, path)
        assert "Source okx is stale: timed out" in text
        assert "what you see may be old" in text


def test_a_diagnosis_shows_its_whole_reasoning(desk: Desk) -> None:
    text, checker = page(desk, "/diagnoses/D-1")
    for word in (
        "Do now",
        "Route hedges",
        "Funding shock",
        "Unknown",
        "unexplained",
        "Ask the venue",
        "order_ack_latency_ms{bybit}",
    ):
        assert word in text
    for name in STEP_NAMES:
        assert name.replace("_", " ").capitalize() in text
    assert "#E1" in checker.links
    html = desk.client.get("/diagnoses/D-1").text
    assert 'id="E1"' in html
    shares = [int(found) for found in re.findall(r'class="num">(\d+)\xa0%', html)]
    assert sum(shares) == 100


def test_every_page_draws_its_chart_with_region_and_band(desk: Desk) -> None:
    for path in ("/incidents/I-1", "/anomalies/A-1", "/diagnoses/D-1"):
        html = desk.client.get(path).text
        for drawn in ('class="chart"', 'class="line"', 'class="band"', 'class="region critical"'):
            assert drawn in html, (path, drawn)
    for window in ("1h", "6h", "24h", "7d"):
        assert desk.client.get(f"/anomalies/A-1?window={window}").status_code == 200


def _csrf(html: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found
    return found[1]


def _submit(desk: Desk, path: str, **form: str) -> httpx2.Response:
    csrf = _csrf(desk.client.get(path).text)
    return desk.client.post(path, data={"csrf": csrf, **form}, headers={"Origin": desk.url})


def test_the_buttons_work_without_javascript(desk: Desk) -> None:
    assert _submit(desk, "/incidents/I-1", status="acknowledged").headers["location"] == "/incidents/I-1"
    assert desk.stores.incidents.get("I-1").assignee == "local"
    assert _submit(desk, "/anomalies/A-1", verdict="false_positive").status_code == 303
    assert 'aria-pressed="true">False alarm' in desk.client.get("/anomalies/A-1").text
    assert _submit(desk, "/diagnoses/D-1", action="1", done="true").status_code == 303
    assert desk.stores.diagnoses.get("D-1").immediate_actions[0].done
    wrong = {"verdict": "incorrect", "actual_cause": "funding_shock"}
    assert _submit(desk, "/diagnoses/D-1", **wrong).status_code == 303
    assert [one.actual_cause for one in desk.stores.feedback.of("diagnosis", "D-1")] == ["funding_shock"]
    started = _submit(desk, "/anomalies/A-2", diagnose="1").headers["location"]
    assert started.startswith("/diagnoses/D-")


def test_a_page_that_is_not_there_is_a_page_for_a_browser(desk: Desk) -> None:
    answer = desk.client.get("/incidents/I-99", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "I-99" in answer.text
    assert desk.client.get("/incidents/I-99").headers["content-type"] == "application/problem+json"


def test_the_first_load_is_small(desk: Desk) -> None:
    _, checker = page(desk, "/")
    files = [link for link in checker.links if link.startswith("/static/")]
    size = len(desk.client.get("/").content)
    for link in files:
        answer = desk.client.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        size += len(answer.content)
    assert len(files) <= 9
    assert size <= 60_000


def test_a_person_signs_in_works_and_signs_out(tmp_path: Path) -> None:
    with running_desk(tmp_path, tokens=token_settings()) as desk:
        client = desk.client
        assert client.get("/").headers["location"] == "/login"
        wrong = client.post("/login", data={"token": "guess"}, headers={"Origin": desk.url})
        assert wrong.status_code == 401
        assert "not known" in wrong.text
        right = client.post("/login", data={"token": TOKENS["operator"]}, headers={"Origin": desk.url})
        assert right.status_code == 303
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "1 open incident" in client.get("/").text
        assert _submit(desk, "/incidents/I-1", status="acknowledged").status_code == 303
        assert desk.stores.incidents.get("I-1").assignee == "operator"
        change = {"status": "resolved"}
        assert client.patch("/api/v1/incidents/I-1", json=change).status_code == 403
        assert (
            client.patch("/api/v1/incidents/I-1", json=change, headers={"Origin": desk.url}).status_code
            == 200
        )
        assert client.post("/logout", data={"csrf": _csrf(client.get("/").text)}).status_code == 303
        assert client.get("/").status_code == 303


def test_a_viewer_sees_buttons_that_do_nothing(tmp_path: Path) -> None:
    with running_desk(tmp_path, tokens=token_settings()) as desk:
        desk.client.post("/login", data={"token": TOKENS["viewer"]})
        html = desk.client.get("/incidents/I-1").text
        assert "<button disabled>Acknowledge" in html
        assert _submit(desk, "/incidents/I-1", status="acknowledged").status_code == 403
