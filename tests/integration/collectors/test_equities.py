"""Share prices: yfinance's real client against a service on loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fake_quotes import NEW_YORK, FakeQuotes, close_of, refused
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from raw_server import Respond, cut, drip_body, hang, reply, reply_json
from yfinance.data import YfData

from collectors.build import build_collector, check_source
from collectors.collector import Collected, Position
from collectors.equities import closed_quotes
from collectors.quotes_client import Quote
from collectors.settings_equities import EquitiesSource
from domain.errors import SourceError

# The library's own use of another one.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")
# A Wednesday, 12:03 in New York.
NOW = datetime(2026, 2, 11, 17, 3, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[FakeQuotes]:
    # The library remembers answers about a past that is over; here the past is now.
    YfData.cache_get.cache_clear()
    one = FakeQuotes(NOW)
    yield one
    one.close()


def settings(fake: FakeQuotes, **more: object) -> EquitiesSource:
    values = {
        "kind": "equities",
        "name": "shares",
        "symbols": ["AAPL", "^GSPC"],
        "base_url": fake.url,
        "step_seconds": 300,
        "deadline_seconds": 10,
        "call_seconds": 3,
        "backfill_days": 10,
        "volume_bars": 5,
        "volatility_bars": 5,
        **more,
    }
    return EquitiesSource.model_validate(values)


def read(fake: FakeQuotes, since: Position | None = None, **more: object) -> list[Collected]:
    collector = build_collector(settings(fake, **more), {})
    pages = [collector.collect(since or Position(), fake.now)]
    while pages[-1].more:
        pages.append(collector.collect(pages[-1].position, fake.now))
    return pages


def samples(pages: list[Collected], metric: str, symbol: str = "AAPL") -> dict[datetime, float]:
    return {
        at: value
        for page in pages
        for one, at, value in page.samples
        if one.key.metric == metric and one.key.label("symbol") == symbol
    }


def notes(pages: list[Collected]) -> str:
    return "\n".join(note for page in pages for note in page.notes)


def test_daily_bars_are_read_up_to_yesterday(service: FakeQuotes) -> None:
    pages = read(service)
    prices = samples(pages, "price")
    assert max(prices) == datetime(2026, 2, 11, 4, 59, 59, 999_000, tzinfo=UTC)
    opens = int(datetime(2026, 2, 10, 9, 30, tzinfo=NEW_YORK).timestamp())
    assert prices[max(prices)] == pytest.approx(close_of("AAPL", opens, opens + 23_400))
    assert len(prices) == 7
    assert len(samples(pages, "return_bps")) == len(samples(pages, "realized_volatility_bps")) == 7
    assert samples(pages, "price", "^GSPC")
    (series,) = {
        one for page in pages for one in page.samples.series if one.name.startswith('price{symbol="A')
    }
    assert (series.step_s, series.unit, series.key.label("venue")) == (86_400, "USD", "NMS")
    assert samples(pages, "volume_usd")
    assert "AAPL" in service.heads[-1] or "GSPC" in service.heads[-1]


def test_intraday_bars_leave_out_the_one_that_still_forms(service: FakeQuotes) -> None:
    pages = read(service, interval="5m", backfill_days=1, symbols=["AAPL"])
    prices = samples(pages, "price")
    assert max(prices) == datetime(2026, 2, 11, 16, 59, 59, 999_000, tzinfo=UTC)
    for at, value in prices.items():
        end = round(at.timestamp())
        assert value == pytest.approx(close_of("AAPL", end - 300, end))


def test_after_an_outage_only_what_is_new_is_stored(service: FakeQuotes) -> None:
    first = read(service)
    service.now = NOW + timedelta(days=3)
    again = read(service, first[-1].position)
    old, new = samples(first, "price"), samples(again, "price")
    assert not old.keys() & new.keys()
    assert len(new) == 3
    assert len(samples(again, "realized_volatility_bps")) == 3


def test_other_currencies_are_not_called_dollars(service: FakeQuotes) -> None:
    pages = read(service, symbols=["SAP.DE"])
    assert samples(pages, "volume_quote", "SAP.DE")
    assert not samples(pages, "volume_usd", "SAP.DE")


@pytest.mark.parametrize(
    "respond",
    [
        refused("No data found, symbol may be delisted"),
        reply_json({"chart": {"result": None, "error": None}}),
        reply_json({"chart": None}),
        reply_json([1]),
        reply_json({"chart": {"result": [{"meta": {}, "indicators": {"quote": [{"close": "x"}]}}]}}),
        reply(b"<html>consent</html>", content_type="text/html"),
        reply(b'{"chart": {"res'),
    ],
)
def test_one_symbol_that_is_answered_badly_costs_the_others_nothing(
    service: FakeQuotes, respond: Respond
) -> None:
    service.spoilt["AAPL"] = respond
    pages = read(service)
    assert samples(pages, "price", "^GSPC")
    assert not samples(pages, "price", "AAPL")
    assert "calls failed: AAPL" in notes(pages)
    with pytest.raises(SourceError, match="AAPL"):
        read(service, symbols=["AAPL"])


@pytest.mark.parametrize("respond", [hang, cut, drip_body])
def test_a_service_that_does_not_answer_is_an_error_in_time(service: FakeQuotes, respond: Respond) -> None:
    service.spoilt["AAPL"] = respond
    with pytest.raises(SourceError):
        read(service, call_seconds=1, symbols=["AAPL"])


def test_too_many_requests_are_not_repeated_at_once(service: FakeQuotes) -> None:
    service.spoilt["AAPL"] = reply(b"Too Many Requests", status="429 Too Many Requests")
    with pytest.raises(SourceError, match="429") as error:
        read(service)
    assert error.value.retry_after == 60


def test_the_check_is_one_line(service: FakeQuotes) -> None:
    good = check_source(settings(service), {}, NOW)
    assert good.ok
    assert "\n" not in good.answer


def test_settings_that_ask_for_what_there_is_not_are_refused(service: FakeQuotes) -> None:
    with pytest.raises(ValidationError, match="must not exceed 59"):
        settings(service, interval="5m", backfill_days=100)
    with pytest.raises(ValidationError, match="must be https"):
        settings(service, base_url="http://example.com")
    with pytest.raises(ValidationError, match="not a symbol"):
        settings(service, symbols=["AAPL/../x"])


@given(
    bars=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 59)), max_size=20),
    minutes=st.integers(0, 260),
    delay=st.integers(0, 60),
)
def test_no_bar_counts_before_its_end_and_each_counts_once(
    bars: list[tuple[int, int]], minutes: int, delay: int
) -> None:
    start = datetime(2026, 2, 11, 14, 30, tzinfo=UTC)
    quotes = [
        Quote(
            start + timedelta(minutes=5 * at, seconds=odd if odd > 50 else 0),
            start + timedelta(minutes=5 * at + 5),
            1.0 + at,
            None,
        )
        for at, odd in sorted(bars)
    ]
    now = start + timedelta(minutes=minutes)
    found = closed_quotes(quotes, now, timedelta(minutes=delay))
    assert all(one.end <= now for one in found)
    assert all(one.start.second == 0 for one in found)
    assert len({one.start for one in found}) == len(found)
    newest = max((one.start for one in quotes if one.start.second == 0 and one.start <= now), default=now)
    assert all(one.start < newest or one.end + timedelta(minutes=delay) <= now for one in found)
