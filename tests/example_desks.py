"""The desks of docs/examples with the other ends of all their sources on loopback and in a folder."""

import json
import sqlite3
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fake_account import FakeAccount
from fake_quotes import FakeQuotes
from loki_server import LokiServer
from raw_server import RawServer, Respond, reply, reply_json
from yfinance.data import YfData

from service.settings import Settings

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
SECRETS = ("BYBIT_READ_KEY", "BYBIT_READ_SECRET", "BOT_READ_KEY", "BOT_READ_SECRET", "LOKI_TOKEN")
NAMES = sorted(path.name for path in EXAMPLES.glob("*.toml"))


class Outside:
    """Everything that the desks read, on loopback and in a folder, as of now.

    Args:
        stack: closes it in the end.
        folder: for its files.
        now: the time outside.
        traded: how long ago the only order of the account was filled.
    """

    def __init__(
        self, stack: ExitStack, folder: Path, now: datetime, traded: timedelta = timedelta(minutes=20)
    ) -> None:
        self._stack = stack
        self.folder = folder
        self.now = now
        self.slow_since: datetime | None = None
        self.account = FakeAccount(round(now.timestamp() * 1_000))
        self.account.trade(1, round((now - traded).timestamp() * 1_000), 0.1, 50_000.0)
        self.quotes = FakeQuotes(now)
        stack.callback(self.account.close)
        stack.callback(self.quotes.close)
        YfData.cache_get.cache_clear()

    def pass_by(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span
        self.account.now_ms = round(self.now.timestamp() * 1_000)
        self.quotes.now = self.now
        YfData.cache_get.cache_clear()

    def server(self, respond: Respond) -> str:
        server = RawServer()
        server.respond = respond
        self._stack.callback(server.close)
        return server.url

    def moved(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """A source as configured, with its other end on loopback."""
        changes: dict[str, Callable[[], dict[str, Any]]] = {
            "exchange": lambda: {"base_url": self.account.url, "allow_private_addresses": True},
            "account": lambda: {"base_url": self.account.url, "allow_private_addresses": True},
            "equities": lambda: {"base_url": self.quotes.url},
            "sql": lambda: self._sql(str(source["name"])),
            "prometheus": lambda: {"url": self.server(self._range)},
            "loki": lambda: {"url": self._loki()},
            "news": lambda: {"url": self.server(self._news(source)), "allow_private_addresses": True},
            "calendar": lambda: {"url": self.server(self._ics()), "allow_private_addresses": True},
            "json": lambda: {"url": self.server(self._index()), "allow_private_addresses": True},
            "logs": lambda: {"paths": [self._file("desk.log", self._line("order 1 filled"))]},
            "journald": lambda: {"file": self._file("journal.json", self._entry())},
            "csv": lambda: {
                "paths": [self._file("signals.csv", f"time,signal_strength\n{self._new_york()},0.4\n")]
            },
            "fills": lambda: {"paths": [self._file("fills-1.csv", self._fills())]},
            "host": lambda: {"disks": [str(self.folder)]},
        }
        kept = {name: value for name, value in source.items() if name != "password_env"}
        return {**kept, **changes[str(source["kind"])]()}

    def _ago(self, minutes: float) -> datetime:
        return self.now - timedelta(minutes=minutes)

    def _new_york(self) -> str:
        return f"{self._ago(12):%Y-%m-%dT%H:%M:%SZ}"

    def _file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def _line(self, text: str) -> str:
        return f"{self._ago(12):%Y-%m-%dT%H:%M:%S}.000Z INFO {text}\n"

    def _entry(self) -> str:
        micros = round(self._ago(12).timestamp() * 1e6)
        return (
            json.dumps(
                {
                    "__CURSOR": "c1",
                    "__REALTIME_TIMESTAMP": str(micros),
                    "MESSAGE": "pairs were traded",
                    "PRIORITY": "6",
                    "_SYSTEMD_UNIT": "pairs.service",
                }
            )
            + "\n"
        )

    def _fills(self) -> str:
        rows = [f"f{k},{self._ago(40 - k):%Y-%m-%dT%H:%M:%SZ},AAPL,{10 - k},{100 + k}" for k in range(3)]
        return "\n".join(["id,timestamp,symbol,amount,price", *rows]) + "\n"

    def _sql(self, name: str) -> dict[str, Any]:
        path = self.folder / f"{name}.db"
        at = f"{self._ago(12):%Y-%m-%dT%H:%M:%SZ}"
        with closing(sqlite3.connect(path)) as connection, connection:
            if name == "ledger":
                connection.execute("CREATE TABLE quotes (at, strategy, quoted_usd, quote_lifetime_ms)")
                connection.execute("INSERT INTO quotes VALUES (?, 'mm_btc', 1000.0, 250.0)", [at])
            else:
                connection.execute("CREATE TABLE deploys (at, component, note)")
                connection.execute("INSERT INTO deploys VALUES (?, 'strategy:pairs_tech', 'release 7')", [at])
        return {"url": f"sqlite:///{path}", "bind_time_as": "rfc3339"}

    def _range(self, connection: Any, head: str) -> None:
        minutes = [self._ago(k) for k in range(240, -1, -1)]
        slow = self.slow_since or self.now + timedelta(days=1)
        usual = [12 + (at.minute * 7 + at.hour) % 11 / 10 for at in minutes]
        values = [
            [round(at.timestamp()), f"{ms * (8 if at >= slow else 1):.2f}"]
            for at, ms in zip(minutes, usual, strict=True)
        ]
        result = [{"metric": {"venue": "bybit"}, "values": values}]
        data = {"resultType": "matrix", "result": result}
        reply_json({"status": "success", "data": data})(connection, head)

    def _loki(self) -> str:
        server = RawServer()
        self._stack.callback(server.close)
        nanos = round(self._ago(12).timestamp()) * 10**9
        LokiServer(server, [(nanos, "hedge 7 done", {"app": "hedger", "level": "info"})])
        return server.url

    def _news(self, source: Mapping[str, Any]) -> Respond:
        at = self._ago(12)
        if source.get("format") == "statuspage":
            incident = {
                "id": "i",
                "name": "Slow orders",
                "status": "monitoring",
                "created_at": at.isoformat(),
            }
            return reply_json({"incidents": [incident]})
        if source.get("format") == "json":
            one = {
                "url": "https://x.test/1",
                "title": "Delisting of X",
                "dateTimestamp": at.timestamp() * 1_000,
            }
            return reply_json({"result": {"list": [one]}})
        when = f"<pubDate>{at:%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
        item = f"<item><title>Apple and bitcoin fall</title>{when}</item>"
        return reply(f"<rss><channel>{item}</channel></rss>".encode(), content_type="application/rss+xml")

    def _ics(self) -> Respond:
        when = f"DTSTART:{self._ago(12):%Y%m%dT%H%M%SZ}"
        event = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:FOMC minutes\r\n{when}\r\nEND:VEVENT"
        text = f"BEGIN:VCALENDAR\r\n{event}\r\nEND:VCALENDAR\r\n"
        return reply(text.encode(), content_type="text/calendar")

    def _index(self) -> Respond:
        at = round((self.now - timedelta(hours=5)).timestamp())
        return reply_json({"data": [{"value": "40", "timestamp": str(at)}]})


def settings_of(name: str, outside: Outside, folder: Path, lookback_hours: int = 2) -> Settings:
    """The configuration of a desk, with all that it reads moved here.

    A day of minutes takes its time to judge, and says no more here than two hours.
    """
    content = tomllib.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    content["sources"] = [outside.moved(one) for one in content["sources"]]
    content["database"] = {"url": f"sqlite:///{folder / 'analyst.db'}"}
    content["scheduler"]["lookback_hours"] = lookback_hours
    return Settings.model_validate(content)
