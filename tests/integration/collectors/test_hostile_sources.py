"""Sources that send what makes no sense: it costs what it is in and nothing else, and its reason is told."""

import gzip
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_venue import FakeVenue
from pydantic import TypeAdapter
from raw_server import RawServer, Respond, reply, reply_json

from collectors.build import build_collector, build_runner
from collectors.collector import Collected, Position
from collectors.settings import SourceSettings
from domain.errors import SourceError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ENVIRON = {"TOKEN": "a-secret-token", "WORD": "a-secret-word"}
PAIR = "cmVhZGVyOmEtc2VjcmV0LXdvcmQ="  # reader:a-secret-word
FILLS = "id,timestamp,symbol,amount,price\n"
PROMETHEUS = {"kind": "prometheus", "queries": [{"query": "up"}], "bearer_token_env": "TOKEN"}
LOKI = {"kind": "loki", "query": '{a="b"}', "delay_seconds": 0}
NUMBER = {"kind": "json", "numbers": [{"metric": "x", "rows": "rows", "value": "v", "time": "t"}]}


@pytest.fixture
def fake() -> Iterator[FakeVenue]:
    one = FakeVenue(SECONDS * 1_000)
    yield one
    one.close()


def source(url: str = "", **more: object) -> SourceSettings:
    http = {"url": url, "allow_private_addresses": True, "deadline_seconds": 5} if url else {}
    parsed: SourceSettings = TypeAdapter(SourceSettings).validate_python(
        {"name": "one", "step_seconds": 60, **http, **more}
    )
    return parsed


def collect(settings: SourceSettings, since: Position | None = None, now: datetime = NOW) -> Collected:
    return build_collector(settings, ENVIRON).collect(since or Position(), now)


def values(page: Collected, metric: str) -> list[float]:
    return [value for one, _, value in page.samples if one.key.metric == metric]


def matrix(*points: tuple[Any, str]) -> Respond:
    result = [{"metric": {"__name__": "up"}, "values": points}]
    return reply_json({"status": "success", "data": {"resultType": "matrix", "result": result}})


def streams(*nanos: int) -> Respond:
    lines = [[str(one), f"order {one} filled"] for one in nanos]
    result = [{"stream": {"app": "gateway"}, "values": lines}]
    return reply_json({"status": "success", "data": {"resultType": "streams", "result": result}})


@pytest.mark.parametrize("status", ["200 OK", "400 Bad"])
def test_a_secret_that_a_prometheus_sends_back_is_not_told(server: RawServer, status: str) -> None:
    said = {"status": "error", "error": "not\r\n\tallowed: Bearer a-secret-token"}
    server.respond = reply_json(said, status=status)
    with pytest.raises(SourceError, match="not allowed: Bearer") as caught:
        collect(source(server.url, **PROMETHEUS))
    assert "a-secret" not in str(caught.value)


def test_a_user_with_a_password_is_a_secret_in_any_form(server: RawServer) -> None:
    server.respond = reply(f"Basic {PAIR} is wrong".encode())
    with pytest.raises(SourceError, match="is wrong") as caught:
        collect(source(server.url, username="reader", password_env="WORD", **NUMBER))
    assert PAIR not in str(caught.value)


@pytest.mark.parametrize("at", ["1772366400", ["1"] * 1_000, None, {"a": 1}])
def test_a_point_without_a_time_is_an_answer_of_another_shape_at_once(server: RawServer, at: object) -> None:
    server.respond = matrix((at, "1"))
    began = time.process_time()
    with pytest.raises(SourceError, match="unexpected shape"):
        collect(source(server.url, **PROMETHEUS))
    assert time.process_time() - began < 2


def test_a_point_of_no_year_costs_only_itself(server: RawServer) -> None:
    server.respond = matrix((1e300, "1"), (SECONDS - 60, "2"), (10**400, "3"))
    page = collect(source(server.url, **PROMETHEUS))
    assert values(page, "up") == [2.0]
    assert "outside the years" in page.notes[0]


@pytest.mark.parametrize("part", [b"[],", b"{},"])
def test_an_answer_of_very_many_parts_is_refused_before_it_is_parsed(server: RawServer, part: bytes) -> None:
    server.respond = reply(b"[" + part * 3_000_000 + b"0]")
    with pytest.raises(SourceError, match="parts"):
        collect(source(server.url, **NUMBER))


