"""Market data of a venue: ccxt's real client over real sockets."""

import contextlib
import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_venue import FakeVenue, candle, ok, refused
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from raw_server import Respond, cut, drip_body, drip_header, hang, reply, reply_json, reset

from collectors.build import build_collector, build_runner, check_source
from collectors.collector import Collected, Position
from collectors.exchange.collector import ExchangeCollector
from collectors.exchange.settings import ExchangeSource
from collectors.exchange.venue import Venue
from domain.errors import ConfigurationError, SourceError

NOW = datetime(2026, 3, 1, 12, 7, 31, tzinfo=UTC)
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
FIVE = 300_000


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


@pytest.fixture
def venue() -> Iterator[FakeVenue]:
    one = FakeVenue(ms(NOW))
    yield one
    one.close()


def settings(fake: FakeVenue, **more: object) -> ExchangeSource:
    values = {
        "kind": "exchange",
        "name": "bybit",
        "venue": "bybit",
        "symbols": [BTC, ETH],
        "base_url": fake.url,
        "allow_private_addresses": True,
        "step_seconds": 300,
        "deadline_seconds": 5,
        "call_seconds": 1,
        "backfill_hours": 2,
        "page_bars": 100,
        **more,
    }
    return ExchangeSource.model_validate(values)


def collector(fake: FakeVenue, **more: object) -> ExchangeCollector:
    configured = settings(fake, **more)
    client = Venue(configured, configured.symbols)
    # The pace of the real venue would make these tests slow; that it is kept is tested apart.
    client.client.rateLimit = 0.01
    return ExchangeCollector(configured, client)


def read(one: ExchangeCollector, since: Position | None = None, now: datetime = NOW) -> list[Collected]:
    """One whole read, page by page, as a worker does it."""
    pages = [one.collect(since or Position(), now)]
    while pages[-1].more:
        pages.append(one.collect(pages[-1].position, now))
    return pages


def samples(pages: list[Collected], metric: str, symbol: str = BTC) -> dict[datetime, float]:
    return {
        at: value
        for page in pages
        for series, at, value in page.samples
        if series.key.metric == metric
        and series.key.label("symbol") in {symbol, None}
        and not series.key.label("feed")
    }


def notes(pages: list[Collected]) -> str:
    return "\n".join(note for page in pages for note in page.notes)


def only(found: dict[datetime, float]) -> float:
    (value,) = found.values()
    return value


def test_every_feed_of_a_symbol_becomes_a_series(venue: FakeVenue) -> None:
    pages = read(collector(venue))
    assert not notes(pages)
    prices = samples(pages, "price")
    last = datetime(2026, 3, 1, 12, 4, 59, 999_000, tzinfo=UTC)
    assert max(prices) == last
    assert len(prices) == 24
    true = candle("BTCUSDT", ms(last) + 1 - FIVE, FIVE, ms(NOW))
    assert prices[last] == float(true[4])
    assert samples(pages, "volume_usd")[last] == pytest.approx(float(true[4]) * float(true[5]))
    before = samples(pages, "price")[last - timedelta(minutes=5)]
    assert samples(pages, "return_bps")[last] == pytest.approx((prices[last] / before - 1) * 1e4)
    assert len(samples(pages, "realized_volatility_bps")) == len(samples(pages, "volume_ratio")) == 24
    assert only(samples(pages, "spread_bps")) == pytest.approx(2.0)
    assert only(samples(pages, "book_imbalance")) == pytest.approx(1 / 3, abs=0.001)
    assert only(samples(pages, "depth_usd")) == pytest.approx(15 * prices[last], rel=0.01)
    assert only(samples(pages, "funding_rate_bps")) == pytest.approx(1.0)
    assert only(samples(pages, "basis_bps")) == pytest.approx(10.0)
    assert only(samples(pages, "open_interest_usd")) == pytest.approx(1000 * prices[last], rel=0.01)
    assert only(samples(pages, "volume_24h_usd")) == pytest.approx(500 * prices[last], rel=0.01)
    assert set(samples(pages, "funding_settled_bps").values()) == set()
    assert {one.source for page in pages for one in page.samples.series} == {"market_data"}
    units = {one.key.metric: one.unit for page in pages for one in page.samples.series}
    assert (units["spread_bps"], units["depth_usd"], units["price"]) == ("bps", "USD", "USDT")


