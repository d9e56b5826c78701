"""The desk as a process: what stands behind its doors, and how it comes and goes."""

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.openmetrics import parser
from pydantic import TypeAdapter

from collectors.settings import SourceSettings
from collectors.simulator.clock import SimulatedClock
from collectors.simulator.layout import CELLS
from collectors.simulator.sources import desk_configuration
from collectors.simulator.vocabulary import SERIES
from domain.series import SeriesKey
from domain.timestamps import parse_rfc3339
from domain.topology import Edge, Strategy

ROOT = Path(__file__).parents[3]
START = "2026-11-10T12:02:00Z"
HISTORY = 14 * 288
DEADLINE_S = 30.0


class RunningDesk:
    """A desk in a child process, with its ready line."""

    def __init__(self, folder: Path, *more: str) -> None:
        command = [
            sys.executable,
            "-m",
            "collectors.simulator",
            "--dir",
            str(folder),
            "--start",
            START,
            *more,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.folder = folder

    def get(self, door: str, query: str = "") -> bytes:
        with urllib.request.urlopen(self.ready[door] + query, timeout=DEADLINE_S) as answer:
            body: bytes = answer.read()
        return body

    def post(self, body: object) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["incidents"], data=data, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / "desk.sqlite")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def wait_for_steps(self, n: int) -> None:
        until = time.monotonic() + DEADLINE_S
        while self.rows("SELECT count(DISTINCT ts) FROM pnl")[0][0] < HISTORY + n:
            assert time.monotonic() < until, "the desk does not move"
            time.sleep(0.02)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """A desk that stands still for the length of the test: one second of it is one of ours."""
    running = RunningDesk(tmp_path_factory.mktemp("desk"), "--speed", "1", "--seed", "4")
    yield running
    assert running.stop() == 0


def samples(text: bytes) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    parse: Callable[[str], Iterable[Any]] = parser.text_string_to_metric_families
    for family in parse(text.decode()):
        for sample in family.samples:
            name = SeriesKey.of(sample.name, sample.labels).name
            found.setdefault(name, {})[int(float(sample.timestamp))] = sample.value
    return found


def test_the_exporter_speaks_openmetrics_with_the_desk_s_own_time(desk: RunningDesk) -> None:
    found = samples(desk.get("metrics"))
    assert set(found) == {series.name for series in SERIES}
    last_step = int(parse_rfc3339("2026-11-10T11:55:00Z").timestamp())
    assert {stamp for values in found.values() for stamp in values} == {last_step}


def test_the_archive_holds_the_history_of_the_exporter_s_series(desk: RunningDesk) -> None:
    exported = samples(desk.get("metrics", "?points=288"))
    archived: dict[str, dict[int, float]] = {}
    for path in sorted(Path(desk.ready["archive"]).glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert header[0] == "timestamp"
        assert len(rows) == HISTORY
        stamps = [int(parse_rfc3339(row[0]).timestamp()) for row in rows[-288:]]
        for i, name in enumerate(header[1:], start=1):
            pairs = zip(stamps, rows[-288:], strict=True)
            archived[name] = {stamp: float(row[i]) for stamp, row in pairs if row[i]}
    assert archived == exported


def test_the_database_holds_pnl_with_parts_that_add_up(desk: RunningDesk) -> None:
    assert desk.rows("SELECT count(*) FROM pnl") == [(HISTORY * len(CELLS),)]
    off = "abs(pnl - price_pnl - spread_pnl - fees - funding - slippage) > 0.001"
    assert desk.rows(f"SELECT count(*) FROM pnl WHERE {off}") == [(0,)]
    assert desk.rows("SELECT min(ts), max(ts) FROM pnl") == [("2026-10-27T12:00:00Z", "2026-11-10T11:55:00Z")]


def test_the_fills_of_the_last_day_are_what_fees_were_paid_for(desk: RunningDesk) -> None:
    assert desk.rows("SELECT count(DISTINCT ts) FROM fills") == [(288,)]
    assert desk.rows("SELECT count(*) FROM fills WHERE abs(price * quantity - notional) > 0.01") == [(0,)]
    paid = desk.rows("SELECT sum(fee) FROM fills")[0][0]
    booked = desk.rows("SELECT -sum(fees) FROM pnl WHERE ts >= '2026-11-09T12:00:00Z'")[0][0]
    assert paid == pytest.approx(booked, rel=1e-3)


def test_the_log_files_name_component_and_level(desk: RunningDesk) -> None:
    configuration = desk_configuration(desk.ready)
    (logs,) = (one for one in configuration["sources"] if one["kind"] == "logs")

    pattern = re.compile(logs["pattern"])
    paths = sorted(Path(desk.ready["logs"]).glob("*.log"))
    assert len(paths) == 4
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            found = pattern.match(line)
            assert found is not None, line
            parse_rfc3339(found["timestamp"])


def test_news_is_rss_and_changes_are_a_json_feed(desk: RunningDesk) -> None:
    titles = [item.findtext("title") for item in ET.fromstring(desk.get("news")).iter("item")]
    assert len(titles) > 50
    feed = json.loads(desk.get("events", "?kind=deploy"))
    assert feed["version"].startswith("https://jsonfeed.org/")
    assert all(item["tags"][0] == "deploy" for item in feed["items"])
    start = parse_rfc3339(START)
    assert all(parse_rfc3339(item["date_published"]) <= start for item in feed["items"])


def test_one_incident_is_under_way_and_costs_money(desk: RunningDesk) -> None:
    incidents = json.loads(desk.get("truth"))["incidents"]
    current = incidents[-1]
    assert (current["kind"], current["origin"]) == ("venue_gateway_latency", "ongoing")
    assert current["impact_usd"] < -1_000
    assert incidents == json.loads((desk.folder / "truth.json").read_text(encoding="utf-8"))
    latency = samples(desk.get("metrics", "?points=288"))['order_ack_latency_ms{venue="bybit"}']
    values = [latency[stamp] for stamp in sorted(latency)]
    assert values[-1] > 5 * values[-12]


@pytest.mark.parametrize("parts", [False, True])
def test_the_product_configuration_of_the_desk_is_valid(desk: RunningDesk, *, parts: bool) -> None:
    configuration = desk_configuration(desk.ready, parts=parts)
    adapter: TypeAdapter[Any] = TypeAdapter(list[SourceSettings])
    kinds = {one.kind for one in adapter.validate_python(configuration["sources"])}
    assert kinds == {"sql", "openmetrics", "csv", "logs", "news"}
    TypeAdapter(list[Strategy]).validate_python(configuration["strategies"])
    TypeAdapter(list[Edge]).validate_python(configuration["edges"])
    assert "truth" not in json.dumps(configuration)
    pnl = next(one for one in configuration["sources"] if one["kind"] == "sql")
    bounds = {":since": "'2026-11-09'", ":until": "'2026-11-10'", ":limit": "5"}
    query = re.sub(r":\w+", lambda found: bounds[found[0]], pnl["query"])
    (row, *_) = desk.rows(query)
    assert len(row) == 4 + len(pnl["values"])


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"[" * 9_000,
        {"kind": 1},
        {"kind": "fire"},
        {"kind": "stale_feed", "target": "nyse"},
        b'{"kind":"stale_feed","duration_minutes":1e999}',
    ],
)
def test_an_unusable_request_is_refused_in_words(desk: RunningDesk, body: object) -> None:
    status, answer = desk.post(body)
    assert status == 422
    assert answer["detail"]


