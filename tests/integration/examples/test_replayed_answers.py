"""Recorded answers of a venue, given again now: times move, numbers stay, the rest is by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from replayed_account import ReplayedAccount, moved

from collectors.build import build_collector
from collectors.collector import Position
from collectors.exchange.settings import ExchangeSource

NOW = datetime(2026, 3, 1, 12, 7, 31, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1_000)
GIVEN_MS = 1_700_000_000_123
TICKER = {
    "symbol": "BTCUSDT",
    "lastPrice": "1234.5",
    "markPrice": "1234.5",
    "indexPrice": "1234.5",
    "turnover24h": "777777.0",
    "fundingRate": "0.0003",
    "nextFundingTime": str(GIVEN_MS + 60_000),
    "bid1Price": "1234.4",
    "ask1Price": "1234.5",
}
ROUTE = {
    "path": "/v5/market/tickers",
    "query": {"symbol": "BTCUSDT"},
    "body": {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"category": "linear", "list": [TICKER]},
        "retExtInfo": {},
        "time": GIVEN_MS,
    },
}


@pytest.fixture
def venue() -> Iterator[ReplayedAccount]:
    one = ReplayedAccount([ROUTE], lambda: NOW_MS)
    yield one
    one.close()


def test_times_move_in_all_their_units_and_numbers_stay() -> None:
    answer = {"s": "1700000000", "ms": GIVEN_MS, "ns": "1700000000123000000", "size": "1700000", "price": 1.5}
    assert moved(answer, 60_000) == {
        "s": "1700000060",
        "ms": GIVEN_MS + 60_000,
        "ns": "1700000060123000000",
        "size": "1700000",
        "price": 1.5,
    }


def test_a_recorded_answer_is_read_as_if_it_were_given_now(venue: ReplayedAccount) -> None:
    values = {
        "kind": "exchange",
        "name": "market",
        "venue": "bybit",
        "symbols": ["BTC/USDT:USDT", "ETH/USDT:USDT"],
        "base_url": venue.url,
        "allow_private_addresses": True,
        "feeds": ["ticker", "funding"],
        "step_seconds": 60,
    }
    collector = build_collector(ExchangeSource.model_validate(values), {})
    position, more = Position(), True
    stored: dict[str, float] = {}
    while more:
        page = collector.collect(position, NOW)
        position, more = page.position, page.more
        stored |= {series.name: value for series, _, value in page.samples}
    assert stored['volume_24h_usd{symbol="BTC/USDT:USDT",venue="bybit"}'] == 777_777.0
    assert stored['funding_rate_bps{symbol="BTC/USDT:USDT",venue="bybit"}'] == pytest.approx(3.0)
    assert stored['price{symbol="BTC/USDT:USDT",venue="bybit"}'] == 1234.5
    assert stored['funding_rate_bps{symbol="ETH/USDT:USDT",venue="bybit"}'] == pytest.approx(1.0)
    assert not [value for name, value in stored.items() if name.startswith("feed_age") and value > 1]
    assert (venue.count("recording") > 0, venue.count("nobody")) == (True, 0)
    assert venue.answered["/v5/market/tickers", "recording"] == venue.answered["/v5/market/tickers", "hand"]
