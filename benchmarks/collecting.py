"""How fast data come in: pushed samples, exporters, CSV files and log files; prints a table.

Usage: collecting.py [--scale N] [LOG.csv...]; labelled logs (columns Content and EventId) are mined as well,
and the share of lines is printed whose group of equal templates is exactly the labelled one.
"""

import argparse
import csv
import json
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.random import default_rng

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.drain import TemplateMiner
from collectors.http import Answer
from collectors.ingest import parse_samples
from collectors.openmetrics import OpenMetricsCollector
from collectors.settings import CsvSource, OpenMetricsSource
from collectors.settings_logs import LogSource

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Exporter:
    """Stands where HTTP would: measures the reading of the text alone."""

    def __init__(self, body: bytes) -> None:
        self.answer = Answer(200, "text/plain", body)

    def get(self, **_: object) -> Answer:
        return self.answer


def timed(name: str, unit: str, work: Callable[[], int]) -> None:
    began = time.process_time()
    count = work()
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    rate = f"{count / seconds:>12,.0f} per CPU s"
    print(f"{name:34} {count:>10,} {unit:8} {seconds:7.2f} CPU s {rate} {peak:5} MB peak", flush=True)


def push(scale: int) -> Callable[[], int]:
    samples = [
        {
            "metric": "pnl",
            "labels": {"strategy": f"s{k % 500}", "venue": "bybit"},
            "timestamp": f"2026-02-28T{k // 3600 % 24:02}:{k // 60 % 60:02}:{k % 60:02}Z",
            "value": k / 7,
        }
        for k in range(200)
    ]
    body = json.dumps({"samples": samples}).encode()
    return lambda: sum(len(parse_samples(body, NOW).batch) for _ in range(250 * scale))


def exporter(scale: int) -> Callable[[], int]:
    lines = [f'x_total{{host="h{k % 100}",path="/p{k}"}} {k}.5\n' for k in range(20_000 * scale)]
    settings = OpenMetricsSource(kind="openmetrics", name="x", url="http://x/", max_series=1_000_000)
    collector = OpenMetricsCollector(settings, Exporter("".join(lines).encode()))  # type: ignore[arg-type]
    return lambda: len(collector.collect(Position(), NOW).samples)


def drain_all(settings: CsvSource | LogSource) -> list[Collected]:
    collector = build_collector(settings, {})
    pages = [collector.collect(Position(), NOW)]
    while pages[-1].more:
        pages.append(collector.collect(pages[-1].position, NOW))
    return pages


def csv_files(folder: Path, scale: int) -> Callable[[], int]:
    rng = default_rng(1)
    rows = 4_032 * scale
    table = rng.normal(size=(rows, 100))
    names = ",".join(f'"x{{i=""{k}""}}"' for k in range(100))
    with (folder / "wide.csv").open("w", encoding="utf-8") as file:
        file.write(f"timestamp,{names}\n")
        for k, row in enumerate(table):
            at = NOW - timedelta(minutes=rows - k)
            file.write(f"{at:%Y-%m-%dT%H:%M:%SZ},{','.join(map(repr, row.tolist()))}\n")
    settings = CsvSource(kind="csv", name="x", paths=(str(folder / "*.csv"),))
    return lambda: sum(len(page.samples) for page in drain_all(settings))


def log_file(folder: Path, scale: int) -> tuple[int, LogSource]:
    rng = default_rng(2)
    shapes = (
        "order {} acknowledged in {} ms",
        "sequence gap on {}, {} updates",
        "fill {} {} USD",
        "retry {} of {}",
    )
    count = 200_000 * scale
    picks, numbers = rng.integers(0, len(shapes), count), rng.integers(0, 10**6, (count, 2))
    offsets = np.sort(rng.uniform(0, 86_400, count))
    with (folder / "desk.log").open("w", encoding="utf-8") as file:
        for pick, pair, offset in zip(picks, numbers, offsets, strict=True):
            at = NOW - timedelta(days=1) + timedelta(seconds=float(offset))
            level = "WARN" if pick == 1 else "INFO"
            text = shapes[pick].format(*pair)
            file.write(f"{at:%Y-%m-%dT%H:%M:%S}.000Z {level} gateway:v{pair[0] % 5} {text}\n")
    return count, LogSource(kind="logs", name="x", paths=(str(folder / "*.log"),))


def mine(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["Content"], row["EventId"]) for row in csv.DictReader(file)]
    found: list[int] = []
    miner = TemplateMiner()

    def work() -> int:
        found.extend(miner.add(content)[0].id for content, _ in rows)
        return len(rows)

    timed(path.name.split(".")[0], "lines", work)
    groups: dict[int, set[int]] = defaultdict(set)
    truth: dict[str, set[int]] = defaultdict(set)
    for line, (template, (_, event)) in enumerate(zip(found, rows, strict=True)):
        groups[template].add(line)
        truth[event].add(line)
    right = sum(len(lines) for lines in truth.values() if lines in groups.values())
    share = right / len(rows)
    print(f"  {len(groups)} templates of {len(truth)} labelled ones, grouping accuracy {share:.3f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scale", type=int, default=1)
    arguments.add_argument("logs", nargs="*", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed("push, 200 samples per request", "samples", push(given.scale))
        timed("exporter, Prometheus text", "samples", exporter(given.scale))
        timed("CSV, 100 columns", "samples", csv_files(folder, given.scale))
        count, settings = log_file(folder, given.scale)
        timed("log file, counted and mined", "lines", lambda: count if drain_all(settings) else 0)
    for path in given.logs:
        mine(path)


if __name__ == "__main__":
    main()
