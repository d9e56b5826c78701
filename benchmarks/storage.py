"""How fast samples are stored and windows are read, beside what the machine can do at best.

Run with `python benchmarks/storage.py [--postgres] [--series 10000] [--days 2] [--seconds 10]`.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from db.anomalies import AnomalyFilter, AnomalyStore
from db.database import Database
from db.detections import CycleWriter
from db.samples import SampleStore
from domain.anomaly import SEVERITIES, Anomaly
from domain.series import SampleBatch, Series, SeriesKey
from domain.timestamps import from_microseconds, to_microseconds

STEP = 300
MICROS = STEP * 1_000_000
START = to_microseconds(datetime(2026, 3, 1, tzinfo=UTC))


def measured(work: Callable[[], object], repeat: int = 5) -> tuple[float, float]:
    """Best wall and CPU seconds of some repetitions."""
    walls, cpus = [], []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


@contextmanager
def databases(*, postgres: bool) -> Iterator[dict[str, str]]:
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from postgres_server import find_binaries, running  # noqa: PLC0415 - the tests' launcher

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {"SQLite": f"sqlite:///{folder}/bench.db"}
        binaries = find_binaries() if postgres else None
        if binaries is not None:
            urls["PostgreSQL"] = stack.enter_context(running(binaries, durable=True)).url()
        yield urls


def all_series(n: int) -> tuple[Series, ...]:
    return tuple(Series(0, SeriesKey.of(f"metric_{i % 20}", {"n": str(i)}), step_s=STEP) for i in range(n))


def fill(store: SampleStore, known: tuple[Series, ...], steps: int) -> float:
    """Store `steps` samples of each series in order of time; samples per second of ingest."""
    rng = np.random.default_rng(0)
    n, spent = len(known), 0.0
    for first in range(0, steps, 24):
        columns = np.arange(first, min(first + 24, steps))
        batch = SampleBatch(
            known,
            np.tile(np.arange(n), len(columns)),
            np.repeat(START + columns * MICROS, n),
            rng.normal(size=n * len(columns)),
        )
        began = time.perf_counter()
        store.append(batch)
        spent += time.perf_counter() - began
        if store.pending() > 2_000_000:
            store.compact(datetime.now(UTC))
    store.compact(datetime.now(UTC))
    return n * steps / spent


def fsync_ms(folder: Path) -> float:
    """What one durable write of 5 kB costs at least."""
    with (folder / "probe").open("wb") as file:

        def write() -> None:
            file.write(b"x" * 5_000)
            file.flush()
            os.fsync(file.fileno())

        return float(np.median([measured(write, 1)[0] for _ in range(50)])) * 1e3


def paced_ingest(store: SampleStore, known: tuple[Series, ...], rate: int, seconds: float) -> tuple[str, ...]:
    """Requests of 200 samples at a fixed rate from 8 threads; latency counts from when each was due."""
    due_every, late = 200 / rate, list[float]()
    total = int(seconds / due_every)
    next_number = iter(range(total))
    guard = threading.Lock()
    base = START + 10_000 * MICROS
    began = time.perf_counter() + 0.2

    def client() -> None:
        while True:
            with guard:
                n = next(next_number, None)
            if n is None:
                return
            due = began + n * due_every
            time.sleep(max(0.0, due - time.perf_counter()))
            rows = (n * 200 + np.arange(200)) % len(known)
            chosen = tuple(known[i] for i in rows)
            times = np.full(200, base + n * 40_000)
            store.append(SampleBatch(chosen, np.arange(200), times, np.ones(200)))
            late.append(time.perf_counter() - due)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = np.percentile(late, [50, 99]) * 1e3
    return f"{p50:.1f} / {p99:.1f}", f"{total * 200 / (time.perf_counter() - began):,.0f}"


def anomalies(n: int) -> Iterator[Anomaly]:
    rng = np.random.default_rng(1)
    for i in range(n):
        at = from_microseconds(START + i * 7_000_000)
        yield Anomaly(
            timestamp=at,
            detected_at=at,
            anomaly_type="drawdown" if i % 50 == 0 else "level_shift",
            severity=SEVERITIES[int(rng.integers(4))],
            confidence=0.9,
            rule=f"rule_{i % 30}",
            method="combined",
            score=float(rng.exponential()),
            direction="up",
            affected_metrics=(f'metric_{i % 20}{{n="{i % 1000}"}}',),
            status="resolved",
            ended_at=at,
        )


def list_times(database: Database, n: int) -> str:
    """p50 / p95 of lists with changing filters over n anomalies, in ms."""
    found = list(anomalies(n))
    for i in range(0, n, 5_000):
        CycleWriter(database).save_detections(
            found[i : i + 5_000], datetime.now(UTC), lambda *_: [], lambda *_: []
        )
    store, rng, spent = AnomalyStore(database), np.random.default_rng(2), list[float]()
    for i in range(200):
        start = from_microseconds(START + int(rng.integers(n)) * 7_000_000)
        filters = (
            AnomalyFilter(start=start),
            AnomalyFilter(end=start, min_severity="high"),
            AnomalyFilter(anomaly_type="drawdown", metric="metric_0"),
            AnomalyFilter(metric=f'metric_7{{n="{7 + 20 * (i % 50)}"}}'),
            AnomalyFilter(status="open"),
        )
        began = time.perf_counter()
        store.list(filters[i % len(filters)])
        spent.append(time.perf_counter() - began)
    p50, p95 = np.percentile(spent, [50, 95]) * 1e3
    return f"{p50:.1f} / {p95:.1f}"


def one_database(url: str, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    database = Database(url)
    database.upgrade()
    store, known = SampleStore(database), all_series(options.series)
    yield from read_rows(database, store, known, options)
    yield from ingest_rows(url, store, known, options)
    yield "list p50 / p95 of 100,000 anomalies", f"{list_times(database, 100_000)} ms"
    database.close()


def read_rows(
    database: Database, store: SampleStore, known: tuple[Series, ...], options: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    n, steps = options.series, options.days * 288
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "a.npy", np.random.default_rng(0).normal(size=(n, 288)))
        floor, _cpu = measured(lambda: np.load(Path(folder) / "a.npy").sum())
        yield "one durable write of 5 kB", f"{fsync_ms(Path(folder)):.2f} ms"
    yield f"numpy reads one array {n} x 288", f"{floor * 1e3:.0f} ms", "1.0"
    yield "ingest in bulk", f"{fill(store, known, steps):,.0f} samples/s"
    if database.path is not None:
        yield "bytes per sample in the file", f"{database.path.stat().st_size / (n * steps):.1f}"
    end = from_microseconds(START + steps * MICROS)
    wall, cpu = measured(lambda: store.window(STEP, end - timedelta(days=1), end))
    yield f"window of {n} x 288", f"{wall * 1e3:.0f} ms ({cpu * 1e3:.0f} CPU)", f"{wall / floor:.0f}"
    wall, _cpu = measured(lambda: list(store.history(STEP, end - timedelta(days=options.days), end)))
    yield f"history of {n} x {steps} in blocks", f"{wall * 1e3:.0f} ms"
    wall, _cpu = measured(lambda: store.read(n // 2, end - timedelta(hours=1), end))
    yield f"one hour of one series among {n * steps / 1e6:.1f} M", f"{wall * 1e3:.1f} ms"


def ingest_rows(
    url: str, store: SampleStore, known: tuple[Series, ...], options: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    next_step = np.full(len(known), START + options.days * 288 * MICROS)
    fresh = SampleBatch(known, np.arange(len(known)), next_step, np.ones(len(known)))
    wall, _cpu = measured(lambda: store.append(fresh), 1)
    yield "ingest of one step of all series", f"{wall * 1e3:.0f} ms"
    wall, cpu = measured(lambda: store.compact(datetime.now(UTC)), 1)
    yield "compaction of that step", f"{wall * 1e3:.0f} ms ({cpu * 1e3:.0f} CPU)"
    for rate in (5_000, 20_000):
        spread, reached = paced_ingest(store, known, rate, options.seconds)
        yield f"p50 / p99 at {rate:,}/s in 200s", f"{spread} ms ({reached}/s)"
        with compacting(store):
            spread, reached = paced_ingest(store, known, rate, options.seconds)
        yield "  the same while compaction never rests", f"{spread} ms ({reached}/s)"
    waiting = store.pending()
    wall, _cpu = measured(lambda: SampleStore(Database(url)).append(fresh), 1)
    yield f"first write of a new process, {waiting:,} samples waiting", f"{wall * 1e3:.0f} ms"


@contextmanager
def compacting(store: SampleStore) -> Iterator[None]:
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            store.compact(datetime.now(UTC))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    done.set()
    thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with databases(postgres=options.postgres) as urls:
        for name, url in urls.items():
            table = Table("measured", "value", "ratio to numpy", title=f"Storage on {name}")
            for row in one_database(url, options):
                table.add_row(*row)
            Console().print(table)


if __name__ == "__main__":
    main()
