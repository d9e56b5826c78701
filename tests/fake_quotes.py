"""A service of share prices on loopback, in the shape of Yahoo's chart interface; written by hand."""

import json
import math
import socket
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from raw_server import RawServer, Respond, reply

NEW_YORK = ZoneInfo("America/New_York")
_WIDTHS = {"5m": 300, "60m": 3_600, "1d": 86_400}


def close_of(symbol: str, start: int, until: int) -> float:
    """What a bar closes at, if it is seen at `until`."""
    return round(100 + len(symbol) + 5 * math.sin(until / 9e4) + (start % 7) * 0.1, 4)


class FakeQuotes:
    """Trades New York's hours without holidays; the bar of now changes until its end.

    Args:
        now: the service's clock.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.heads: list[str] = []
        self.spoilt: dict[str, Respond] = {}
        self.crashes: dict[str, tuple[float, float]] = {}
        self.server = RawServer()
        self.server.respond = self._respond
        self.url = self.server.url

    def close(self) -> None:
        self.server.close()

    def crash(self, symbol: str, at: datetime, left: float) -> None:
        """From a moment on a symbol is worth only this share of what it was."""
        self.crashes[symbol] = (at.timestamp(), left)

    def _close(self, symbol: str, start: int, until: int) -> float:
        at, left = self.crashes.get(symbol, (math.inf, 1.0))
        return close_of(symbol, start, until) * (left if until > at else 1.0)

    def _respond(self, connection: socket.socket, head: str) -> None:
        self.heads.append(head)
        target = urlsplit(head.split(" ", 2)[1])
        if target.path == "/v1/test/getcrumb":
            reply(b"crumb", content_type="text/plain")(connection, head)
            return
        if not target.path.startswith("/v8/finance/chart/"):
            reply(b"", Set_Cookie="A3=d; Domain=127.0.0.1; Path=/")(connection, head)
            return
        symbol = unquote(target.path.rsplit("/", 1)[1])
        special = self.spoilt.get(symbol)
        if special is not None:
            special(connection, head)
            return
        document = self.chart(symbol, dict(parse_qsl(target.query)))
        reply(json.dumps(document).encode(), content_type="application/json")(connection, head)

    def chart(self, symbol: str, query: dict[str, str]) -> dict[str, object]:
        """The answer for one symbol."""
        width = _WIDTHS[query["interval"]]
        start = int(query.get("period1", self.now.timestamp() - 86_400))
        starts = [at for at in self._starts(width) if start <= at < int(query.get("period2", 2**40))]
        now = int(self.now.timestamp())
        length = 23_400 if width == 86_400 else width
        closes = [self._close(symbol, at, min(now, at + length)) for at in starts]
        volumes = [1_000 + at // width % 50 for at in starts]
        quote = {"open": closes, "high": closes, "low": closes, "close": closes, "volume": volumes}
        indicators: dict[str, object] = {"quote": [quote if starts else {}]}
        if width == 86_400:
            indicators["adjclose"] = [{"adjclose": [one * 0.9 for one in closes]}]
        result: dict[str, object] = {"meta": self._meta(symbol, query["interval"]), "indicators": indicators}
        if starts:
            result["timestamp"] = starts
        return {"chart": {"result": [result], "error": None}}

    def _starts(self, width: int) -> list[int]:
        found = []
        for back in range(90, -1, -1):
            day = (self.now.astimezone(NEW_YORK) - timedelta(days=back)).replace(
                hour=9, minute=30, second=0, microsecond=0
            )
            if day.weekday() >= 5:
                continue
            opens = int(day.timestamp())
            step = 23_400 if width == 86_400 else width
            found += list(range(opens, opens + 23_400, step))
        return [at for at in found if at <= self.now.timestamp()]

    def _meta(self, symbol: str, interval: str) -> dict[str, object]:
        opens = self.now.astimezone(NEW_YORK).replace(hour=9, minute=30, second=0, microsecond=0)
        period = {
            "timezone": "EST",
            "start": int(opens.timestamp()),
            "end": int(opens.timestamp()) + 23_400,
            "gmtoffset": -18_000,
        }
        return {
            "currency": "EUR" if symbol.endswith(".DE") else "USD",
            "symbol": symbol,
            "exchangeName": "NMS",
            "instrumentType": "EQUITY",
            "firstTradeDate": 345_479_400,
            "regularMarketTime": int(self.now.timestamp()),
            "gmtoffset": -18_000,
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": 100.0,
            "chartPreviousClose": 100.0,
            "priceHint": 2,
            "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
            "tradingPeriods": [[period]],
            "dataGranularity": interval,
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "1y", "max"],
        }


def refused(description: str) -> Respond:
    """The service's own refusal of a symbol."""
    error = {"code": "Not Found", "description": description}
    document = {"chart": {"result": None, "error": error}}
    return reply(json.dumps(document).encode(), status="404 Not Found", content_type="application/json")