def test_bars_that_are_missing_or_repeat_themselves_are_counted(venue: FakeVenue) -> None:
    def spoil(answer: Any) -> Any:
        rows = answer["result"]["list"]
        del rows[7:9]
        rows[2] = [rows[2][0], *rows[3][1:]]
        # Without a trade a bar says the last price again.
        quiet = [*[rows[5][4]] * 4, "0", "0"]
        rows[4], rows[5] = [rows[4][0], *quiet], [rows[5][0], *quiet]
        return answer

    venue.changed["/v5/market/kline"] = spoil
    pages = read(collector(venue))
    gaps, repeats = samples(pages, "bar_gaps"), samples(pages, "bar_repeats")
    assert sorted(gaps.values()) == [0.0] * 21 + [2.0]
    assert sorted(repeats.values()) == [0.0] * 21 + [1.0]
    prices = samples(pages, "price")
    (repeated,) = [at for at, value in repeats.items() if value]
    assert prices[repeated] == prices[repeated - timedelta(minutes=5)]
    (after,) = [at for at, value in gaps.items() if value]
    assert after - timedelta(minutes=5) not in prices


def test_bars_of_another_shape_are_told_where_there_were_bars_before(venue: FakeVenue) -> None:
    one = collector(venue, symbols=[BTC], feeds=["bars"])
    pages = read(one)
    assert not notes(pages)

    def renamed(answer: Any) -> Any:
        return {**answer, "result": {"rows": answer["result"]["list"]}}

    venue.changed["/v5/market/kline"] = renamed
    with pytest.raises(SourceError, match="no bars were answered"):
        read(one, pages[-1].position, NOW + timedelta(minutes=5))


def test_settled_funding_is_read_once_and_not_asked_for_all_the_time(venue: FakeVenue) -> None:
    one = collector(venue, backfill_hours=24, page_bars=500)
    pages = read(one)
    assert [at.hour for at in samples(pages, "funding_settled_bps")] == [16, 0, 8]
    asked = len(venue.asked)
    later = read(one, pages[-1].position, NOW + timedelta(minutes=5))
    assert not samples(later, "funding_settled_bps")
    assert not [path for path, _ in venue.asked[asked:] if path == "/v5/market/funding/history"]


def test_after_an_outage_all_closed_bars_are_caught_up_page_by_page(venue: FakeVenue) -> None:
    one = collector(venue, symbols=[BTC])
    first = read(one)
    later = NOW + timedelta(hours=30)
    venue.now_ms = ms(later)
    again = collector(venue, symbols=[BTC], backfill_hours=72)
    pages = read(again, first[-1].position, later)
    assert len(pages) > 5
    found = samples(first, "price") | samples(pages, "price")
    expected = {
        NOW.replace(minute=0, second=0) + timedelta(minutes=5 * k, microseconds=-1_000)
        for k in range(-22, 12 * 30 + 2)
    }
    assert set(found) == expected
    assert len(samples(first, "price")) + len(samples(pages, "price")) == len(found)


def test_bars_older_than_the_backfill_are_left(venue: FakeVenue) -> None:
    later = NOW + timedelta(hours=30)
    one = collector(venue, symbols=[BTC])
    first = read(one)
    venue.now_ms = ms(later)
    found = samples(read(one, first[-1].position, later), "price")
    assert min(found) > later - timedelta(hours=2, minutes=5)


@given(
    seconds=st.floats(0, 3_600),
    ahead=st.one_of(st.just(0.0), st.floats(-400, 400), st.sampled_from([-86_400.0, 86_400.0])),
    settle=st.floats(0, 20),
)
@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_value_of_a_bar_that_still_forms_is_ever_stored(
    venue: FakeVenue, seconds: float, ahead: float, settle: float
) -> None:
    """Whatever the clocks say, what is stored is what the bar was at its very end, and known by then."""
    now = NOW + timedelta(seconds=seconds)
    venue.now_ms = ms(now + timedelta(seconds=ahead))
    pages = read(collector(venue, symbols=[BTC], feeds=["bars"], settle_seconds=settle), now=now)
    for at, value in samples(pages, "price").items():
        assert at < now
        end = ms(at) + 1
        assert end % FIVE == 0
        assert end <= venue.now_ms
        assert value == float(candle("BTCUSDT", end - FIVE, FIVE, 2**60)[4])


