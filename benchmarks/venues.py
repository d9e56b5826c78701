"""What is read of recorded venue answers, replayed over HTTP to ccxt's own clients; prints a table.

Usage: venues.py --answers FOLDER [--rounds N]; the folder holds `VENUE.json` of {"routes": [{"path", "query",
"body"}]}. Every feed is read at the time that its own recording was made. The venues' clocks and Binance's
open interest are written by hand in the documented shape and marked so; what else was not recorded is a 404.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from collectors.collector import Collected, Position
from collectors.exchange.collector import ExchangeCollector
from collectors.exchange.settings import ExchangeSource
from collectors.exchange.venue import Venue
from domain.errors import SourceError

MARKETS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "bybit": (("bybit", "BTC/USDT:USDT", "1h"),),
    "binance": (("binanceusdm", "BTC/USDT:USDT", "1d"), ("binance", "BTC/USDT", "5m")),
}
PATHS = {
    "bars": ("kline",),
    "ticker": ("ticker",),
    "book": ("orderbook", "depth"),
    "funding": ("tickers", "premiumIndex"),
    "open_interest": ("tickers", "premiumIndex"),
}


HAND_WRITTEN: Mapping[str, Callable[[int], object]] = {
    "/v5/market/time": lambda now: {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"timeSecond": str(now // 1_000)},
        "time": now,
    },
    "/fapi/v1/time": lambda now: {"serverTime": now},
    "/api/v3/time": lambda now: {"serverTime": now},
    "/fapi/v1/openInterest": lambda now: {"openInterest": "82000.5", "symbol": "BTCUSDT", "time": now},
}


class Replay(ThreadingHTTPServer):
    """Answers recorded routes by path and by the query parameters that the recording names."""

    daemon_threads = True

    def __init__(self, routes: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes = routes
        self.asked: list[tuple[str, bool]] = []
        self.now_ms = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str, query: Mapping[str, str]) -> object | None:
        if path in HAND_WRITTEN:
            self.asked.append((path, True))
            return HAND_WRITTEN[path](self.now_ms)
        for route in self.routes:
            if route["path"] == path and route["query"].items() <= query.items():
                self.asked.append((path, True))
                return route["body"]
        self.asked.append((path, False))
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Replay

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        found = self.server.answer(parts.path, dict(parse_qsl(parts.query)))
        body = json.dumps({} if found is None else found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is written: what was asked is counted."""


def times(value: object) -> Iterator[int]:
    """Everything in an answer that can only be a time in milliseconds."""
    if isinstance(value, dict):
        for one in value.values():
            yield from times(one)
    elif isinstance(value, list):
        for one in value:
            yield from times(one)
    elif (
        isinstance(value, (int, str))
        and str(value).isdigit()
        and 1_300_000_000_000 < int(value) < 1_900_000_000_000
    ):
        yield int(value)


def recorded_at(replay: Replay, venue: str, feed: str, width_ms: int) -> int | None:
    """The newest time in the recording of a feed; for bars half a bar after the newest began."""
    prefix = {"binanceusdm": "/fapi/", "binance": "/api/"}.get(venue, "/")
    bodies = [
        route["body"]
        for route in replay.routes
        if route["path"].startswith(prefix) and any(part in route["path"] for part in PATHS[feed])
    ]
    if feed == "bars":
        rows = [
            int(row[0])
            for body in bodies
            for row in (body["result"]["list"] if isinstance(body, dict) else body)
        ]
        return max(rows) + width_ms // 2 if rows else None
    if feed in {"funding", "open_interest"}:
        found = [
            at
            for body in bodies
            for key in ("time",)
            if isinstance(body, dict)
            for at in times(body.get(key))
        ]
        return max(found, default=None)
    return max((at for body in bodies for at in times(body)), default=None)


def read(collector: ExchangeCollector, now: datetime) -> list[Collected]:
    pages = [collector.collect(Position(), now)]
    while pages[-1].more:
        pages.append(collector.collect(pages[-1].position, now))
    return pages


def show(venue: str, symbol: str, feed: str, now: datetime, pages: list[Collected]) -> None:
    rows: dict[str, list[tuple[datetime, float, str]]] = {}
    for page in pages:
        for series, at, value in page.samples:
            if series.key.metric != "venue_clock_offset_ms":
                rows.setdefault(series.key.metric, []).append((at, value, series.unit))
    for metric, found in rows.items():
        at, value, unit = found[-1]
        print(
            f"{venue:12} {symbol:15} {feed:13} {metric:24} {len(found):4} {value:>22,.6f} {unit:6} "
            f"{at:%Y-%m-%d %H:%M:%S}"
        )
    for note in dict.fromkeys(note for page in pages for note in page.notes):
        print(f"{venue:12} {symbol:15} {feed:13} note: {note}")
    if not rows:
        print(f"{venue:12} {symbol:15} {feed:13} nothing at {now:%Y-%m-%d %H:%M}")


def run(replay: Replay, venue: str, symbol: str, timeframe: str) -> None:
    width = {"5m": 300, "1h": 3_600, "1d": 86_400}[timeframe] * 1_000
    for feed in PATHS:
        at = recorded_at(replay, venue, feed, width)
        if at is None or (feed in {"funding", "open_interest"} and ":" not in symbol):
            continue
        settings = ExchangeSource.model_validate(
            {
                "kind": "exchange",
                "name": venue,
                "venue": venue,
                "symbols": [symbol],
                "base_url": replay.url,
                "allow_private_addresses": True,
                "feeds": [feed],
                "timeframe": timeframe,
                "step_seconds": 300,
                "backfill_hours": 8_000,
                "volume_bars": 12,
            }
        )
        now = datetime.fromtimestamp(at / 1_000, UTC)
        replay.now_ms = at
        try:
            show(venue, symbol, feed, now, read(ExchangeCollector(settings, Venue(settings, (symbol,))), now))
        except SourceError as error:
            print(f"{venue:12} {symbol:15} {feed:13} error: {error.reason}")


def speed(replay: Replay, rounds: int) -> None:
    """Cost of one call that is answered at once, without the pace that the venue asks for."""
    settings = ExchangeSource.model_validate(
        {
            "kind": "exchange",
            "name": "bybit",
            "venue": "bybit",
            "symbols": ["BTC/USDT:USDT"],
            "base_url": replay.url,
            "allow_private_addresses": True,
        }
    )
    venue = Venue(settings, settings.symbols)
    venue.client.rateLimit = 0.001
    deadline = time.monotonic() + 600
    venue.markets(deadline)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        venue.call("the book", "fetch_order_book", "BTC/USDT:USDT", 50, deadline=deadline)
    wall, cpu = (time.perf_counter() - wall) / rounds, (time.process_time() - cpu) / rounds
    print(
        f"{rounds} calls through ccxt and the bounded door: {wall * 1e3:.2f} ms, {cpu * 1e3:.2f} CPU ms each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    for path in sorted(arguments.answers.glob("*.json")):
        replay = Replay(json.loads(path.read_text())["routes"])
        for venue, symbol, timeframe in MARKETS.get(path.stem, ()):
            run(replay, venue, symbol, timeframe)
        missed = sorted({path for path, found in replay.asked if not found})
        by_hand = sorted({path for path, _ in replay.asked if path in HAND_WRITTEN})
        print(
            f"{path.stem}: {len(replay.asked)} requests; written by hand: {', '.join(by_hand)}; "
            f"not recorded: {', '.join(missed) or 'nothing'}"
        )
        if path.stem == "bybit":
            speed(replay, arguments.rounds)
        replay.shutdown()


if __name__ == "__main__":
    main()
