"""A service that is killed while a model is asked goes on where it was, and pays for no call twice."""

import json
import random
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from service_process import ServiceProcess, eventually, write_config

from evaluation.fake_model.server import FakeModelServer
from service.model_calls import unpacked


def _llm(server: FakeModelServer) -> str:
    return f"""
[llm]
model = "fake-tools"
base_url = "{server.base_url}"
budget_usd_per_day = 1.0
[llm.prices.fake-tools]
input = 1.0
output = 4.0
"""


def _fill(process: ServiceProcess, now: datetime) -> None:
    """A day of a latency with a jump at its end, and a PnL that falls with it."""
    dice = random.Random(1)
    samples: list[dict[str, Any]] = []
    labels = {"strategy": "mm", "venue": "bybit", "symbol": "BTC"}
    for i in range(288):
        at = (now - timedelta(minutes=5 * (287 - i))).isoformat()
        bad = i >= 282
        latency = {"metric": "order_ack_latency_ms", "labels": {"venue": "bybit"}, "timestamp": at}
        samples.append({**latency, "value": dice.gauss(300 if bad else 15, 1)})
        pnl = {"metric": "pnl", "labels": labels, "timestamp": at, "source": "pnl_data", "unit": "USD"}
        samples.append({**pnl, "value": dice.gauss(-900 if bad else 20, 5)})
    process.post("/api/v1/samples", {"samples": samples})


def test_an_investigation_that_was_killed_resumes_without_paying_again(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with FakeModelServer(delay_s=0.6) as server:
        config = write_config(tmp_path, [_llm(server)])
        with ServiceProcess("serve", "--config", str(config)) as process:
            _fill(process, now)
            process.post("/api/v1/cycles")
            request = {
                "start_time": (now - timedelta(minutes=30)).isoformat(),
                "end_time": now.isoformat(),
                "affected_metrics": ["pnl"],
                "reasoner": "llm",
            }
            identifier = process.post("/api/v1/diagnoses", request)["id"]
            # Killed while the second call of this diagnosis is under way.
            eventually(lambda: len(_calls(tmp_path, identifier)) >= 2, 30)
            process.kill()
        before = _calls(tmp_path, identifier)
        assert [answered for _, answered in before] == [True, False]
        server.delay_s = 0.0
        with ServiceProcess("serve", "--config", str(config)) as process:
            done = eventually(lambda: _ended(process, identifier), 40)
        assert done["status"] == "done"
        assert done["reasoner"] == "llm"
        assert done["fallback_reason"] is None
        assert len(done["steps"]) == 6
        calls = _calls(tmp_path, identifier)
        answered = [key for key, answered in calls if answered]
        # Three questions make this diagnosis; only the one under way was asked twice, none was paid twice.
        assert len(set(answered)) == len(answered) == 3
        assert len(calls) == 4


def _calls(folder: Path, subject: str) -> list[tuple[str, bool]]:
    """The calls of a diagnosis: what was asked, and whether it was answered."""
    with sqlite3.connect(folder / "analyst.db") as connection:
        statement = "SELECT prompt, answer FROM model_call WHERE subject = ? ORDER BY id"
        rows = connection.execute(statement, [subject]).fetchall()
    return [(str(json.loads(str(unpacked(prompt)))["key"]), answer is not None) for prompt, answer in rows]


def _ended(process: ServiceProcess, identifier: str) -> Any:
    found = process.get(f"/api/v1/diagnoses/{identifier}")
    time.sleep(0.1)
    return found if found["status"] in {"done", "failed"} else None