def test_reading_a_bar_before_and_after_its_end_never_gives_two_values(venue: FakeVenue) -> None:
    one = collector(venue, symbols=[BTC], feeds=["bars"], settle_seconds=0)
    position = Position()
    seen: dict[datetime, float] = {}
    for second in range(0, 900, 47):
        now = NOW + timedelta(seconds=second)
        venue.now_ms = ms(now)
        pages = read(one, position, now)
        position = pages[-1].position
        found = samples(pages, "price")
        assert not found.keys() & seen.keys()
        seen |= found
    assert len(seen) >= 26


def test_bars_in_any_order_twice_or_off_the_grid_give_each_bar_once(venue: FakeVenue) -> None:
    clean = samples(read(collector(venue, symbols=[BTC], feeds=["bars"])), "price")

    def spoil(document: dict[str, dict[str, list[list[str]]]]) -> object:
        rows = document["result"]["list"]
        mixed = rows[::2] + rows[1::2] + rows[:5]
        mixed += [[str(int(rows[3][0]) + 77), *rows[3][1:]], [*rows[4][:4], "NaN", *rows[4][5:]]]
        return {**document, "result": {**document["result"], "list": mixed}}

    venue.changed["/v5/market/kline"] = spoil
    pages = read(collector(venue, symbols=[BTC], feeds=["bars"]))
    assert samples(pages, "price") == clean
    assert "not on the timeframe's grid" in notes(pages)


@pytest.mark.parametrize(
    "row",
    [
        ["x", "1", "1", "1", "1", "1", "1"],
        [None, None, None, None, None, None, None],
        ["1772366400000", "1", "1", "1", "0", "1", "1"],
        ["1772366400000", "1", "2", "1", "3", "1", "1"],
        [],
        7,
        None,
    ],
)
def test_a_bar_that_makes_no_sense_is_left_out_and_the_rest_stays(venue: FakeVenue, row: object) -> None:
    def spoil(document: dict[str, dict[str, list[object]]]) -> object:
        rows = [one for one in document["result"]["list"] if one[0] != "1772366400000"]  # type: ignore[index]
        return {**document, "result": {**document["result"], "list": [*rows, row]}}

    venue.changed["/v5/market/kline"] = spoil
    pages = read(collector(venue))
    odd = datetime.fromtimestamp(1772366700 - 0.001, UTC)
    assert odd not in samples(pages, "price")
    assert len(samples(pages, "price")) >= 23
    assert samples(pages, "spread_bps")


def test_no_return_is_made_up_across_missing_bars(venue: FakeVenue) -> None:
    def spoil(document: dict[str, dict[str, list[list[str]]]]) -> object:
        rows = document["result"]["list"]
        return {**document, "result": {**document["result"], "list": rows[:6] + rows[8:]}}

    venue.changed["/v5/market/kline"] = spoil
    pages = read(collector(venue, symbols=[BTC], feeds=["bars"]))
    assert len(samples(pages, "price")) == 22
    assert len(samples(pages, "return_bps")) == 21


def test_a_delisted_symbol_costs_the_others_nothing(venue: FakeVenue) -> None:
    venue.inactive.add("ETHUSDT")
    pages = read(collector(venue, symbols=["DOGE/USDT:USDT", ETH, BTC]))
    assert samples(pages, "price")
    assert "DOGE/USDT:USDT is not listed" in notes(pages)
    assert "ETH/USDT:USDT does not trade" in notes(pages)
    alone = collector(venue, symbols=["DOGE/USDT:USDT"])
    with pytest.raises(SourceError, match="not listed") as error:
        read(alone)
    assert error.value.permanent


