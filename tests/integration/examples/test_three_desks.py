"""The three desks of docs/examples: checked, and run once against servers and files on loopback."""

import json
import sqlite3
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_account import FakeAccount
from fake_quotes import FakeQuotes
from loki_server import LokiServer
from raw_server import RawServer, Respond, reply, reply_json
from yfinance.data import YfData

from service.checks import check_everything
from service.settings import Settings
from service.wiring import build_service

# The library's own use of another one.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SECRETS = ("BYBIT_READ_KEY", "BYBIT_READ_SECRET", "BOT_READ_KEY", "BOT_READ_SECRET", "LOKI_TOKEN")


class Outside:
    """Everything that the desks read, on loopback and in a folder, as of now."""

    def __init__(self, stack: ExitStack, folder: Path, now: datetime) -> None:
        self._stack = stack
        self._folder = folder
        self.now = now
        self.account = FakeAccount(round(now.timestamp() * 1_000))
        self.account.trade(1, round((now - timedelta(minutes=20)).timestamp() * 1_000), 0.1, 50_000.0)
        self.quotes = FakeQuotes(now)
        stack.callback(self.account.close)
        stack.callback(self.quotes.close)
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
            "host": lambda: {"disks": [str(self._folder)]},
        }
        kept = {name: value for name, value in source.items() if name != "password_env"}
        return {**kept, **changes[str(source["kind"])]()}

    def _ago(self, minutes: float) -> datetime:
        return self.now - timedelta(minutes=minutes)

    def _new_york(self) -> str:
        return f"{self._ago(12):%Y-%m-%dT%H:%M:%SZ}"

    def _file(self, name: str, text: str) -> str:
        path = self._folder / name
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
        path = self._folder / f"{name}.db"
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
        values = [[round(self._ago(k).timestamp()), "12.5"] for k in range(30, 0, -1)]
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


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    for name in SECRETS:
        monkeypatch.setenv(name, "a-secret-of-the-desk")
    with ExitStack() as stack:
        yield Outside(stack, tmp_path, datetime.now(UTC).replace(microsecond=0))


def settings_of(name: str, outside: Outside, folder: Path) -> Settings:
    content = tomllib.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    content["sources"] = [outside.moved(one) for one in content["sources"]]
    content["database"] = {"url": f"sqlite:///{folder / 'analyst.db'}"}
    # A day of minutes takes its time to judge, and says no more here than two hours.
    content["scheduler"]["lookback_hours"] = 2
    return Settings.model_validate(content)


NAMES = sorted(path.name for path in EXAMPLES.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_check_of_a_desk_passes(name: str, outside: Outside, tmp_path: Path) -> None:
    answers = {what: attempt() for what, attempt in check_everything(settings_of(name, outside, tmp_path))}
    assert all(answers.values())
    sources = {what for what in answers if what.startswith("source ")}
    assert len(sources) >= 6
    assert all("samples" in answers[what] for what in sources), answers


@pytest.mark.endurance
@pytest.mark.parametrize("name", NAMES)
def test_every_source_of_a_desk_is_read_in_one_cycle(name: str, outside: Outside, tmp_path: Path) -> None:
    settings = settings_of(name, outside, tmp_path)
    service = build_service(settings, clock=lambda: outside.now)
    try:
        service.parts.windows.load(outside.now)
        service.parts.investigations.start()
        slot = service.parts.claim(outside.now)
        assert slot is not None
        done = service.parts.pipeline.run_cycle(slot, outside.now)
        assert done.status == "done", done.error
        health = {one.name: one for one in service.parts.sources.health(outside.now)}
        assert {one.status for one in health.values()} == {"ok"}, health
        silent = [one.name for one in health.values() if one.samples + one.events == 0]
        # At a weekend there are no bars of the day.
        assert [one for one in silent if not one.startswith("shares")] == []
        assert done.series > 10
        stored = service.parts.stores.events.between(outside.now - timedelta(days=1), outside.now, limit=100)
        assert stored
    finally:
        service.parts.sources.close()
        service.parts.investigations.stop()
        service.parts.database.close()
