"""Retention: old data goes, what is open stays, the size is held, and ingest goes on."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db.anomalies import AnomalyStore
from db.chat import ChatStore
from db.cycles import CycleStore
from db.database import Database
from db.detections import CycleWriter
from db.diagnoses import DiagnosisStore
from db.events import EventStore
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent, IncidentPlan
from db.retention import Retention
from db.runs import RunStore
from db.samples import SampleStore
from db.settings import DatabaseSettings, RetentionPolicy
from domain.anomaly import Anomaly
from domain.diagnosis import DiagnosisRequest
from domain.event import Event
from domain.series import SampleBatch, Series, SeriesKey
from domain.timestamps import to_microseconds

NOW = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
DAY = timedelta(days=1)
KEEP = RetentionPolicy(
    samples_days=10, events_days=10, anomalies_days=10, diagnoses_days=10, runs_days=10, cycles_days=10
)


def anomaly(name: str, at: datetime, *, ended: bool) -> Anomaly:
    return Anomaly.model_validate(
        {
            "timestamp": at, "detected_at": at, "anomaly_type": "drawdown", "severity": "low",
            "confidence": 1, "rule": name, "method": "range", "score": 1, "direction": "down",
            "affected_metrics": (name,),
            "status": "resolved" if ended else "open", "ended_at": at if ended else None,
        }
    )  # fmt: skip


def days_of_samples(database: Database, days: int, points: int, series: int = 1) -> None:
    store = SampleStore(database)
    known = tuple(Series(0, SeriesKey.of("pnl", {"n": str(i)})) for i in range(series))
    step = 86_400_000_000 // points
    rng = np.random.default_rng(1)
    for age in range(days):
        start = to_microseconds(NOW - (age + 1) * DAY)
        times = np.tile(start + np.arange(points) * step, series)
        index = np.repeat(np.arange(series), points)
        store.append(SampleBatch(known, index, times, rng.normal(size=len(times))))
    store.compact(NOW)


def test_what_is_old_goes_and_what_is_open_stays(database: Database) -> None:
    old, new = NOW - 20 * DAY, NOW - DAY
    days_of_samples(database, 20, 24)
    EventStore(database).append([Event(timestamp=at, source="news", text="x") for at in (old, new)])
    for at in (old, new):
        CycleWriter(database).save_detections(
            [anomaly(f"{kind}{at.day}", at, ended=kind == "ended") for kind in ("ended", "open")],
            at,
            lambda loose, _open: [IncidentPlan(None, (one.id,)) for one in loose],
            lambda incident, *_: [AlertIntent("slack", "opened", incident.id, {}, NOW)],
        )
        diagnosis = DiagnosisStore(database).create(
            DiagnosisRequest(start_time=at, end_time=at, affected_metrics=("pnl",)), now=at
        )
        DiagnosisStore(database).save(diagnosis.diagnosis.model_copy(update={"status": "done"}))
        run = RunStore(database).start("diagnosis", "D-1", at)
        RunStore(database).finish(run.id, "done", at, ("run.finished", {}))
        cycle = CycleStore(database).claim_slot(at, "a", at)
        assert cycle is not None
        CycleStore(database).finish(cycle.model_copy(update={"status": "done"}))
        ChatStore(database).start("mk", "x", at)
    RunStore(database).start("chat", "T-1", old)
    for one in OutboxStore(database).claim(NOW, DAY)[:1]:
        OutboxStore(database).sent(one.id, None, NOW)

    pruned = Retention(database).prune(NOW, KEEP)

    times, _values = SampleStore(database).read(1, NOW - 99 * DAY, NOW)
    assert to_microseconds(NOW - 11 * DAY) <= times[0] <= to_microseconds(NOW - 10 * DAY)
    assert len(EventStore(database).list().items) == 1
    assert [one.rule for one in AnomalyStore(database).list().items] == ["open28", "ended28", "open9"]
    assert [one.id for one in IncidentStore(database).list().items] == ["I-4", "I-3", "I-2"]
    assert [one.id for one in DiagnosisStore(database).list().items] == ["D-2"]
    assert [one.id for one in DiagnosisStore(database).list("pnl").items] == ["D-2"]
    assert len(RunStore(database).of_subject("D-1")) == 1
    assert len(RunStore(database).unfinished()) == 1
    assert len(CycleStore(database).list().items) == 1
    assert len(ChatStore(database).list().items) == 1
    assert [one.dedupe_key for one in OutboxStore(database).list().items] == ["I-4", "I-3", "I-2"]
    assert pruned.rows["sample_chunk"] == 10
    assert Retention(database).prune(NOW, KEEP).rows == {}


@pytest.fixture
def small_journal(database_url: str) -> Iterator[Database]:
    database = Database(database_url, DatabaseSettings(url=database_url, journal_samples=1_000))
    yield database
    database.close()


def test_the_size_is_held_within_a_tenth_of_the_cap(small_journal: Database) -> None:
    days_of_samples(small_journal, 30, 720, series=10)
    retention = Retention(small_journal)
    cap = retention.size() * 0.6
    pruned = retention.prune(NOW, RetentionPolicy(max_size_mb=cap / 1e6))
    assert cap * 0.9 <= pruned.size_after <= cap
    times, _values = SampleStore(small_journal).read(1, NOW - 99 * DAY, NOW)
    assert times[-1] >= to_microseconds(NOW - timedelta(hours=1)), "the oldest days go first"


def test_a_file_gets_smaller_when_data_goes(small_journal: Database) -> None:
    days_of_samples(small_journal, 30, 720, series=5)
    if small_journal.path is None:
        pytest.skip("PostgreSQL keeps the space for new rows")
    small_journal.close()
    before = small_journal.path.stat().st_size
    Retention(small_journal).prune(NOW, KEEP)
    small_journal.close()
    assert small_journal.path.stat().st_size < before * 0.7


def test_ingest_goes_on_while_pruning(database: Database) -> None:
    days_of_samples(database, 30, 48, series=20)
    store = SampleStore(database)
    known = Series(0, SeriesKey.of("live"))
    done = threading.Event()
    stored: list[int] = []

    def ingest() -> None:
        while not done.is_set():
            n = len(stored)
            store.append(SampleBatch.of([(known, NOW + timedelta(seconds=n), float(n))]))
            stored.append(n)

    thread = threading.Thread(target=ingest, daemon=True)
    thread.start()
    try:
        Retention(database).prune(NOW, KEEP)
    finally:
        done.set()
        thread.join(10)
    series_id = store.window(300, NOW, NOW + DAY).series[-1].id
    assert store.read(series_id, NOW, NOW + DAY)[1].tolist() == [float(n) for n in stored]
