"""Cycle time by step, CPU and peak memory, beside one pass of numpy over the same window.

    uv run python benchmarks/cycle.py [--series 100 1000 10000] [--points 288] [--cycles 5]

Each size runs in a process of its own: a real service over a new SQLite file, without sources. The first
cycle loads, learns and judges the whole window; the following ones get one new point per series, through the
same durable ingest as a push.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from domain.series import SampleBatch, Series, SeriesKey
from domain.timestamps import to_microseconds
from service.settings import settings_from
from service.wiring import build_service

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--points", type=int, default=288)
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only is not None:
        print(json.dumps(measure(options.only, options.points, options.cycles)))
        return
    rows = [in_own_process(n, options.points, options.cycles) for n in options.series]
    print_table(rows)


def in_own_process(n_series: int, points: int, cycles: int) -> dict[str, Any]:
    command = [
        sys.executable,
        __file__,
        "--only",
        str(n_series),
        "--points",
        str(points),
        "--cycles",
        str(cycles),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(n_series: int, points: int, cycles: int) -> dict[str, Any]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    now = [START + points * STEP]
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_from({"database": {"url": f"sqlite:///{Path(folder) / 'analyst.db'}"}})
        service = build_service(settings, clock=lambda: now[0])
        try:
            rng = np.random.default_rng(0)
            parts = service.parts
            fill(parts.stores.samples, n_series, points, rng)
            parts.windows.load(now[0])
            parts.investigations.start()
            cold = one_cycle(parts, now[0])
            steady = []
            for _ in range(cycles):
                now[0] += STEP
                pushed = push(parts.stores.samples, n_series, now[0], rng)
                steady.append({**one_cycle(parts, now[0]), "push": pushed})
            baseline = one_pass(n_series, points)
        finally:
            service.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"series": n_series, "cold": cold, "steady": steady, "numpy_ms": baseline, "peak_mb": peak}


def series_of(n_series: int) -> tuple[Any, ...]:
    metrics = ("pnl", "order_ack_latency_ms", "spread_bps", "volume_usd", "cpu_percent")
    return tuple(
        Series(0, SeriesKey.of(metrics[i % 5], {"strategy": f"s{i // 5}", "venue": f"v{i % 7}"}))
        for i in range(n_series)
    )


def fill(samples: Any, n_series: int, points: int, rng: np.random.Generator) -> None:
    """The window's history in batches of 200,000 samples."""
    per_batch = max(1, 200_000 // n_series)
    for first in range(0, points, per_batch):
        append(
            samples, n_series, [START + i * STEP for i in range(first, min(first + per_batch, points))], rng
        )
    samples.compact(START)


def append(samples: Any, n_series: int, times: list[datetime], rng: np.random.Generator) -> None:
    micros = np.repeat([to_microseconds(time) for time in times], n_series).astype(np.int64)
    index = np.tile(np.arange(n_series), len(times))
    values = 100.0 + rng.standard_normal(len(micros))
    samples.append(SampleBatch(series_of(n_series), index, micros, values))


def push(samples: Any, n_series: int, at: datetime, rng: np.random.Generator) -> float:
    began = time.perf_counter()
    append(samples, n_series, [at], rng)
    return (time.perf_counter() - began) * 1000


def one_cycle(parts: Any, now: datetime) -> dict[str, float]:
    cycle = parts.claim(now)
    wall, cpu = time.perf_counter(), time.process_time()
    done = parts.pipeline.run_cycle(cycle, now)
    if done.status != "done":
        raise SystemExit(f"the cycle failed: {done.error}")
    spent = {step.name: step.ms for step in done.steps}
    return {
        **spent,
        "wall": (time.perf_counter() - wall) * 1000,
        "cpu": (time.process_time() - cpu) * 1000,
        "found": done.anomalies,
    }


def one_pass(n_series: int, points: int) -> float:
    """Best of five: numpy reads every value of such a window once."""
    window = np.random.default_rng(0).standard_normal((n_series, points))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        np.add.reduce(window, axis=None)
        best = min(best, (time.perf_counter() - began) * 1000)
    return best


def print_table(rows: list[dict[str, Any]]) -> None:
    steps = ("collect", "window", "detect", "store", "diagnose")
    head = ["series", "cycle", "push", *steps, "wall ms", "cpu ms", "numpy once ms", "ratio", "peak MB"]
    print(" | ".join(f"{name:>13}" for name in head))
    for row in rows:
        steady = {key: float(np.median([one[key] for one in row["steady"]])) for key in row["steady"][0]}
        for name, cycle in (("first", row["cold"]), ("next", steady)):
            cells = [row["series"], name, cycle.get("push", 0.0), *(cycle[step] for step in steps)]
            cells += [
                cycle["wall"],
                cycle["cpu"],
                row["numpy_ms"],
                cycle["wall"] / row["numpy_ms"],
                row["peak_mb"],
            ]
            print(
                " | ".join(
                    f"{cell:>13}" if isinstance(cell, (int, str)) else f"{cell:>13.1f}" for cell in cells
                )
            )


if __name__ == "__main__":
    main()