@pytest.mark.parametrize("date", ["Sat, 99 Nov 99999999999999999999 23:00:00 GMT", "nan", "-5", "1e400"])
def test_a_time_to_wait_that_is_none_does_not_break_the_read(server: RawServer, date: str) -> None:
    server.respond = reply(b"", status="429 Busy", Retry_After=date)
    with pytest.raises(SourceError, match="HTTP 429") as caught:
        collect(source(server.url, **NUMBER))
    assert (caught.value.retry_after or 0.0) >= 0.0


@pytest.mark.parametrize("at", [SECONDS * 10**9, SECONDS * 10**6, 10**400, 1e300, "9" * 60])
def test_a_row_whose_time_counts_something_else_costs_only_itself(server: RawServer, at: object) -> None:
    server.respond = reply_json({"rows": [{"v": 1, "t": at}, {"v": 2, "t": SECONDS}]})
    page = collect(source(server.url, **NUMBER))
    assert values(page, "x") == [2.0]
    assert page.notes == ("1 rows refused: x: t finds no time",)


def test_seconds_taken_for_milliseconds_are_no_samples_of_1970(server: RawServer) -> None:
    server.respond = reply_json({"rows": [{"v": 1, "t": SECONDS}]})
    number = {"metric": "x", "rows": "rows", "value": "v", "time": "t", "time_unit": "ms"}
    (result,) = build_runner([source(server.url, kind="json", numbers=[number])], {}).run(NOW)
    assert len(result.samples) == 0
    assert "unit of time" in result.health.notes[0]


@pytest.mark.parametrize("at", ["NaN", "+Inf", "1e400"])
def test_an_exported_time_that_is_none_costs_only_its_sample(server: RawServer, at: str) -> None:
    server.respond = reply(f"a 1 {at}\nb 2\n".encode())
    page = collect(source(server.url, kind="openmetrics"))
    assert [one.key.metric for one in page.samples.series if one.key.metric != "source_clock_offset_ms"] == [
        "b"
    ]
    assert page.notes == ("1 samples refused: their time is no number",)


def test_lines_of_another_time_do_not_carry_the_position_away(server: RawServer) -> None:
    good = [SECONDS * 10**9 - k * 10**9 for k in (300, 200)]
    later = [SECONDS * 10**9 + (k + 1) * 10**15 for k in range(98)]
    settings = source(server.url, page_lines=100, **LOKI)
    server.respond = streams(*good, *later)
    page = collect(settings)
    assert int(page.position.cursor["from"]) <= SECONDS * 10**9
    assert any("another time" in note for note in page.notes)
    server.respond = streams(*range(100))
    with pytest.raises(SourceError, match="another time"):
        collect(settings)


@pytest.mark.parametrize("first", ["1970-01-01T00:00:07Z", "2001-01-01T00:00:00Z"])
def test_a_line_of_long_ago_makes_no_past_of_zeros(tmp_path: Path, first: str) -> None:
    (tmp_path / "a.log").write_text(f"{first} INFO clock not set\n2026-03-01T11:58:00Z INFO started\n")
    page = collect(source(kind="logs", paths=[str(tmp_path / "*.log")]))
    assert min(at for _, at, _ in page.samples) == NOW - timedelta(minutes=2)
    assert any("too long ago" in note for note in page.notes)


def test_a_broken_rotated_file_does_not_keep_the_new_one_from_being_read(tmp_path: Path) -> None:
    path, packed = tmp_path / "a.log", tmp_path / "a.log.1.gz"
    path.write_text("".join(f"2026-03-01T11:5{k}:00Z INFO order {k} filled\n" for k in range(8)))
    settings = source(kind="logs", paths=[str(path)])
    page = collect(settings)
    data = gzip.compress(path.read_bytes() + os.urandom(100_000))
    path.unlink()
    packed.write_bytes(data[:-20_000])
    path.write_text("2026-03-01T12:00:30Z INFO order 9 filled\n")
    for age, told in ((10, "no file can be read"), (1_000, "")):
        os.utime(packed, (SECONDS + 60 - age, SECONDS + 60 - age))
        if told:
            with pytest.raises(SourceError, match=told):
                collect(settings, page.position, NOW + timedelta(minutes=1))
    page = collect(settings, page.position, NOW + timedelta(minutes=1))
    assert any("out of reach" in note for note in page.notes)
    assert sum(values(page, "log_lines")) == 1


