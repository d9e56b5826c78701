"""How long dropped fills take: the first read of a folder, an appended file, a late fill; prints a table.

Usage: fills.py [--fills N] [--books N]
"""

import argparse
import csv
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from numpy.random import default_rng

from collectors.build import build_collector
from collectors.collector import Collected, Collector, Position
from collectors.fills.settings import FillsSource

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("id", "timestamp", "strategy", "venue", "symbol", "side", "amount", "price", "fee", "mid")


def rows(first: int, count: int, hours: float, books: int) -> list[tuple[object, ...]]:
    """Fills of the last hours, in the order of time."""
    rng = default_rng(first)
    seconds = sorted(rng.uniform(0, hours * 3_600, count), reverse=True)
    prices = 100 + rng.normal(0, 1, count).cumsum() / 100
    return [
        (
            first + k,
            (NOW - timedelta(seconds=float(seconds[k]))).isoformat(),
            f"s{k % 5}",
            "bybit",
            f"C{k % books}/USDT:USDT",
            "buy" if rng.random() < 0.5 else "sell",
            1,
            round(float(prices[k]), 4),
            0.01,
            round(float(prices[k]) + 0.005, 4),
        )
        for k in range(count)
    ]


def timed(name: str, collector: Collector, since: Position, now: datetime) -> Position:
    wall, cpu = time.perf_counter(), time.process_time()
    page: Collected = collector.collect(since, now)
    samples = len(page.samples)
    while page.more:
        page = collector.collect(page.position, now)
        samples += len(page.samples)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name:42} {samples:>8,} samples {wall:6.2f} s {cpu:6.2f} CPU s {peak:5} MB peak", flush=True)
    return page.position


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=100_000)
    parser.add_argument("--books", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "fills.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([NAMES, *rows(0, arguments.fills, 47, arguments.books)])
        settings = FillsSource(kind="fills", name="fills", paths=(f"{name}/*.csv",), step_seconds=300)
        collector = build_collector(settings, {})
        position = timed(f"first read of {arguments.fills:,} fills", collector, Position(), NOW)
        later = NOW + timedelta(minutes=5)
        position = timed("a cycle without news", collector, position, later)
        with path.open("a", newline="") as file:
            csv.writer(file).writerows(rows(arguments.fills, 100, 0.1, arguments.books))
        later += timedelta(minutes=5)
        position = timed("a cycle with 100 appended fills", collector, position, later)
        with path.open("a", newline="") as file:
            csv.writer(file).writerows(rows(arguments.fills + 100, 1, 40, arguments.books))
        timed("a cycle with a fill that came hours late", collector, position, later + timedelta(minutes=5))


if __name__ == "__main__":
    main()
