"""What the dashboard and its lists cost with 100,000 anomalies stored, and how small the pages are.

Run with `PYTHONPATH=tests python benchmarks/dashboard.py`; prints a table in Markdown.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
from api_desk import LATENCY, NOW, PNL, Desk, anomaly, running_desk
from sqlalchemy import insert, update

from api.dashboard import static
from db.anomalies import ANOMALY, METRIC, terms, values_of
from db.database import Database
from db.incidents import INCIDENT
from domain.series import SampleBatch, Series, SeriesKey

PER_INCIDENT = 80
RULES = 24
FINE = "fine_grained"


def fill(folder: Path, anomalies: int) -> None:
    """Add anomalies in incidents of eighty, every second one resolved."""
    database = Database(f"sqlite:///{folder / 'desk.db'}")
    with database.write() as connection:
        for first in range(0, anomalies, 2_000):
            rows, about, incidents = [], [], []
            for i in range(first, first + 2_000):
                onset = NOW - timedelta(minutes=5 * (i % PER_INCIDENT), hours=7 * (i // PER_INCIDENT))
                one = anomaly(f"rule-{i % RULES}", (PNL if i % 2 else LATENCY,), onset)
                closed = {"status": "resolved", "ended_at": onset + timedelta(minutes=20)}
                one = one.model_copy(update=closed if (i // PER_INCIDENT) % 2 else {})
                rows.append({"id": 1_000 + i, "incident_id": 1_000 + i // PER_INCIDENT, **values_of(one)})
                about += [{"anomaly_id": 1_000 + i, "term": term} for term in terms(one)]
                if i % PER_INCIDENT == 0:
                    incidents.append(
                        {
                            "id": 1_000 + i // PER_INCIDENT,
                            "title": f"sudden loss: {PNL}",
                            "status": one.status,
                            "severity": 3,
                            "started_at": onset,
                        }
                    )
            connection.execute(insert(INCIDENT), incidents)
            connection.execute(insert(ANOMALY), rows)
            connection.execute(insert(METRIC), about)
        connection.execute(update(INCIDENT).where(INCIDENT.c.id > 1_030).values(status="resolved"))
    database.close()


def timed(call: Callable[[], object], times: int = 30) -> str:
    """Median and 95th percentile of the wall's milliseconds, and those that a processor spent on each."""
    spans, busy = [], time.process_time()
    for _ in range(times):
        started = time.perf_counter()
        call()
        spans.append((time.perf_counter() - started) * 1000)
    spent = (time.process_time() - busy) * 1000 / times
    return f"{statistics.median(spans):.0f} | {sorted(spans)[int(0.95 * len(spans))]:.0f} | {spent:.0f}"


def fine_window(desk: Desk) -> tuple[int, bool]:
    """Bytes of a window of 100,000 points, and whether both extremes are in it."""
    series = Series(0, SeriesKey.parse(FINE), step_s=1)
    # Restless values: smooth ones need fewer digits.
    values = np.sin(np.arange(100_000) / 700) + np.random.default_rng(3).normal(0, 0.3, 100_000)
    values[31_234], values[77_001] = 50.0, -60.0
    start = NOW - timedelta(seconds=100_000)
    times = int(start.timestamp()) * 1_000_000 + np.arange(100_000, dtype=np.int64) * 1_000_000
    desk.stores.samples.append(SampleBatch((series,), np.zeros(100_000, dtype=np.int64), times, values))
    address = f"/api/v1/chart?series={FINE}&from={int(start.timestamp())}&to={int(NOW.timestamp())}"
    body = desk.client.get(address).content
    shown = [one for one in json.loads(body)["y"] if one is not None]
    return len(body), max(shown) == 50.0 and min(shown) == -60.0


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--anomalies", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_desk(Path(name)) as desk:
        fill(Path(name), arguments.anomalies)
        get = desk.client.get
        print("| what | p50 ms | p95 ms | processor ms |\n|---|---|---|---|")
        for path in (
            "/",
            "/?state=resolved",
            "/history",
            "/history?window=1y",
            "/history?q=loss",
            "/api/v1/anomalies?limit=100",
            "/api/v1/anomalies?limit=100&min_severity=high&status=open",
            "/api/v1/incidents?limit=100",
            "/anomalies/A-1",
            "/diagnoses/D-1",
            "/history?window=1y&detector=rule-1",
            "/performance",
            "/status",
            "/explore",
            "/chat",
        ):
            assert get(path).status_code == 200, path
            print(f"| GET {path} | {timed(lambda path=path: get(path))} |")  # type: ignore[misc]
        turns = iter(["acknowledged", "open"] * 50)
        change = "/api/v1/incidents/I-1"
        patched = timed(lambda: desk.client.patch(change, json={"status": next(turns)}))
        print(f"| PATCH {change} | {patched} |")
        plain, packed = static.script_bytes()
        size, whole = fine_window(desk)
        print(
            f"\nscripts: {plain} bytes, {packed} packed; 100,000 points: {size} bytes, extremes kept: {whole}"
        )


if __name__ == "__main__":
    main()