@pytest.mark.parametrize(
    "respond",
    [
        refused(10001, "symbol invalid"),
        reply_json({"retCode": 0, "result": {"list": [7]}, "time": 1}),
        reply_json({"retCode": 0, "result": {"list": "x"}, "time": 1}),
        reply_json({"retCode": 0, "result": None, "time": 1}),
        reply_json([1, 2, 3]),
        reply_json({"retCode": 10001, "retMsg": "params error: \u202esymbol"}, status="400 Bad Request"),
    ],
)
def test_one_symbol_that_is_answered_badly_costs_the_others_nothing(
    venue: FakeVenue, respond: Respond
) -> None:
    venue.spoil("", respond, symbol="ETHUSDT")
    pages = read(collector(venue))
    assert len(samples(pages, "price", BTC)) == 24
    assert not samples(pages, "price", ETH)
    assert f"calls failed: {ETH}" in notes(pages)


@pytest.mark.parametrize("value", [None, "NaN", "", "abc", [], {}, True, "1e999"])
def test_a_field_that_is_no_number_is_a_gap_never_a_zero(venue: FakeVenue, value: object) -> None:
    def spoil(document: dict[str, dict[str, list[dict[str, object]]]]) -> object:
        fields = dict.fromkeys(("fundingRate", "turnover24h", "volume24h", "markPrice", "lastPrice"), value)
        rows = [{**row, **fields} for row in document["result"]["list"]]
        return {**document, "result": {**document["result"], "list": rows}}

    venue.changed["/v5/market/tickers"] = spoil
    pages = read(collector(venue, symbols=[BTC]))
    for metric in ("volume_24h_usd", "basis_bps", "funding_rate_bps"):
        assert all(at_zero != 0 for at_zero in samples(pages, metric).values())
    assert samples(pages, "spread_bps")


@pytest.mark.parametrize(
    ("respond", "says"),
    [
        (reply(b"<!DOCTYPE html><html>maintenance</html>", content_type="text/html"), "web page"),
        (reply(b'{"retCode":0,"result":{"list":[["17', content_type="application/json"), "no JSON"),
        (reply(b"", status="502 Bad Gateway"), "HTTP 502"),
        (reply(b"", status="302 Found", Location="http://169.254.169.254/latest"), "redirects"),
        (reply(b"no", status="403 Forbidden"), "HTTP 403"),
        (cut, "broke off"),
        (reset, "broke off"),
        (hang, "in time"),
        (drip_body, "in time"),
        (drip_header, "in time"),
        (reply(b"[" * 200_000), "no JSON"),
        (reply(b"\x1f\x8b broken", content_encoding="gzip"), "broken gzip"),
    ],
)
def test_a_venue_that_does_not_answer_properly_is_an_error_with_its_reason(
    venue: FakeVenue, respond: Respond, says: str
) -> None:
    venue.spoil("/v5/market/kline", respond)
    with pytest.raises(SourceError, match=says):
        read(collector(venue))


def symbols_read(one: ExchangeCollector, since: Position, now: datetime) -> tuple[set[str], Position]:
    """The symbols that a read brought before it ended or broke off, and how far it came."""
    seen: set[str] = set()
    with contextlib.suppress(SourceError):
        while True:
            page = one.collect(since, now)
            seen |= {name for series in page.samples.series if (name := series.key.label("symbol"))}
            since = page.position
            if not page.more:
                break
    return seen, since


def many(*natives: str) -> tuple[FakeVenue, list[str]]:
    """A venue that lists other symbols, and their unified names."""
    fake = FakeVenue(ms(NOW), natives)
    return fake, [f"{native.removesuffix('USDT')}/USDT:USDT" for native in natives]


def test_a_symbol_that_broke_off_one_read_is_part_of_the_next(venue: FakeVenue) -> None:
    one = collector(venue)
    venue.spoil("", reply(b"<html>oops</html>"), symbol="BTCUSDT")
    seen, position = symbols_read(one, Position(), NOW)
    assert seen == set()
    venue.spoilt_symbols.clear()
    for minute in (1, 2):
        seen, position = symbols_read(one, position, NOW + timedelta(minutes=minute))
        assert seen == {BTC, ETH}


def test_a_symbol_whose_answers_break_every_read_does_not_starve_the_others(venue: FakeVenue) -> None:
    venue.spoil("", reply(b"<html>oops</html>"), symbol="BTCUSDT")
    one, position = collector(venue), Position()
    reads = []
    for minute in range(5):
        seen, position = symbols_read(one, position, NOW + timedelta(minutes=minute))
        reads.append(seen)
    assert reads == [set(), {ETH}, {ETH}, {ETH}, {ETH}]


