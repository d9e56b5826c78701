"""A venue on loopback that answers in the shapes of Bybit's documented v5 REST interface, written by hand."""

import json
import math
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from raw_server import RawServer, Respond, reply

MINUTE = 60_000
_INTERVALS = {"1": MINUTE, "5": 5 * MINUTE, "60": 60 * MINUTE}
Answer = Callable[[dict[str, str]], object]


def price(symbol: str, at_ms: int) -> float:
    """What the symbol trades at, at a time: a wave of its own per symbol."""
    base = {"BTCUSDT": 50_000.0, "ETHUSDT": 2_000.0}.get(symbol, 10.0)
    return round(base * (1 + 0.01 * math.sin(at_ms / 1.1e7 + len(symbol)) + 0.002 * math.sin(at_ms / 3e5)), 4)


def candle(symbol: str, start: int, width: int, now: int) -> list[str]:
    """A candle as it stands at `now`; it goes on changing until its end."""
    until = min(start + width - 1, now)
    seen = [price(symbol, start), price(symbol, (start + until) // 2), price(symbol, until)]
    volume = 10.0 + (start // width) % 7
    done = (until - start + 1) / width
    close = seen[-1]
    return [
        str(start),
        str(seen[0]),
        str(max(seen)),
        str(min(seen)),
        str(close),
        f"{volume * done:.6f}",
        f"{volume * done * close:.6f}",
    ]


class FakeVenue:
    """Bybit as a public client sees it; its clock stands still until a test sets it.

    Args:
        now_ms: the venue's clock.
        symbols: native names of linear perpetuals that are listed.
    """

    def __init__(self, now_ms: int, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")) -> None:
        self.now_ms = now_ms
        self.symbols = symbols
        self.inactive: set[str] = set()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.heads: list[str] = []
        self.spoilt: dict[str, Respond] = {}
        self.spoilt_symbols: dict[str, Respond] = {}
        self.changed: dict[str, Callable[[Any], Any]] = {}
        self.server = RawServer()
        self.server.respond = self._respond
        self.url = self.server.url
        self.answers: dict[str, Answer] = {
            "/v5/market/time": lambda _: {"timeSecond": str(self.now_ms // 1000)},
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/kline": self._kline,
            "/v5/market/tickers": self._tickers,
            "/v5/market/orderbook": self._book,
            "/v5/market/open-interest": self._open_interest,
            "/v5/market/funding/history": self._funding,
        }

    def close(self) -> None:
        self.server.close()

    def spoil(self, path: str, respond: Respond, symbol: str | None = None) -> None:
        """Let a path (of one symbol) answer something else."""
        (self.spoilt if symbol is None else self.spoilt_symbols)[symbol or path] = respond

    def _respond(self, connection: socket.socket, head: str) -> None:
        target = urlsplit(head.split(" ", 2)[1])
        query = dict(parse_qsl(target.query))
        self.asked.append((target.path, query))
        self.heads.append(head)
        special = self.spoilt.get(target.path) or self.spoilt_symbols.get(query.get("symbol", ""))
        if special is not None:
            special(connection, head)
            return
        answer = self.answers.get(target.path)
        if answer is None:
            reply(b"{}", status="404 Not Found", content_type="application/json")(connection, head)
            return
        document = ok(answer(query), self.now_ms)
        document = self.changed.get(target.path, lambda one: one)(document)
        reply(json.dumps(document).encode(), content_type="application/json")(connection, head)

    def _instruments(self, query: Mapping[str, str]) -> object:
        listed = [_instrument(one, one not in self.inactive) for one in self.symbols]
        return {"category": query.get("category"), "list": listed, "nextPageCursor": ""}

    def _kline(self, query: Mapping[str, str]) -> object:
        width, limit = _INTERVALS[query["interval"]], int(query.get("limit", 200))
        first = int(query.get("start", self.now_ms - limit * width))
        starts = range(-(-first // width) * width, self.now_ms + 1, width)[:limit]
        rows = [candle(query["symbol"], start, width, self.now_ms) for start in starts]
        return {"symbol": query["symbol"], "category": "linear", "list": rows[::-1]}

    def _tickers(self, query: Mapping[str, str]) -> object:
        wanted = [query["symbol"]] if "symbol" in query else self.symbols
        return {"category": "linear", "list": [self._ticker(one) for one in wanted]}

    def _ticker(self, symbol: str) -> dict[str, str]:
        last = price(symbol, self.now_ms)
        return {
            "symbol": symbol,
            "lastPrice": str(last),
            "indexPrice": str(last),
            "markPrice": str(last * 1.001),
            "prevPrice24h": str(last),
            "price24hPcnt": "0",
            "highPrice24h": str(last),
            "lowPrice24h": str(last),
            "openInterest": "1000",
            "openInterestValue": str(1000 * last),
            "turnover24h": str(500 * last),
            "volume24h": "500",
            "fundingRate": "0.0001",
            "nextFundingTime": str(self.now_ms + 3_600_000),
            "bid1Price": str(last * 0.9999),
            "ask1Price": str(last * 1.0001),
            "bid1Size": "2",
            "ask1Size": "3",
        }

    def _book(self, query: Mapping[str, str]) -> object:
        mid = price(query["symbol"], self.now_ms)
        return {
            "s": query["symbol"],
            "b": [[str(mid * (1 - 0.0001 * k)), "2"] for k in range(1, 6)],
            "a": [[str(mid * (1 + 0.0001 * k)), "1"] for k in range(1, 6)],
            "ts": self.now_ms - 250,
            "u": 1,
            "seq": 1,
        }

    def _open_interest(self, query: Mapping[str, str]) -> object:
        return {
            "symbol": query["symbol"],
            "category": "linear",
            "list": [{"openInterest": "1000", "timestamp": str(self.now_ms)}],
            "nextPageCursor": "",
        }

    def _funding(self, query: Mapping[str, str]) -> object:
        eight_hours = 8 * 3_600_000
        newest = self.now_ms // eight_hours * eight_hours
        since = int(query.get("startTime", 0))
        times = [newest - k * eight_hours for k in range(9)]
        rows = [
            {"symbol": query["symbol"], "fundingRate": "0.0002", "fundingRateTimestamp": str(at)}
            for at in times
            if at >= since
        ]
        return {"category": "linear", "list": rows}


def ok(result: object, now_ms: int) -> dict[str, object]:
    """The envelope of a good answer."""
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now_ms}


def refused(code: int, message: str) -> Respond:
    """The envelope of a refusal, with HTTP status 200 as the venue sends it."""
    document = {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}, "time": 1}
    return reply(json.dumps(document).encode(), content_type="application/json")


def _instrument(symbol: str, active: bool) -> dict[str, object]:
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading" if active else "Closed",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "199999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "100.000",
            "minOrderQty": "0.001",
            "qtyStep": "0.001",
            "minNotionalValue": "5",
            "postOnlyMaxOrderQty": "1000.000",
            "maxMktOrderQty": "100.000",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "settleCoin": "USDT",
        "copyTrading": "both",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
    }