def test_what_is_not_there_is_not_found(desk: RunningDesk) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        desk.get("metrics", "/nothing")
    with caught.value:
        assert caught.value.code == 404


def test_a_live_desk_moves_on_and_takes_incidents_on_request(tmp_path: Path) -> None:
    running = RunningDesk(tmp_path, "--speed", "3000", "--seed", "4", "--first", "none", "--every", "0")
    try:
        status, truth = running.post(
            {"kind": "stale_feed", "target": "feed:okx", "duration_minutes": 600 / 2}
        )
        assert status == 202
        began = int(parse_rfc3339(truth["started_at"]).timestamp()) // 300
        running.wait_for_steps(6)
        ages = samples(running.get("metrics", "?points=20"))['feed_age_seconds{venue="okx"}']
        during = [value for stamp, value in ages.items() if stamp // 300 > began]
        before = [value for stamp, value in ages.items() if stamp // 300 < began]
        assert min(during) > 100 > max(before)
        clock = SimulatedClock.from_ready(running.ready, time.time)
        newest = running.rows("SELECT max(ts) FROM pnl")[0][0]
        assert 0 < (clock.now() - parse_rfc3339(newest)).total_seconds() < 3_000
        assert "reconnecting" in (tmp_path / "logs" / "feeds.log").read_text(encoding="utf-8")
    finally:
        assert running.stop() == 0


def test_the_same_seed_and_start_give_the_same_desk_however_fast_it_runs(tmp_path: Path) -> None:
    found = []
    for name, speed in (("slow", "2000"), ("fast", "20000")):
        running = RunningDesk(tmp_path / name, "--speed", speed, "--seed", "6")
        running.wait_for_steps(8)
        running.stop()
        first = parse_rfc3339("2026-11-10T12:40:00Z")
        archive = {path.name: path.read_bytes() for path in (tmp_path / name / "archive").iterdir()}
        rows = running.rows("SELECT * FROM pnl WHERE ts < '2026-11-10T12:40:00Z'")
        logs = [
            line
            for path in sorted((tmp_path / name / "logs").iterdir())
            for line in path.read_text(encoding="utf-8").splitlines()
            if parse_rfc3339(line.split(" ", maxsplit=1)[0]) < first
        ]
        found.append((archive, rows, logs))
    assert found[0] == found[1]


def test_the_desk_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'collectors.simulator', '--dir', sys.argv[1],"
        " '--speed', '1'], stdout=subprocess.PIPE, text=True)\n"
        "print(child.stdout.readline(), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = json.loads(parent.stdout.readline())["pid"]
    parent.kill()
    parent.communicate()
    until = time.monotonic() + DEADLINE_S
    while _alive(pid):
        assert time.monotonic() < until, "the desk outlives its parent"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "\nState:\tZ" in status.read_text(encoding="utf-8"))


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--start", "yesterday"], ["--seed", "-1"]])
def test_unusable_arguments_are_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "collectors.simulator", "--dir", str(tmp_path), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path, desk: RunningDesk) -> None:
    port = desk.ready["metrics"].split(":")[2].split("/")[0]
    command = [sys.executable, "-m", "collectors.simulator", "--dir", str(tmp_path), "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