def test_a_row_of_no_year_costs_only_itself_and_none_of_the_future_looks_fresh(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    odd = [SECONDS * 1_000, SECONDS * 10**9, "1e300", "2099-01-01T00:00:00Z"]
    path.write_text("ts,a\n2026-03-01T11:00:00Z,1\n" + "".join(f"{at},2\n" for at in odd))
    (result,) = build_runner([source(kind="csv", paths=[str(path)])], {}).run(NOW)
    assert [value for _, _, value in result.samples] == [1.0]
    assert result.position is not None
    assert result.position.watermark == NOW
    assert sorted(result.health.notes) == [
        "1 samples refused: more than 10 minutes in the future",
        "3 rows refused: the time is not a time",
    ]


@pytest.mark.parametrize("broken", ['{at},"5', "{at},{long}", '"{at},5', '{at},"{long}'])
def test_a_broken_line_of_a_table_costs_only_itself(tmp_path: Path, broken: str) -> None:
    at = "2026-03-01T11:00:00Z"
    lines = [
        broken.format(at=at, long="9" * 200_000),
        *(f"2026-03-01T11:{k:02}:00Z,{k}" for k in range(1, 60)),
    ]
    (tmp_path / "a.csv").write_text("\n".join(["ts,a", *lines, ""]))
    assert values(collect(source(kind="csv", paths=[str(tmp_path / "a.csv")])), "a") == list(range(1, 60))


def test_a_table_of_which_nothing_can_be_used_is_an_error_until_something_can(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,a\n2026-03-01T11:00:00Z,1\n")
    settings = source(kind="csv", paths=[str(path)])
    page = collect(settings)
    with path.open("a") as file:
        file.write("<html>,<body>\n")
    with pytest.raises(SourceError, match="nothing can be used: 1 rows refused: the time is not a time"):
        collect(settings, page.position)
    with path.open("a") as file:
        file.write("2026-03-01T11:05:00Z,2\n2026-03-01T11:10:00Z,\n")
    assert values(collect(settings, page.position), "a") == [2.0]


@pytest.mark.parametrize("broken", ['"f2,{at},BTC,1,100', '"f2,{at},BTC,{long},100', "f2,5,BTC,1,100"])
def test_a_broken_line_costs_no_other_fill(tmp_path: Path, broken: str) -> None:
    at = "2026-03-01T11:00:00Z"
    lines = [f"f1,{at},BTC,1,100", broken.format(at=at, long="x" * 200_000), f"f3,{at},BTC,1,100"]
    (tmp_path / "a.csv").write_text(FILLS + "\n".join(lines) + "\n")
    page = collect(source(kind="fills", paths=[str(tmp_path / "a.csv")], sharpe_hours=1))
    assert values(page, "position_units")[-1] == 2.0
    assert "rows refused" in page.notes[0]


def test_a_row_of_the_future_does_not_end_the_reading_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE pnl (at INTEGER, value REAL)")
        rows = [(SECONDS - 600 + 60 * k, k) for k in range(8)] + [(4_000_000_000, 99), (4_000_000_001, 99)]
        database.executemany("INSERT INTO pnl VALUES (?, ?)", rows)
    database.close()
    settings = source(
        kind="sql",
        url_env="DATABASE",
        query="SELECT at AS timestamp, value FROM pnl WHERE at >= :since ORDER BY at",
        metric="pnl",
        bind_time_as="unix",
        max_rows=9,
    )
    page = build_collector(settings, {"DATABASE": f"sqlite:///{path}"}).collect(Position(), NOW)
    assert page.position.watermark == NOW


def test_what_a_read_leaves_out_stands_beside_its_source(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ts,a\n2026-03-01T11:00:00Z,1\nsoon,2\n")
    runner = build_runner([source(kind="csv", paths=[str(tmp_path / "a.csv")])], {})
    (result,) = runner.run(NOW)
    assert (result.health.status, result.health.notes) == ("ok", ("1 rows refused: the time is not a time",))
    runner.acknowledge(result)
    assert json.loads(runner.health(NOW)[0].model_dump_json())["notes"] == list(result.health.notes)
    runner.run(NOW + timedelta(minutes=1))
    assert runner.health(NOW)[0].notes == ()


def calendar(*events: str) -> Respond:
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{k}\r\nSUMMARY:CPI\r\n{one}\r\nEND:VEVENT\r\n" for k, one in enumerate(events)
    )
    return reply(f"BEGIN:VCALENDAR\r\n{body}END:VCALENDAR\r\n".encode(), content_type="text/calendar")


DATES = ",".join(f"{NOW + timedelta(minutes=k):%Y%m%dT%H%M%SZ}" for k in range(2_000))
DUE = "DTSTART:20260301T110000Z"


@pytest.mark.parametrize(
    "events",
    [
        [f"{DUE}\r\nRDATE:{DATES}"],
        [f"{DUE}\r\nRRULE:FREQ=DAILY\r\nEXDATE:{DATES}"],
        ["DTSTART:00010101T000000Z\r\nRRULE:FREQ=DAILY"] * 20,
        ["DTSTART:19700101T000000Z\r\nRRULE:FREQ=HOURLY"] * 20,
        [f"{DUE}\r\nRRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31"] * 40,
        [f"{DUE}\r\nRRULE:FREQ=YEARLY;BYMONTH=1;BYYEARDAY=200"] * 40,
        [f"{DUE}\r\nRRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=40"] * 40,
    ],
)
def test_recurrences_that_take_for_ever_are_left_out_and_the_others_are_told(
    server: RawServer, events: list[str]
) -> None:
    usual = [
        f"{DUE}\r\nRRULE:FREQ=MONTHLY;BYDAY=SU;BYSETPOS=1",
        f"{DUE}\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1",
        "DTSTART:20150301T110000Z\r\nRRULE:FREQ=DAILY",
    ]
    server.respond = calendar(*usual, *events)
    began = time.process_time()
    page = collect(source(server.url, kind="calendar", deadline_seconds=20))
    assert time.process_time() - began < 5
    assert len(page.events) >= len(usual)
    assert any("recur too often" in note for note in page.notes)


@pytest.mark.parametrize(
    "body",
    ["BEGIN:X-A\r\n" * 20_000, "X-A:1\r\n" * 200_000, "DESCRIPTION:" + "x" * 11_000_000 + "\r\n"],
)
def test_a_calendar_that_is_far_too_long_is_refused_unparsed(server: RawServer, body: str) -> None:
    server.respond = calendar(f"{DUE}\r\n{body}")
    began = time.process_time()
    with pytest.raises(SourceError, match=r"calendar (holds|is longer)"):
        collect(source(server.url, kind="calendar"))
    assert time.process_time() - began < 2


def test_a_feed_of_far_too_many_elements_or_items_is_refused_early(server: RawServer) -> None:
    settings = source(server.url, kind="news")
    many = (b"<item/>" * 400_000, "elements"), (b"<item/>" * 30_000, "items"), (b"<a/>" * 400_000, "elements")
    for body, of_what in many:
        server.respond = reply(b"<rss><channel>" + body + b"</channel></rss>")
        with pytest.raises(SourceError, match=f"the feed h.* more than .* {of_what}"):
            collect(settings)
    server.respond = reply_json({"items": [{"id": k} for k in range(30_000)]})
    with pytest.raises(SourceError, match="the feed has an unexpected shape"):
        collect(settings)


def test_a_prometheus_that_answered_too_much_for_a_while_is_asked_for_more_again(server: RawServer) -> None:
    settings = source(server.url, **PROMETHEUS, max_bytes=2_000, page_points=64, backfill_hours=1)
    collector = build_collector(settings, ENVIRON)
    server.respond = reply(b" " * 3_000)
    with pytest.raises(SourceError, match="more than 2000 bytes"):
        collector.collect(Position(NOW - timedelta(minutes=5)), NOW)
    server.respond = matrix()
    for k in range(8):
        collector.collect(Position(NOW + timedelta(minutes=k)), NOW + timedelta(minutes=k + 1))
    server.requests.clear()
    assert not collector.collect(Position(NOW - timedelta(minutes=60)), NOW).more
    assert len(server.requests) == 1


def fills_file(folder: Path, **columns: Any) -> SourceSettings:
    at = [NOW - timedelta(minutes=5), NOW - timedelta(minutes=4)]
    usual = {
        "id": ["1", "2"],
        "timestamp": at,
        "symbol": ["BTC"] * 2,
        "amount": [1.0, 1.0],
        "price": [9.0] * 2,
    }
    pq.write_table(pa.table({**usual, **columns}), folder / "b.parquet")
    return source(kind="fills", paths=[str(folder / "*.csv"), str(folder / "*.parquet")], sharpe_hours=1)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([2**62, -(2**62)], type=pa.timestamp("us", "UTC")),
        pa.array([1, 2], type=pa.timestamp("us", "Mars/Olympus")),
        pa.array([2**31 - 1, 1], type=pa.date32()),
        pa.array([1, 2], type=pa.time32("s")),
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
    ],
)
def test_a_table_whose_times_are_none_costs_no_other_file(tmp_path: Path, times: Any) -> None:
    (tmp_path / "a.csv").write_text(FILLS + "f1,2026-03-01T11:00:00Z,BTC,1,100\n")
    page = collect(fills_file(tmp_path, timestamp=times))
    assert values(page, "position_units")[-1] == 1.0
    assert any("b.parquet" in note for note in page.notes)


