"""A desk's own sources through the whole service: a venue, an account, dropped fills, and what is derived."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fake_account import FakeAccount
from service_process import ROOT, ServiceProcess, eventually, write_config

SOURCES = """
[[sources]]
name = "venue"
kind = "exchange"
venue = "bybit"
symbols = ["BTC/USDT:USDT"]
timeframe = "1m"
base_url = "{url}"
allow_private_addresses = true

[[sources]]
name = "same-venue-again"
kind = "exchange"
venue = "bybit"
venue_label = "mirror"
symbols = ["BTC/USDT:USDT"]
feeds = ["bars"]
timeframe = "1m"
base_url = "{url}"
allow_private_addresses = true

[[sources]]
name = "account"
kind = "account"
venue = "bybit"
symbols = ["BTC/USDT:USDT"]
api_key_env = "DESK_KEY"
secret_env = "DESK_SECRET"
base_url = "{url}"
allow_private_addresses = true
step_seconds = 60

[[sources]]
name = "drops"
kind = "fills"
paths = ["{drops}/*.csv"]
step_seconds = 60

[[derived]]
metric = "venue_divergence_bps"
kind = "divergence"
of = "price"
per = ["symbol"]
"""
KEYS = {"DESK_KEY": "a-key-that-reads", "DESK_SECRET": "a-secret-that-signs"}


class LiveAccount(FakeAccount):
    """Its clock goes with ours."""

    @property
    def now_ms(self) -> int:
        return int(time.time() * 1_000)

    @now_ms.setter
    def now_ms(self, value: int) -> None: ...


def test_a_desk_is_read_derived_and_stored(tmp_path: Path) -> None:
    venue = LiveAccount(0)
    now = datetime.now(UTC)
    venue.trade(1, int((now - timedelta(minutes=20)).timestamp() * 1_000), 1, 50_000)
    drops = tmp_path / "drops"
    drops.mkdir()
    at = (now - timedelta(minutes=10)).isoformat()
    (drops / "a.csv").write_text(f"id,timestamp,symbol,amount,price\n1,{at},AAPL,3,100\n")
    config = write_config(tmp_path, [SOURCES.format(url=venue.url, drops=drops)], interval_s=5)
    environ = {**os.environ, **KEYS}
    command = [sys.executable, "-m", "service.cli", "check", "--config", str(config)]
    checked = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    lines = [line for line in checked.stdout.splitlines() if "source" in line]
    assert len(lines) == 4, checked.stdout
    with ServiceProcess("serve", "--config", str(config), environ=KEYS) as process:
        eventually(lambda: process.get("/api/v1/series", metric="venue_divergence_bps")["items"], 90)
        for metric in (
            "price",
            "spread_bps",
            "feed_age_seconds",
            "pnl",
            "position_mismatch_usd",
            "inventory_usd",
        ):
            assert process.get("/api/v1/series", metric=metric)["items"], metric
        states = {one["name"]: one["status"] for one in process.get("/api/v1/sources")["items"]}
        assert states == dict.fromkeys(("venue", "same-venue-again", "account", "drops"), "ok")
        printed = process.output()
    venue.close()
    for secret in KEYS.values():
        assert secret not in printed + checked.stdout + checked.stderr
