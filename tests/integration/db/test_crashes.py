"""kill -9 at any moment: nothing acknowledged is lost, altered or doubled, no batch is stored by halves."""

import random
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.anomalies import AnomalyStore
from db.database import Database
from db.outbox import OutboxStore
from db.samples import SampleStore
from db.series import SeriesStore
from domain.timestamps import to_microseconds

ROOT = Path(__file__).parents[3]
START = datetime(2026, 3, 1, tzinfo=UTC)
WIDTH = 20
WRITERS = 2

SAMPLES = """
import sys
from datetime import UTC, datetime, timedelta
from db.database import Database
from db.samples import SampleStore
from domain.errors import StoreUnavailable
from domain.series import SampleBatch, Series, SeriesKey

url, writer, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = datetime(2026, 3, 1, tzinfo=UTC)
store = SampleStore(Database(url))
series = [Series(0, SeriesKey.of("load", {"writer": writer, "k": str(k)}), step_s=60) for k in range(20)]
for n in range(first, first + 100_000):
    at = start + timedelta(minutes=7 * n)
    batch = SampleBatch.of([(one, at, n * 100.0 + k) for k, one in enumerate(series)])
    appended = None
    while appended is None:
        try:
            appended = store.append(batch)
        except StoreUnavailable:
            pass  # somebody else held the turn for too long: try again, as it says
    assert appended.accepted == 20
    print(n, flush=True)
    if n % 7 == 3:
        store.compact(start)
"""

DETECTIONS = """
import sys
from datetime import UTC, datetime, timedelta
from db.database import Database
from db.detections import CycleWriter
from db.records import AlertIntent, IncidentPlan
from domain.anomaly import Anomaly
from domain.errors import StoreUnavailable

url, writer, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = datetime(2026, 3, 1, tzinfo=UTC)
found = CycleWriter(Database(url))

def group(loose, open_incidents):
    return [IncidentPlan(None, tuple(one.id for one in loose))]

def decide(incident, anomalies, previous):
    return [AlertIntent("slack", "opened", "|".join(one.key for one in anomalies), {}, start)]

same = dict(anomaly_type="drawdown", severity="low", confidence=1, rule=writer, method="range", score=1)
same |= dict(direction="down", status="resolved")
for n in range(first, first + 100_000):
    at = start + timedelta(minutes=n)
    times = dict(timestamp=at, detected_at=at, ended_at=at)
    anomalies = [Anomaly(**same, **times, affected_metrics=(name,)) for name in ("pnl", "orders")]
    saved = None
    while saved is None:
        try:
            saved = found.save_detections(anomalies, at, group, decide)
        except StoreUnavailable:
            pass  # somebody else held the turn for too long: try again, as it says
    print(n, flush=True)
"""


def acknowledged_until_killed(program: str, url: str, first: list[int], pause: float) -> list[int]:
    """Run the writers side by side and kill them; for each, the last number that it acknowledged."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url, str(writer), str(first[writer])],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for writer in range(WRITERS)
    ]
    lines: list[list[str]] = [[] for _ in processes]

    def listen(writer: int, stream: Any) -> None:
        for line in stream:
            lines[writer].append(line)

    listeners = [
        threading.Thread(target=listen, args=(i, one.stdout), daemon=True) for i, one in enumerate(processes)
    ]
    for one in listeners:
        one.start()
    waited = threading.Event()
    for _ in range(600):
        if all(lines) or any(one.poll() is not None for one in processes):
            break
        waited.wait(0.05)
    waited.wait(pause)
    for process in processes:
        process.kill()
    for process, one in zip(processes, listeners, strict=True):
        one.join(10)
        assert process.stderr is not None
        assert process.stdout is not None
        errors = process.stderr.read()
        process.stderr.close()
        process.stdout.close()
        assert process.wait(10) == -9, errors
    return [int(found[-1]) if found else first[writer] - 1 for writer, found in enumerate(lines)]


def survive(program: str, url: str, rounds: int, check: Any) -> None:
    dice = random.Random(20_260_301)
    last = [-1] * WRITERS
    for _ in range(rounds):
        last = acknowledged_until_killed(program, url, [one + 1 for one in last], dice.uniform(0.05, 0.5))
        check(last)
    assert min(last) > 0


def samples_are_whole(database: Database, last: list[int]) -> None:
    """A new process reads exactly what was acknowledged, and at most the one batch that was under way."""
    store, series = SampleStore(database), SeriesStore(database).all()
    for writer, acknowledged in enumerate(last):
        counts = set()
        for one in series:
            if one.key.label("writer") != str(writer):
                continue
            times, values = store.read(one.id, START, START + timedelta(days=5_000))
            counts.add(len(times))
            k = int(str(one.key.label("k")))
            assert values.tolist() == [n * 100.0 + k for n in range(len(values))]
            step = 7 * 60_000_000
            assert times.tolist() == [to_microseconds(START) + n * step for n in range(len(values))]
        assert len(counts) == 1, "a batch was stored by halves"
        assert counts <= {acknowledged + 1, acknowledged + 2}


def detections_are_whole(database: Database, last: list[int]) -> None:
    """Each detection is there once, with its incident and its alert."""
    found = [(one.rule, one.timestamp, one.affected_metrics[0]) for one in AnomalyStore(database).iterate()]
    assert len(found) == len(set(found))
    assert all(one.incident_id for one in AnomalyStore(database).iterate())
    for writer, acknowledged in enumerate(last):
        mine = sum(one[0] == str(writer) for one in found)
        assert mine in {2 * (acknowledged + 1), 2 * (acknowledged + 2)}
    alerts = OutboxStore(database).counts()
    assert alerts[("slack", "pending")] * 2 == len(found)


def sound(database: Database) -> None:
    if database.path is not None:
        with database.read() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


@pytest.mark.parametrize(
    "rounds", [pytest.param(2, id="short"), pytest.param(1_000, id="long", marks=pytest.mark.endurance)]
)
def test_acknowledged_samples_survive_kill_9(database: Database, database_url: str, rounds: int) -> None:
    survive(SAMPLES, database_url, rounds, lambda last: samples_are_whole(database, last))
    sound(database)


@pytest.mark.parametrize(
    "rounds", [pytest.param(1, id="short"), pytest.param(300, id="long", marks=pytest.mark.endurance)]
)
def test_detections_survive_kill_9(database: Database, database_url: str, rounds: int) -> None:
    survive(DETECTIONS, database_url, rounds, lambda last: detections_are_whole(database, last))
    sound(database)
