"""The three desks of docs/examples, each with its real servers, recorded answers and answers by hand."""

import json
import os
import shutil
import sqlite3
import tomllib
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from desk_ends import (
    BY_HAND,
    FILES,
    MACHINE,
    RECORDED,
    ROTATED,
    Clock,
    Edits,
    Ends,
    Get,
    RotatedLog,
    compared,
    samples_of,
)
from example_desks import EXAMPLES
from gateway_exporter import GatewayExporter, write_blocks
from loki_server import LokiServer
from postgres_server import PostgresServer, find_binaries, running
from prometheus_server import PrometheusServer
from raw_server import RawServer
from real_journal import RealJournal, real_journal

from collectors.collector import Position
from collectors.journal import JournalCollector
from collectors.settings_logs import JournalSource

PASSWORD = "only-of-this-run"
NEW_YORK = ZoneInfo("America/New_York")


class MarketMaker(Ends):
    """Everything at the time of the wall: PostgreSQL, Prometheus and rotated logs are real."""

    toml = "market-maker.toml"
    step = timedelta(minutes=1)
    live = True
    calm, troubled = 4, 5
    metric, component = "order_ack_latency_ms", "gateway:bybit"
    causes = frozenset({"venue_gateway_latency"})
    hours = 6

    def __init__(self, stack: ExitStack, folder: Path, clock: Clock, routes: list[dict[str, Any]]) -> None:
        super().__init__(stack, folder, clock, routes)
        binaries = find_binaries()
        if binaries is None:
            raise SystemExit("needs PostgreSQL: install the dev group, or set PG_BIN")
        self.postgres = stack.enter_context(running(binaries, durable=True))
        self.trading = stack.enter_context(closing(ledger(self.postgres)))
        self.database = f"postgresql+psycopg://analyst@/analyst?host={self.postgres.directory}"
        self.exporter = GatewayExporter()
        self.scraped = RawServer()
        self.scraped.respond = self.exporter.respond
        stack.callback(self.scraped.close)
        logs = folder / "logs"
        logs.mkdir()
        self.log = RotatedLog(logs / "maker.log", lambda at, level, text: f"{rfc3339(at)} {level} {text}")
        server = RawServer()
        stack.callback(server.close)
        self.loki = LokiServer(server)
        self.quoted: list[datetime] = []

    def edits(self) -> Edits:
        venue = {"base_url": self.venue.url, "allow_private_addresses": True}
        ledger = f"postgresql+psycopg://reader@/trading?host={self.postgres.directory}"
        return {
            "bybit": venue,
            "bybit-account": venue,
            "ledger": {"url": ledger},
            "prometheus": {"url": self.prometheus.url},
            "maker-logs": {"paths": [str(self.log.path.parent / "*.log")]},
            "gateway-logs": {"url": self.loki.server.url},
            **self.by_hand("bybit-status", "bybit-announcements", "headlines", "economy"),
        }

    def kinds(self) -> dict[str, str]:
        return {
            "bybit": RECORDED,
            "bybit-account": BY_HAND,
            "ledger": "real PostgreSQL",
            "prometheus": "real Prometheus",
            "this-host": MACHINE,
            "maker-logs": ROTATED,
        }

    def past(self) -> None:
        now = self.clock().replace(second=0, microsecond=0)
        for minutes in range(60 * self.hours, -1, -1):
            self.tick(now - timedelta(minutes=minutes))
        end = round(self.clock().timestamp())
        target = self.scraped.url.removeprefix("http://")
        folder = self.folder / "prometheus"
        folder.mkdir()
        promtool = shutil.which("promtool")
        prometheus = os.environ.get("PROMETHEUS_BIN") or shutil.which("prometheus")
        if promtool is None or prometheus is None:
            raise SystemExit("needs prometheus and promtool: install the package `prometheus`")
        write_blocks(promtool, self.exporter.past(end - 3_600 * self.hours, end, target), folder)
        self.prometheus = PrometheusServer(prometheus, folder, target)
        self.stack.callback(self.prometheus.stop)

    def tick(self, at: datetime) -> None:
        super().tick(at)
        for k in range(self.rng.randrange(14, 27)):
            moment = at - timedelta(seconds=59 - 2.1 * k)
            self.log.write(moment, "INFO", f"quote {self.rng.randrange(10**6)} replaced at {51_000 + k}.5")
        with self.trading.cursor() as cursor:
            moment = at - timedelta(seconds=30)
            rows = [
                (moment, name, 10_000 + self.rng.gauss(0, 300), 250 + self.rng.gauss(0, 10))
                for name in ("mm_btc", "mm_eth")
            ]
            cursor.executemany("INSERT INTO quotes VALUES (%s, %s, %s, %s)", rows)
            self.quoted.append(moment)
        for app in ("gateway", "hedger") * self.rng.randrange(2, 6):
            nanos = round((at - timedelta(seconds=self.rng.uniform(5, 55))).timestamp() * 1e9)
            self.loki.lines.append(
                (nanos, f"order {self.rng.randrange(10**6)} done", {"app": app, "level": "info"})
            )
        self.fill(at - timedelta(seconds=20), "mmb-")

    def rotate(self, at: datetime) -> None:
        """Behind the reader's back, to names that the configured path does not match."""
        early = at - timedelta(seconds=59)
        if self.cycles == 2:
            self.log.rename()
            self.log.write(early, "INFO", "said by the old handle", self.log.older(1))
        elif self.cycles == 3:
            self.log.write(early, "INFO", "said before it was renamed and compressed at once")
            self.log.rename()
            self.log.compress()

    def worsen(self) -> None:
        super().worsen()
        self.exporter.slowness = 8.0

    def counted(self, get: Get) -> list[tuple[str, bool]]:
        since = min(self.log.written) - self.step
        lines = samples_of(get, "log_lines", "maker", since)
        quotes = [(at, 1.0) for at, _ in samples_of(get, "quoted_usd", "mm_btc", since)]
        return [
            compared("lines of the maker's log", self.log.written, lines, self.step),
            compared("rows of the ledger", self.quoted, quotes, self.step),
        ]

    def facts(self) -> list[tuple[str, bool]]:
        """How often the real Prometheus came by."""
        scrapes = self.exporter.scrapes
        return [(f"Prometheus scraped the exporter {scrapes} times", scrapes > 60)]


