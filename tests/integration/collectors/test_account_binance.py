"""An account at Binance's USD-M futures: other shapes and signs than Bybit's, by hand as documented."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from raw_server import RawServer, reply

from collectors.collector import Position
from collectors.exchange.venue import Venue
from collectors.fills.account import AccountCollector
from collectors.fills.settings import AccountSource

NOW = datetime(2026, 3, 1, 12, 7, 31, tzinfo=UTC)
MS = int(NOW.timestamp() * 1_000)
HOUR = 3_600_000
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
]
ANSWERS: dict[str, object] = {
    "/fapi/v1/exchangeInfo": {
        "symbols": [
            {
                "symbol": "BTCUSDT",
                "pair": "BTCUSDT",
                "contractType": "PERPETUAL",
                "deliveryDate": 4133404800000,
                "onboardDate": 1569398400000,
                "status": "TRADING",
                "baseAsset": "BTC",
                "quoteAsset": "USDT",
                "marginAsset": "USDT",
                "pricePrecision": 2,
                "quantityPrecision": 3,
                "filters": FILTERS,
            }
        ]
    },
    "/fapi/v1/time": {"serverTime": MS},
    "/sapi/v1/account/apiRestrictions": {
        "enableReading": True,
        "enableFutures": True,
        "enableWithdrawals": True,
    },
    "/sapi/v1/capital/config/getall": [],
    "/sapi/v1/margin/allPairs": [],
    "/fapi/v1/leverageBracket": [],
    "/fapi/v1/userTrades": [
        {
            "symbol": "BTCUSDT",
            "id": 7,
            "orderId": 9,
            "side": "SELL",
            "price": "50000",
            "qty": "2",
            "quoteQty": "100000",
            "commission": "40",
            "commissionAsset": "USDT",
            "time": MS - HOUR,
        }
    ],
    "/fapi/v1/income": [
        {
            "symbol": "BTCUSDT",
            "incomeType": "FUNDING_FEE",
            "income": "-3.5",
            "asset": "USDT",
            "time": MS - HOUR // 2,
            "tranId": 1,
        }
    ],
    "/fapi/v1/allOrders": [
        {
            "symbol": "BTCUSDT",
            "orderId": 9,
            "clientOrderId": "mm-1",
            "price": "50000",
            "origQty": "2",
            "executedQty": "2",
            "status": "FILLED",
            "type": "LIMIT",
            "side": "SELL",
            "time": MS - HOUR,
            "updateTime": MS - HOUR,
        }
    ],
    "/fapi/v3/positionRisk": [
        {
            "symbol": "BTCUSDT",
            "positionAmt": "-2",
            "entryPrice": "50000",
            "markPrice": "50010",
            "unRealizedProfit": "-20",
            "liquidationPrice": "0",
            "leverage": "10",
            "positionSide": "BOTH",
            "notional": "-100020",
            "isolatedMargin": "0",
            "marginAsset": "USDT",
            "updateTime": MS,
        }
    ],
    "/fapi/v1/klines": [
        [
            MS // 300_000 * 300_000 - 300_000 * k,
            "50000",
            "50010",
            "49990",
            "50005",
            "1",
            0,
            "0",
            1,
            "0",
            "0",
            "0",
        ]
        for k in range(20, -1, -1)
    ],
    "/fapi/v3/account": {
        "assets": [
            {
                "asset": "USDT",
                "walletBalance": "123",
                "marginBalance": "123",
                "availableBalance": "100",
                "initialMargin": "23",
            }
        ],
        "positions": [],
    },
}


@pytest.fixture
def binance(server: RawServer) -> Iterator[AccountCollector]:
    def respond(connection: socket.socket, head: str) -> None:
        found = ANSWERS.get(urlsplit(head.split(" ", 2)[1]).path)
        status = "404 Not Found" if found is None else "200 OK"
        body = json.dumps({} if found is None else found).encode()
        reply(body, status=status, content_type="application/json")(connection, head)

    server.respond = respond
    settings = AccountSource.model_validate(
        {
            "kind": "account",
            "name": "desk",
            "venue": "binanceusdm",
            "venue_label": "binance",
            "symbols": ["BTC/USDT:USDT"],
            "base_url": server.url,
            "allow_private_addresses": True,
            "api_key_env": "KEY",
            "secret_env": "SECRET",
            "step_seconds": 300,
            "settle_hours": 3,
            "sharpe_hours": 1,
            "strategies": {"mm-": "mm"},
        }
    )
    venue = Venue(settings, settings.symbols, {"apiKey": "key-of-binance", "secret": "secret-of-binance"})
    venue.client.rateLimit = 0.01
    yield AccountCollector(settings, venue)
    venue.client.session.close()


def test_an_account_at_binance_adds_up_and_its_key_is_warned_about(binance: AccountCollector) -> None:
    page = binance.collect(Position(), NOW)
    assert page.notes == ("1 warning: the key may trade and withdraw: a key that may only read is enough",)
    totals: dict[str, float] = {}
    last: dict[str, float] = {}
    for series, _, value in page.samples:
        name = f"{series.key.metric} {series.key.label('strategy')}"
        totals[name] = totals.get(name, 0.0) + value
        last[name] = value
    # Sold 2 at 50000, valued at 50005, 40 of fees; funding counts for the strategy of no prefix.
    assert totals["pnl mm"] == pytest.approx(-10 - 40)
    assert totals["pnl_fees mm"] == -40
    assert totals["pnl_funding desk"] == totals["pnl desk"] == -3.5
    assert last["position_units mm"] == -2
    assert last["inventory_usd mm"] == pytest.approx(-2 * 50_005)
    assert last["position_mismatch_usd None"] == 0
    assert totals["orders mm"] == totals["fill_ratio mm"] == 1
    assert last["cash_usd None"] == 123