def test_a_table_of_far_too_many_rows_is_refused_before_all_are_held(tmp_path: Path) -> None:
    n = 60_000
    many = {"id": pa.array(range(n)).cast(pa.string()), "amount": [1.0] * n, "price": [1.0] * n}
    settings = fills_file(tmp_path, **many, symbol=["BTC"] * n, timestamp=[NOW - timedelta(minutes=5)] * n)
    collector = build_collector(settings.model_copy(update={"max_fills": 1_000}), {})
    with pytest.raises(SourceError, match="2001 rows are more than max_fills = 1000"):
        collector.collect(Position(), NOW)


def test_fills_of_which_none_can_be_used_are_an_error_until_one_can(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ID,when,qty\n1,2026-03-01T11:00:00Z,1\n")
    settings = source(kind="fills", paths=[str(tmp_path / "*.csv")], sharpe_hours=1)
    collector = build_collector(settings, {})
    for minutes in (0, 1):
        with pytest.raises(
            SourceError, match="no fill can be used: rows refused: neither amount nor funding"
        ):
            collector.collect(Position(), NOW + timedelta(minutes=minutes))
    (tmp_path / "b.csv").write_text(FILLS + "f1,2026-03-01T11:00:00Z,BTC,1,100\n")
    for minutes in (2, 3):
        page = collector.collect(Position(), NOW + timedelta(minutes=minutes))
        assert values(page, "position_units")[-1] == 1.0
        assert page.notes == ("1 files of no use now: a.csv: rows refused: neither amount nor funding",)


def venue(url: str) -> SourceSettings:
    http: dict[str, Any] = {"base_url": url, "allow_private_addresses": True, "feeds": ["bars"]}
    symbols = ["BTC/USDT:USDT"]
    return source(kind="exchange", venue="bybit", symbols=symbols, timeframe="1m", backfill_hours=1, **http)


def test_a_venue_that_tells_its_time_in_seconds_is_read_by_our_clock(fake: FakeVenue) -> None:
    usual = collect(venue(fake.url))
    fake.changed["/v5/market/time"] = lambda said: {**said, "time": SECONDS}
    page = collect(venue(fake.url))
    assert any("units milliseconds" in note for note in page.notes)
    assert values(page, "price") == values(usual, "price")
    assert values(page, "venue_clock_offset_ms") == []


def test_an_answer_of_a_venue_of_very_many_parts_is_refused_before_it_is_parsed(fake: FakeVenue) -> None:
    body = b'{"retCode":0,"result":[' + b"[]," * 1_500_000 + b"[]]}"
    fake.spoil("/v5/market/kline", reply(body, content_type="application/json"))
    with pytest.raises(SourceError, match="/v5/market/kline answered JSON of more than 2000000 parts"):
        collect(venue(fake.url))


def test_a_source_that_answers_and_brings_nothing_new_says_since_when(fake: FakeVenue) -> None:
    runner = build_runner([venue(fake.url)], {})
    (result,) = runner.run(NOW)
    runner.acknowledge(result)
    # The venue's clock stands still, and so do its bars.
    for minutes in range(1, 6):
        (result,) = runner.run(NOW + timedelta(minutes=minutes))
        runner.acknowledge(result)
    assert (result.health.status, result.health.last_error) == (
        "stale",
        "no data newer than 2026-03-01 11:59 UTC",
    )


def test_a_field_that_is_missing_is_named(server: RawServer) -> None:
    server.respond = reply_json({"status": "success", "content": {}})
    with pytest.raises(SourceError, match="the answer has an unexpected shape \\(no field 'data'\\)"):
        collect(source(server.url, **PROMETHEUS))


def test_a_line_of_an_exporter_that_is_far_too_long_is_refused_unparsed(server: RawServer) -> None:
    server.respond = reply(b'a 1\nb{x="' + b"\\\\" * 3_000_000 + b'"} 1\n')
    began = time.process_time()
    with pytest.raises(SourceError, match="a line of more than 65536 characters"):
        collect(source(server.url, kind="openmetrics"))
    assert time.process_time() - began < 3
    assert values(collect(source(server.url, kind="openmetrics", deny=["b"])), "a") == [1.0]


def test_what_answers_instead_of_an_exporter_is_quoted_without_the_secret(server: RawServer) -> None:
    server.respond = reply(b"Denied: a-secret-token has expired\n")
    settings = source(server.url, kind="openmetrics", bearer_token_env="TOKEN")
    with pytest.raises(
        SourceError, match=r"no metrics text \(ValueError\); it starts with 'Denied: \*\*\* has"
    ):
        collect(settings)
