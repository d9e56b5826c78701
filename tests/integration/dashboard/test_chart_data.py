"""What the charts are sent, and what the pages beside the incidents say."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from api_desk import LATENCY, NOW, PNL, Desk, running_desk

from domain.cycle import SourceHealth
from domain.feedback import Feedback
from domain.series import SampleBatch, Series, SeriesKey

FINE = "fine_grained"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running


def test_a_long_window_is_small_and_keeps_every_extreme(desk: Desk) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=100_000).round(3)
    spikes = rng.choice(100_000, 40, replace=False)
    values[spikes] = 100.0 + np.arange(40)
    start = NOW - timedelta(seconds=100_000)
    times = int(start.timestamp()) * 1_000_000 + np.arange(100_000, dtype=np.int64) * 1_000_000
    series = Series(0, SeriesKey.parse(FINE), step_s=1)
    desk.stores.samples.append(SampleBatch((series,), np.zeros(100_000, dtype=np.int64), times, values))
    query: dict[str, str | int] = {"series": FINE, "from": int(start.timestamp()), "to": int(NOW.timestamp())}
    answer = desk.client.get("/api/v1/chart", params=query)
    assert len(answer.content) <= 60_000
    shown = {one for one in answer.json()["y"] if one is not None}
    size = -(-100_000 // 800)
    for first in range(0, 100_000, size):
        block = values[first : first + size]
        assert {float(block.min()), float(block.max())} <= shown


def test_a_chart_has_its_regions_votes_and_band(desk: Desk) -> None:
    chart = desk.client.get("/api/v1/chart", params={"series": PNL}).json()
    assert [one["severity"] for one in chart["regions"]] == ["critical"]
    assert chart["votes"][0]["name"] == "pnl_drop (combined)"
    assert chart["lo"][-1] == -300.0
    assert chart["hi"][-1] == 420.0
    assert chart["step"] == 300


def test_an_unknown_series_and_an_empty_range_are_refused(desk: Desk) -> None:
    assert desk.client.get("/api/v1/chart", params={"series": "nothing"}).status_code == 404
    backwards: dict[str, str | int] = {"series": PNL, "from": 2_000, "to": 1_000}
    assert desk.client.get("/api/v1/chart", params=backwards).status_code == 422
    assert desk.client.get("/api/v1/chart/pnl", params={"without": "venue"}).status_code == 422


def test_the_money_without_a_venue_is_another_line(desk: Desk) -> None:
    total = desk.client.get("/api/v1/chart/pnl").json()
    without = desk.client.get("/api/v1/chart/pnl", params={"without": "venue:bybit"}).json()
    assert total["y"] == without["y"]
    assert without["y"][-1] < -10_000
    assert set(without["alt"]) == {0.0}
    other = desk.client.get("/api/v1/chart/pnl", params={"without": "venue:okx"}).json()
    assert other["alt"] == other["y"]


def test_the_movers_of_a_window_are_ranked(desk: Desk) -> None:
    window = {"from": int((NOW - timedelta(minutes=40)).timestamp()), "to": int(NOW.timestamp())}
    html = desk.client.get("/fragments/movers", params=window).text
    assert html.count("data-mover") == 2
    calm = {
        "from": int((NOW - timedelta(hours=6)).timestamp()),
        "to": int((NOW - timedelta(hours=5)).timestamp()),
    }
    assert "Nothing moved" in desk.client.get("/fragments/movers", params=calm).text


def test_the_explorer_finds_series_and_says_why_there_are_none(desk: Desk) -> None:
    grid = desk.client.get("/explore").text
    assert grid.count("data-chart") >= 2
    assert desk.client.get("/explore", params={"q": "latency"}).text.count("data-chart") == 1
    assert "fits this choice" in desk.client.get("/explore", params={"q": "no such"}).text
    assert "Too few complete series" in desk.client.get("/explore?view=pca").text
    assert desk.client.get("/explore?view=spiral").status_code == 422


def test_the_history_is_searched_and_counted(desk: Desk) -> None:
    assert "I-1" in desk.client.get("/history", params={"q": "hedges"}).text
    assert "No incident fits" in desk.client.get("/history", params={"q": "aliens"}).text
    html = desk.client.get("/history").text
    assert "venue gateway latency" in html
    assert 'class="heat-4"' in html
    assert "No incident fits" in desk.client.get("/history?detector=nothing").text
    assert "I-1" in desk.client.get("/history?detector=pnl_drop&feedback=none&model=none").text
    assert "No incident fits" in desk.client.get("/history?severity=low").text
    assert desk.client.get("/history?compare=I-1&compare=I-99").status_code == 404


def test_health_names_what_is_wrong_and_masks_secrets(desk: Desk) -> None:
    desk.service.health = [
        SourceHealth(name="okx", kind="exchange", status="failed", last_error="timed out", lag_seconds=900)
    ]
    html = desk.client.get("/status").text
    desk.service.health = []
    for word in ("status-failed", "timed out", "900 s", "ANALYST_LLM__API_KEY", "•••"):
        assert word in html


def test_accuracy_has_an_interval_and_small_numbers_are_said_in_words(desk: Desk) -> None:
    said = Feedback(kind="diagnosis", target_id="D-1", verdict="correct", author="ada", created_at=NOW)
    desk.stores.feedback.add(said)
    html = desk.client.get("/performance").text
    assert "95 % CI 21 to 100 %, n = 1" in html
    assert "too few to be sure" in html
    tried = desk.client.get("/performance/what-if", params={"rule": "none", "threshold": 4})
    assert tried.status_code == 404


def test_evidence_says_where_its_lane_is(desk: Desk) -> None:
    html = desk.client.get("/diagnoses/D-1").text
    assert f'data-series="{LATENCY.replace(chr(34), "&#34;")}"' in html