@pytest.mark.parametrize("broken", [(0, 1), (1, 2), (0, 3), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("tries", [1, 2])
def test_symbols_that_break_every_read_do_not_starve_the_others(broken: tuple[int, ...], tries: int) -> None:
    natives = ("AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT")
    fake, names = many(*natives)
    for number in broken:
        fake.spoil("", reply(b"<html>oops</html>"), symbol=natives[number])
    one, position = collector(fake, symbols=names, feeds=["ticker"]), Position()
    seen: list[set[str]] = []
    for minute in range(8):
        for _ in range(tries):
            found, position = symbols_read(one, position, NOW + timedelta(minutes=minute))
            seen.append(found)
    fake.close()
    good = {name for number, name in enumerate(names) if number not in broken}
    assert set().union(*seen[: len(seen) // 2]) == good
    assert set().union(*seen[len(seen) // 2 :]) == good


def test_a_venue_that_knows_other_depths_of_the_book_chooses_itself(venue: FakeVenue) -> None:
    answer = venue.answers["/v5/market/orderbook"]

    def picky(connection: socket.socket, head: str) -> None:
        good = reply_json(ok(answer({"symbol": "BTCUSDT"}), venue.now_ms))
        (good if "limit=25" in head else refused(10001, "params error: limit"))(connection, head)

    venue.spoil("/v5/market/orderbook", picky)
    pages = read(collector(venue, symbols=[BTC]))
    assert samples(pages, "spread_bps")
    assert not notes(pages)


def depths_asked(fake: FakeVenue, one: ExchangeCollector, minute: int) -> list[tuple[str, str | None]]:
    """Symbol and number of levels of each call for a book in one read, which brings every symbol's."""
    fake.asked.clear()
    pages = read(one, now=NOW + timedelta(minutes=minute))
    assert not notes(pages)
    assert samples(pages, "spread_bps", BTC)
    assert samples(pages, "spread_bps", ETH)
    asked = [query for path, query in fake.asked if path == "/v5/market/orderbook"]
    return [(query["symbol"], query.get("limit")) for query in asked]


def test_one_refusal_of_a_depth_does_not_lower_it_for_good(venue: FakeVenue) -> None:
    one = collector(venue, feeds=["book"], book_levels=200)
    answer = venue.answers["/v5/market/orderbook"]
    both = [("BTCUSDT", "200"), ("ETHUSDT", "200")]
    refuse = [True]

    def passing(connection: socket.socket, head: str) -> None:
        good = reply_json(ok(answer({"symbol": "BTCUSDT"}), venue.now_ms))
        (refused(10016, "service is busy") if refuse.pop() else good)(connection, head)

    for minute in (0, 2):
        refuse[:] = [False, True]
        venue.spoil("", passing, symbol="BTCUSDT")
        asked = depths_asked(venue, one, minute)
        assert [asked[0], *asked[2:]] == both
        assert asked[1] != both[0]
        venue.spoilt_symbols.clear()
        assert depths_asked(venue, one, minute + 1) == both


def test_a_depth_that_one_symbol_refuses_is_asked_of_the_others(venue: FakeVenue) -> None:
    one = collector(venue, feeds=["book"], book_levels=200)
    answer = venue.answers["/v5/market/orderbook"]

    def picky(connection: socket.socket, head: str) -> None:
        good = reply_json(ok(answer({"symbol": "BTCUSDT"}), venue.now_ms))
        (refused(10001, "params error: limit") if "limit=200" in head else good)(connection, head)

    venue.spoil("", picky, symbol="BTCUSDT")
    asked = [depths_asked(venue, one, minute) for minute in range(3)]
    assert [("BTCUSDT", "200") in calls for calls in asked] == [True, True, False]
    assert all(("ETHUSDT", "200") in calls for calls in asked)


def test_an_endless_answer_is_cut_at_its_bound(venue: FakeVenue) -> None:
    venue.spoil("/v5/market/kline", reply(b"[" + b" " * 3_000_000 + b"]"))
    with pytest.raises(SourceError, match="more than 100000 bytes"):
        read(collector(venue, max_bytes=100_000))


@pytest.mark.parametrize(
    ("respond", "seconds"),
    [
        (reply(b"{}", status="429 Too Many", Retry_After="17", content_type="application/json"), 17),
        (reply(b"", status="429 Too Many"), 60),
        (reply(b"", status="418 Banned", Retry_After="120"), 120),
        (reply(b"", status="503 Busy", Retry_After="5"), 5),
        (refused(10006, "Too many visits!"), 30),
    ],
)
def test_a_venue_that_asks_to_be_left_alone_is(venue: FakeVenue, respond: Respond, seconds: float) -> None:
    venue.spoil("", respond, symbol="ETHUSDT")
    configured = settings(venue)
    runner = build_runner([configured], {})
    (result,) = runner.run(NOW)
    assert {series.key.label("symbol") for series in result.samples.series} >= {BTC}
    assert result.health.status == "failed"
    assert result.health.next_try_at == NOW + timedelta(seconds=seconds)
    runner.acknowledge(result)
    asked = len(venue.asked)
    runner.run(NOW + timedelta(seconds=seconds - 1))
    assert len(venue.asked) == asked
    venue.spoilt_symbols.clear()
    (later,) = runner.run(NOW + timedelta(seconds=seconds + 1))
    assert later.health.status == "ok"
    # The round goes on where it broke off.
    first = next(one.key.label("symbol") for one in later.samples.series if one.key.label("symbol"))
    assert first == ETH
    runner.close()


@pytest.mark.parametrize("ahead", [-90.0, 90.0, 86_400.0])
def test_a_venue_whose_clock_is_off_is_measured_against_its_own_clock(venue: FakeVenue, ahead: float) -> None:
    venue.now_ms = ms(NOW + timedelta(seconds=ahead))
    pages = read(collector(venue))
    offset = only(samples(pages, "venue_clock_offset_ms"))
    assert offset == pytest.approx(ahead * 1_000, abs=1_500)
    assert 0 <= only(samples(pages, "feed_age_seconds")) < 3
    assert all(at <= NOW for page in pages for _, at, _ in page.samples)
    assert all(
        page.position.watermark is None or page.position.watermark <= NOW + timedelta(seconds=5)
        for page in pages
    )


def test_a_read_that_begins_late_or_is_tried_again_makes_no_clock_wrong(venue: FakeVenue) -> None:
    present = datetime.now(UTC)
    venue.now_ms = ms(present)
    pages = read(collector(venue), now=present - timedelta(seconds=3))
    assert abs(only(samples(pages, "venue_clock_offset_ms"))) < 1_000


@pytest.mark.parametrize(("seconds", "overdue"), [(0.2, 0), (25, 0), (90, 60)])
def test_a_bar_that_begins_a_moment_late_is_not_overdue(
    venue: FakeVenue, seconds: float, overdue: float
) -> None:
    now = NOW.replace(minute=10, second=0) + timedelta(seconds=seconds)
    venue.now_ms = ms(now)

    def without_the_newest(document: Any) -> Any:
        document["result"]["list"] = document["result"]["list"][1:]
        return document

    venue.changed["/v5/market/kline"] = without_the_newest
    pages = read(collector(venue, symbols=[BTC], feeds=["bars"]), now=now)
    (age,) = [v for page in pages for one, _, v in page.samples if one.key.label("feed") == "bars"]
    assert age == pytest.approx(overdue, abs=2 if overdue else 0)


def test_a_feed_that_froze_grows_old_though_the_venue_answers(venue: FakeVenue) -> None:
    frozen = venue.now_ms
    book, kline = venue.answers["/v5/market/orderbook"], venue.answers["/v5/market/kline"]
    later = NOW + timedelta(hours=8)
    venue.now_ms = ms(later)

    def as_of_then(answer: object) -> object:
        def respond(query: dict[str, str]) -> object:
            venue.now_ms = frozen
            try:
                return answer(query)  # type: ignore[operator]
            finally:
                venue.now_ms = ms(later)

        return respond

    venue.answers["/v5/market/orderbook"] = as_of_then(book)  # type: ignore[assignment]
    venue.answers["/v5/market/kline"] = as_of_then(kline)  # type: ignore[assignment]
    pages = read(
        collector(venue, symbols=[BTC], feeds=["bars", "book"], backfill_hours=24, page_bars=500), now=later
    )
    assert only(samples(pages, "feed_age_seconds")) == pytest.approx(8 * 3600, abs=5)
    (bars,) = [v for page in pages for one, _, v in page.samples if one.key.label("feed") == "bars"]
    assert bars == pytest.approx(8 * 3600, abs=301)
    assert pages[-1].position.watermark == NOW - timedelta(milliseconds=250)


def test_an_address_inside_is_refused_unless_allowed_and_must_be_encrypted_outside(venue: FakeVenue) -> None:
    with pytest.raises(SourceError, match="loopback or private"):
        read(collector(venue, allow_private_addresses=False))
    with pytest.raises(ValidationError, match="must be https"):
        settings(venue, base_url="http://api.example.com")
    assert settings(venue, base_url="https://proxy.example.com/bybit").base_url


def test_an_unknown_venue_or_timeframe_is_said_in_one_line(venue: FakeVenue) -> None:
    with pytest.raises(ConfigurationError, match="ccxt knows no venue 'bybitt'"):
        build_collector(settings(venue, venue="bybitt"), {})
    with pytest.raises(SourceError, match="no timeframe 7m"):
        read(collector(venue, symbols=[BTC], timeframe="7m", feeds=["bars"]))


def test_a_bar_that_is_longer_than_a_cell_is_not_stale_before_the_next_one(venue: FakeVenue) -> None:
    assert settings(venue, timeframe="1h").stale_after == 3 * 3_600
    assert settings(venue).stale_after == 900
    assert settings(venue, timeframe="1h", stale_after_seconds=60).stale_after == 60


def test_bars_of_another_width_have_a_grid_of_their_own(venue: FakeVenue) -> None:
    pages = read(collector(venue, symbols=[BTC], feeds=["bars"], timeframe="1h", backfill_hours=5))
    steps = {one.key.metric: one.step_s for page in pages for one in page.samples.series}
    assert steps["price"] == 3_600
    assert [at.minute for at in samples(pages, "price")] == [59] * 5


def test_the_check_is_one_line_over_all_symbols(venue: FakeVenue) -> None:
    good = check_source(settings(venue), {}, NOW)
    assert good.ok
    assert "\n" not in good.answer
    assert good.answer.endswith("series")
    odd = check_source(settings(venue, symbols=[BTC, "DOGE/USDT:USDT"]), {}, NOW)
    assert odd.ok
    assert "DOGE/USDT:USDT is not listed at bybit" in odd.answer
    venue.spoil("/v5/market/time", reply(b"", status="502 Bad Gateway"))
    bad = check_source(settings(venue), {}, NOW)
    assert (bad.ok, bad.answer) == (False, f"{venue.url}/v5/market/time answered HTTP 502")


def test_calls_keep_to_the_pace_that_the_venue_allows(venue: FakeVenue) -> None:
    configured = settings(venue, symbols=[BTC], feeds=["ticker"])
    first, second = Venue(configured, configured.symbols), Venue(configured, configured.symbols)
    deadline = time.monotonic() + 30
    first.markets(deadline)
    second.markets(deadline)
    began = time.monotonic()
    for _ in range(4):
        first.call("the ticker", "fetch_ticker", BTC, deadline=deadline)
        second.call("the ticker", "fetch_ticker", BTC, deadline=deadline)
    # Eight calls of 100 ms each, whichever client makes them; the last does not wait after itself.
    assert time.monotonic() - began >= 7 * 0.1


def test_nothing_of_a_request_is_logged(venue: FakeVenue, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        read(collector(venue))
    assert "symbol=" not in caplog.text
    assert "Request" not in caplog.text


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_anew(venue: FakeVenue) -> None:
    configured = settings(venue, symbols=[BTC])
    one = Venue(configured, configured.symbols)
    deadline = time.monotonic() + 20
    one.markets(deadline)
    once: list[str] = []
    answer = venue.server.respond

    def reset_kept(connection: socket.socket, head: str) -> None:
        """Answer and stay open; the next request on this connection meets a reset."""
        once.append(head)
        answer(connection, head)
        connection.recv(65_536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    venue.server.respond = reset_kept
    for _ in range(3):
        assert one.call("the ticker", "fetch_ticker", BTC, deadline=deadline)["last"]
    one.client.session.close()
    assert len(once) == 3