class SingleBot(Ends):
    """On a clock of its own, which ends at the wall's: the bot's log is real and rotated."""

    toml = "single-bot.toml"
    calm, troubled = 36, 3
    metric, component = "log_", "strategy:my_bot"
    causes = frozenset({"program_error", "position_limit"})

    def __init__(self, stack: ExitStack, folder: Path, clock: Clock, routes: list[dict[str, Any]]) -> None:
        super().__init__(stack, folder, clock, routes)
        logs = folder / "logs"
        logs.mkdir()
        self.log = RotatedLog(
            logs / "freqtrade.log",
            lambda at, level, text: (
                f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} - freqtrade.worker - {level} - {text}"
            ),
        )

    def edits(self) -> Edits:
        venue = {"base_url": self.venue.url, "allow_private_addresses": True}
        return {
            "market": venue,
            "account": venue,
            "bot-log": {"paths": [str(self.log.path.parent / "*.log*")]},
            **self.by_hand("exchange-status", "fear-and-greed"),
        }

    def kinds(self) -> dict[str, str]:
        return {"market": RECORDED, "account": BY_HAND, "bot-log": ROTATED, "this-host": MACHINE}

    def past(self) -> None:
        end = self.clock().replace(second=0, microsecond=0)
        end -= timedelta(minutes=end.minute % 5) + (self.calm + self.troubled) * self.step
        for k in range(24 * 12, -1, -1):
            self.tick(end - k * self.step)
        self.begin = end

    def tick(self, at: datetime) -> None:
        super().tick(at)
        for k in range(self.rng.randrange(18, 33)):
            text = f"Bot heartbeat. PID={4_000 + k}, state='RUNNING'"
            self.log.write(at - timedelta(seconds=295 - 9 * k), "INFO", text)
        # No trade comes at regular times, and none without funds.
        if not self.trouble and self.rng.random() < 0.35:
            self.fill(at - timedelta(seconds=20))
        if self.trouble:
            # As freqtrade words it, around what the venue answers.
            for k in range(40):
                text = (
                    "Insufficient funds to create limit buy order on market BTC/USDT:USDT. "
                    f"Tried to buy amount 0.01 at rate {51_000 + k}.5. Message: bybit "
                    '{"retCode":110007,"retMsg":"ab not enough for new order","result":{}}'
                )
                self.log.write(at - timedelta(seconds=200 - 4 * k), "ERROR", text)

    def rotate(self, at: datetime) -> None:
        """Behind the reader's back; what stands only in an old file is read there or never."""
        if self.cycles == 3:
            self.log.rename()
            self.log.write(at - timedelta(seconds=290), "INFO", "said by the old handle", self.log.older(1))
        elif self.cycles == 5:
            self.log.compress()
        elif self.cycles == 7:
            self.log.write(at - timedelta(seconds=290), "INFO", "said before it was renamed")
            self.log.rename()
            self.log.compress()
        elif self.cycles == 9:
            self.log.truncate()

    def counted(self, get: Get) -> list[tuple[str, bool]]:
        lines = samples_of(get, "log_lines", "my_bot", min(self.log.written) - self.step)
        return [compared("lines of the bot's log", self.log.written, lines, self.step)]


