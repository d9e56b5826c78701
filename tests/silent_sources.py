"""A bot and its venue behind real sources, on a clock of the test's own, with a webhook for the alerts.

The venue answers ccxt's real client, the bot's exporter is scraped, the webhook gets what the outbox sends.
"""

import json
import math
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from fake_venue import FakeVenue
from fastapi.testclient import TestClient
from raw_server import RawServer, reply

from domain.anomaly import Anomaly
from domain.cycle import Cycle
from domain.diagnosis import Diagnosis
from domain.incident import Incident
from service.ingesting import Ingest
from service.settings import Settings
from service.wiring import Service, build_service

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
# A cycle begins a moment after its slot (`[scheduler] settle_seconds` and the scheduler's tick).
SETTLED = timedelta(seconds=3)
SYMBOL, NATIVE = "BTC/USDT:USDT", "BTCUSDT"
DAY_MINUTES = 1_440


class LiveVenue(FakeVenue):
    """A venue whose prices wander and whose candles can go stale.

    Args:
        now: the venue's clock.
        rng: of its prices and volumes.
    """

    def __init__(self, now: datetime, rng: np.random.Generator) -> None:
        self._set_at: float | None = None
        super().__init__(milliseconds(now), (NATIVE,))
        self._walk = 50_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, 4 * DAY_MINUTES)))
        self._traded = rng.lognormal(3, 0.4, 4 * DAY_MINUTES)
        self._origin = milliseconds(START - timedelta(days=2)) // 60_000
        self._ages = rng
        self.no_bars_since: int | None = None
        self.same_bars_since: int | None = None
        self.gaps_since: int | None = None

    @property
    def now_ms(self) -> int:
        """The venue's clock goes on while it is asked: on a busy machine it would fall behind ours else."""
        if self._set_at is None:
            self._set_at = time.monotonic()
        return self._now_ms + int((time.monotonic() - self._set_at) * 1_000)

    @now_ms.setter
    def now_ms(self, now_ms: int) -> None:
        self._now_ms, self._set_at = now_ms, None

    def price(self, at_ms: int) -> float:
        """The price of a minute."""
        return round(float(self._walk[at_ms // 60_000 - self._origin]), 1)

    def _kline(self, query: Mapping[str, str]) -> object:
        width, limit = 300_000, int(query.get("limit", 200))
        until = self.now_ms if self.no_bars_since is None else min(self.now_ms, self.no_bars_since)
        first = int(query.get("start", until - limit * width))
        starts = range(-(-first // width) * width, until + 1, width)[:limit]
        rows = [
            self._candle(start, min(start + width - 1, until)) for start in starts if not self._lost(start)
        ]
        return {"symbol": NATIVE, "category": "linear", "list": rows[::-1]}

    def _lost(self, start: int) -> bool:
        """Every third candle, where the feed loses them."""
        return (
            self.gaps_since is not None
            and start >= self.gaps_since
            and (start - self.gaps_since) % 900_000 == 0
        )

    def _candle(self, start: int, until: int) -> list[str]:
        if self.same_bars_since is not None and start >= self.same_bars_since:
            repeated = self.same_bars_since - 300_000
            return [str(start), *self._candle(repeated, repeated + 299_999)[1:]]
        minutes = range(start, until + 1, 60_000)
        prices = [self.price(at) for at in minutes]
        volume = sum(self._traded[at // 60_000 - self._origin] for at in minutes)
        numbers = (prices[0], max(prices), min(prices), prices[-1], volume, volume * prices[-1])
        return [str(start), *(f"{one:.4f}" for one in numbers)]

    def _ticker(self, symbol: str) -> dict[str, str]:
        told, last = super()._ticker(symbol), self.price(self.now_ms)
        around = {"lastPrice": last, "indexPrice": last, "markPrice": last * 1.0001, "bid1Price": last - 0.5}
        return told | {name: str(value) for name, value in around.items()} | {"ask1Price": str(last + 0.5)}

    def _book(self, query: Mapping[str, str]) -> object:
        mid = self.price(self.now_ms)
        size = 2 + math.sin(self.now_ms / 7e6) ** 2
        return {
            "s": query["symbol"],
            "b": [[f"{mid - k / 2:.1f}", f"{size:.3f}"] for k in range(1, 6)],
            "a": [[f"{mid + k / 2:.1f}", f"{size:.3f}"] for k in range(1, 6)],
            "ts": self.now_ms - int(self._ages.uniform(100, 600)),
            "u": 1,
            "seq": 1,
        }


@dataclass
class Bot:
    """A bot that measures itself; its failures raise no error anywhere."""

    venue: LiveVenue
    rng: np.random.Generator
    websocket_dead: bool = False
    no_orders: bool = False
    quiet_signal: bool = False
    subscribed_twice: bool = False
    hung: bool = False
    unbooked_usd: float = 0.0
    totals: dict[str, float] = field(
        default_factory=lambda: {"messages": 1e6, "orders": 5e3, "duplicates": 0.0}
    )
    held: dict[str, float] = field(default_factory=dict)

    def live(self, now: datetime) -> None:
        """Five minutes pass."""
        rng, held = self.rng, self.held
        if not self.websocket_dead:
            heard = float(rng.poisson(9_000))
            self.totals["messages"] += heard * (2 if self.subscribed_twice else 1)
            self.totals["duplicates"] += heard if self.subscribed_twice else float(rng.poisson(2))
            held |= {"mid": self.venue.price(milliseconds(now)), "latency": rng.lognormal(1.8, 0.1)}
            held["signal"] = 1e-3 * rng.random() if self.quiet_signal else rng.lognormal(0, 0.3)
        if not (self.no_orders or self.websocket_dead or self.quiet_signal or self.hung):
            self.totals["orders"] += rng.poisson(60)
            held |= {"inventory": rng.normal(0, 8_000), "pnl": rng.normal(40, 18)}
        else:
            held["pnl"] = 0.0
        held |= {"ack": rng.lognormal(2.5, 0.12), "memory": rng.normal(55, 0.5), "cpu": rng.normal(35, 3)}
        if not self.hung:
            held["beat"] = now.timestamp() - rng.uniform(0, 2)

    def exposition(self) -> str:
        """What its exporter says."""
        one, place = self.held, f'venue="bybit",symbol="{SYMBOL}"'
        return (
            "# TYPE feed_messages_total counter\n"
            f'feed_messages_total{{venue="bybit"}} {self.totals["messages"]}\n'
            "# TYPE orders_total counter\n"
            f'orders_total{{strategy="maker",venue="bybit"}} {self.totals["orders"]}\n'
            "# TYPE feed_duplicates_total counter\n"
            f'feed_duplicates_total{{venue="bybit"}} {self.totals["duplicates"]}\n'
            f'feed_latency_ms{{venue="bybit"}} {one["latency"]}\n'
            f"mid_price{{{place}}} {one['mid']}\n"
            f'signal_strength{{strategy="maker"}} {one["signal"]}\n'
            f'inventory_usd{{strategy="maker"}} {one["inventory"]}\n'
            f'position_mismatch_usd{{strategy="maker",{place}}} {self.unbooked_usd}\n'
            f'pnl{{strategy="maker"}} {one["pnl"]}\n'
            f'order_ack_latency_ms{{venue="bybit"}} {one["ack"]}\n'
            f'memory_percent{{host="vps"}} {one["memory"]}\n'
            f'cpu_percent{{host="vps"}} {one["cpu"]}\n'
            f'heartbeat_timestamp_seconds{{strategy="maker"}} {one["beat"]}\n'
        )


class LiveDesk:
    """The service with a venue, a bot and a webhook around it; nothing of it runs on its own clock."""

    def __init__(self, folder: Path, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.now = START + SETTLED
        self.venue = LiveVenue(self.now, rng)
        self.bot = Bot(self.venue, rng)
        self.venue_ahead_ms = 0
        self.exporter_down = False
        self.alerts: list[dict[str, Any]] = []
        self._exporter, self._hook = RawServer(), RawServer()
        self._exporter.respond = self._scraped
        self._hook.respond = self._alerted
        self.service: Service = build_service(
            Settings.model_validate(self._configuration(folder)), clock=lambda: self.now
        )
        self.client = TestClient(self.service.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))

    def _configuration(self, folder: Path) -> dict[str, Any]:
        here = {"allow_private_addresses": True}
        market = {"name": "market", "kind": "exchange", "venue": "bybit", "symbols": [SYMBOL]}
        bot = {"name": "bot", "kind": "openmetrics", "source": "trading_metrics"}
        kinds = {"feed_*": "market_data", "mid_price": "market_data", "pnl": "pnl_data"}
        return {
            "database": {"url": f"sqlite:///{folder / 'analyst.db'}"},
            "strategies": [{"name": "maker", "venues": ["bybit"], "symbols": [SYMBOL], "host": "vps"}],
            "sources": [
                market | here | {"base_url": self.venue.url, "backfill_hours": 6},
                bot | here | {"url": f"{self._exporter.url}/metrics", "sources": kinds},
            ],
            "alerts": {
                "webhook": [{"name": "desk", "url": f"{self._hook.url}/alert"}],
                "allow_hosts": ["127.0.0.1"],
            },
        }

    def _scraped(self, connection: socket.socket, head: str) -> None:
        if self.exporter_down:
            reply(b"out of memory", status="503 Service Unavailable")(connection, head)
            return
        reply(self.bot.exposition().encode())(connection, head)

    def _alerted(self, connection: socket.socket, head: str) -> None:
        lines, _, body = head.partition("\r\n\r\n")
        length = next(
            int(one[15:]) for one in lines.split("\r\n") if one.lower().startswith("content-length:")
        )
        held = body.encode("latin-1")
        while len(held) < length:
            held += connection.recv(65_536)
        self.alerts.append(json.loads(held))
        reply(b"ok")(connection, head)

    def close(self) -> None:
        self.service.parts.sources.close()
        self.service.parts.investigations.stop()
        self.service.parts.database.close()
        for one in (self.venue, self._exporter, self._hook):
            one.close()

    def _pass(self) -> None:
        self.now += STEP
        self.venue.now_ms = milliseconds(self.now) + self.venue_ahead_ms
        self.bot.live(self.now)

    def remember(self, cells: int) -> None:
        """So many steps are collected before the first cycle, as by a service that judged nothing yet."""
        parts = self.service.parts
        ingest = Ingest(parts.stores.samples, parts.stores.events)
        for _ in range(cells):
            self._pass()
            for result in parts.sources.run(self.now):
                ingest(result)
                parts.sources.acknowledge(result)
        parts.windows.load(self.now)
        parts.investigations.start()
        self.step()

    def step(self) -> Cycle:
        """Five minutes, their cycle, and what the outbox has to send."""
        self._pass()
        slot = self.service.parts.claim(self.now - SETTLED)
        assert slot is not None
        done = self.service.parts.pipeline.run_cycle(slot, self.now)
        assert done.status == "done", done.error
        while self.service.parts.alerting.worker.run_once():
            pass
        return done

    def anomalies(self) -> list[Anomaly]:
        items = self.client.get("/api/v1/anomalies", params={"limit": 500}).json()["items"]
        return [Anomaly.model_validate(one) for one in items]

    def incidents(self) -> list[Incident]:
        items = self.client.get("/api/v1/incidents", params={"limit": 500}).json()["items"]
        return [Incident.model_validate(one) for one in items]

    def diagnosis(self, incident: Incident) -> Diagnosis:
        """What the service said about an incident."""
        assert incident.diagnosis_id is not None
        return Diagnosis.model_validate(self.client.get(f"/api/v1/diagnoses/{incident.diagnosis_id}").json())


@contextmanager
def live_desk(folder: Path, seed: int) -> Iterator[LiveDesk]:
    """A desk that is closed in the end."""
    desk = LiveDesk(folder, seed)
    try:
        yield desk
    finally:
        desk.close()


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000)