class StatArb(Ends):
    """On a Wednesday in New York's hours; the journal is a real one."""

    toml = "stat-arb.toml"
    calm, troubled = 6, 4
    metric, component = "AAPL", "market:nyse:AAPL"
    causes = frozenset({"flash_crash", "news_shock", "volatility_regime_shift"})

    def __init__(self, stack: ExitStack, folder: Path, clock: Clock, routes: list[dict[str, Any]]) -> None:
        super().__init__(stack, folder, clock, routes)
        self.journal: RealJournal | None = stack.enter_context(real_journal(folder))
        today = clock().replace(hour=17, minute=0, second=0, microsecond=0)
        self.wednesday = self.begin = today - timedelta(days=(today.weekday() - 2) % 7 or 7)
        self.signals, self.broker = folder / "signals.csv", folder / "fills-1.csv"
        self.signals.write_text("time,signal_strength\n")
        self.broker.write_text("id,timestamp,symbol,amount,price\n")
        self.deploys = folder / "deploys.db"
        with closing(sqlite3.connect(self.deploys)) as connection, connection:
            connection.execute("CREATE TABLE deploys (at, component, note)")
        self.entries = folder / "journal.json"
        self.entries.touch()
        self.sent = 0
        self.told: list[datetime] = []
        self.signalled: list[datetime] = []

    def edits(self) -> Edits:
        quotes = {"base_url": self.outside.quotes.url}
        journal: dict[str, object] = {"file": str(self.entries)}
        if self.checking and self.journal is not None:
            journal = {"program": self.journal.program}
        return {
            "shares": quotes,
            "shares-daily": quotes,
            "fills": {"paths": [str(self.folder / "fills-*.csv")]},
            "signals": {"paths": [str(self.signals)]},
            "deploys": {"url": f"sqlite:///{self.deploys}"},
            "journal": journal,
            **self.by_hand("economy", "headlines"),
        }

    def kinds(self) -> dict[str, str]:
        journal = "real journald" if self.journal else "by hand (no journal can run)"
        return {
            "fills": FILES,
            "signals": FILES,
            "deploys": "real SQLite",
            "journal": f"{journal}; {'journalctl' if self.checking else 'file, times moved'}",
            "this-host": MACHINE,
        }

    def past(self) -> None:
        if self.journal is not None:
            self.journal.write("pairs.service", [(6, f"pair {k} was traded") for k in range(9)])
            self.sent += 9
        with closing(sqlite3.connect(self.deploys)) as connection, connection:
            at = f"{self.wednesday - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
            connection.execute("INSERT INTO deploys VALUES (?, 'strategy:pairs_tech', 'release 7')", [at])
        for k in range(12 * 72, -1, -1):
            moment = self.wednesday - k * self.step
            local = moment.astimezone(NEW_YORK)
            if local.weekday() < 5 and 9 * 60 + 30 < local.hour * 60 + local.minute <= 16 * 60:
                self.tick(moment)

    def tick(self, at: datetime) -> None:
        super().tick(at)
        moment = at - timedelta(seconds=60)
        with self.signals.open("a") as file:
            file.write(
                f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S},{0.4 + self.rng.gauss(0, 0.05):.4f}\n"
            )
        self.signalled.append(moment)
        self.trades += 1
        with self.broker.open("a") as file:
            side = 10 if self.trades % 2 else -10
            file.write(
                f"f{self.trades},{moment:%Y-%m-%dT%H:%M:%SZ},AAPL,{side},{self.rng.gauss(104, 0.05):.3f}\n"
            )
        if not self.checking:
            self._say(at)

    def _say(self, at: datetime) -> None:
        """Entries as the real journal printed them; only their times are moved into this step."""
        lines = [(6, f"pair {self.rng.randrange(10**6)} was traded") for _ in range(9)]
        if self.journal is not None:
            self.journal.write("pairs.service", lines)
            self.sent += len(lines)
            printed = self.journal.printed("pairs.service").splitlines()[-len(lines) :]
        else:
            printed = [
                json.dumps(
                    {
                        "__CURSOR": f"c{self.ticks}.{k}",
                        "MESSAGE": text,
                        "PRIORITY": str(level),
                        "_SYSTEMD_UNIT": "pairs.service",
                        "__REALTIME_TIMESTAMP": "0",
                    }
                )
                for k, (level, text) in enumerate(lines)
            ]
        with self.entries.open("a") as file:
            for k, one in enumerate(printed):
                moment = at - timedelta(seconds=280 - 20 * k)
                entry = json.loads(one) | {"__REALTIME_TIMESTAMP": str(round(moment.timestamp() * 1e6))}
                file.write(json.dumps(entry) + "\n")
                self.told.append(moment)

    def worsen(self) -> None:
        super().worsen()
        self.outside.quotes.crash("AAPL", self.clock(), 0.9)

    def facts(self) -> list[tuple[str, bool]]:
        """The real journal as the wall's clock has it, by the collector and journalctl."""
        if self.journal is None:
            return [("no journal can run here: entries are by hand", True)]
        now = datetime.now(UTC)
        text = (EXAMPLES / self.toml).read_text(encoding="utf-8")
        found = next(one for one in tomllib.loads(text)["sources"] if one["name"] == "journal")
        settings = JournalSource.model_validate(
            {**found, "program": self.journal.program, "step_seconds": 300}
        )
        page = JournalCollector(settings).collect(Position(now - timedelta(hours=1)), now + self.step)
        read = sum(value for one, _, value in page.samples if one.key.metric == "log_lines")
        return [(f"entries by journalctl: {self.sent} written, {read:.0f} read", read == self.sent)]

    def counted(self, get: Get) -> list[tuple[str, bool]]:
        since = min(self.signalled) - self.step
        signals = [(at, 1.0) for at, _ in samples_of(get, "signal_strength", "pairs_tech", since)]
        return [
            compared(
                "entries of the journal", self.told, samples_of(get, "log_lines", "pairs", since), self.step
            ),
            compared("signals", self.signalled, signals, self.step),
        ]


def rfc3339(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def ledger(server: PostgresServer) -> psycopg.Connection[Any]:
    """The service's own database, and the desk's, which lets its reader in by password alone."""
    os.environ["TRADING_DB_PASSWORD"] = PASSWORD
    where = f"host={server.directory} user=postgres"
    rules = server.directory / "data" / "pg_hba.conf"
    rules.write_text(f"local trading reader scram-sha-256\n{rules.read_text()}")
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE ROLE analyst LOGIN")
        connection.execute("CREATE DATABASE analyst OWNER analyst")
        connection.execute("CREATE DATABASE trading")
        connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    found: psycopg.Connection[Any] = psycopg.connect(f"{where} dbname=trading", autocommit=True)
    found.execute(
        "CREATE TABLE quotes (at timestamptz, strategy text, quoted_usd float8, quote_lifetime_ms float8)"
    )
    found.execute("GRANT SELECT ON quotes TO reader")
    return found


DESKS: tuple[type[Ends], ...] = (SingleBot, StatArb, MarketMaker)
