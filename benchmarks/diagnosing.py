"""CPU of one statistical diagnosis, evidence and words included, beside one sorting of the same window.

    uv run python benchmarks/diagnosing.py [--series 100 750] [--points 288] [--runs 15]

The desk is noise with one slow gateway in it. Times are CPU milliseconds of one process: the median and the
95 % quantile of the runs, each over a desk of its own seed.
"""

import argparse
import time
from datetime import UTC, datetime

import numpy as np

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose, to_diagnosis
from agent.topology import discovered_edges
from domain.diagnosis import DiagnosisRequest
from domain.series import FloatArray, Series, SeriesKey, SourceName, Window
from prompts.runbook import load_runbooks

START = datetime(2026, 3, 2, tzinfo=UTC)
METRICS: tuple[tuple[str, SourceName], ...] = (
    ("pnl", "pnl_data"),
    ("orders", "trading_metrics"),
    ("fill_ratio", "trading_metrics"),
    ("slippage_bps", "trading_metrics"),
    ("order_ack_latency_ms", "trading_metrics"),
    ("order_queue_depth", "trading_metrics"),
    ("feed_latency_ms", "market_data"),
    ("spread_bps", "market_data"),
    ("depth_usd", "market_data"),
    ("cpu_percent", "system_metrics"),
)
SLOW = {"order_ack_latency_ms", "order_queue_depth"}
HURT = {"pnl", "fill_ratio"}
LAST = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs="+", default=[100, 750])
    parser.add_argument("--points", type=int, default=288)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    print("series   median ms     p95 ms    sort ms    ratio   cause")
    for n in options.series:
        times, sorts, cause = measured(n, options.points, options.runs)
        middle, usual = float(np.median(times)), float(np.median(sorts))
        worst = float(np.quantile(times, 0.95))
        print(f"{n:6d} {middle:11.1f} {worst:10.1f} {usual:10.2f} {middle / usual:8.0f}   {cause}")


def measured(n: int, points: int, runs: int) -> tuple[list[float], list[float], str]:
    """CPU milliseconds of each diagnosis, of each sorting, and the cause that the last one named."""
    runbooks, cause = load_runbooks(), ""
    times: list[float] = []
    sorts: list[float] = []
    # The first one loads what the others reuse.
    for seed in range(runs + 1):
        case = desk(n, points, seed)
        request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
        began = time.process_time()
        ledger = gather(case, EvidenceSettings())
        found = to_diagnosis(diagnose(Investigation.begin(request, ledger, runbooks)), timestamp=case.end)
        times.append(1_000 * (time.process_time() - began))
        began = time.process_time()
        np.sort(case.window.values, axis=1)
        sorts.append(1_000 * (time.process_time() - began))
        primary = found.primary_hypothesis
        cause = str(found.outcome) if primary is None else f"{primary.cause} @ {primary.component}"
    return times[1:], sorts[1:], cause


def desk(n: int, points: int, seed: int) -> Case:
    """Noise around levels; venue v0 acknowledges late from the last columns on, and its strategies lose."""
    rng = np.random.default_rng(seed)
    series = tuple(one_series(i) for i in range(n))
    levels = rng.uniform(5.0, 50.0, (n, 1))
    values: FloatArray = levels + rng.normal(size=(n, points))
    for i, one in enumerate(series):
        if dict(one.key.labels).get("venue") == "v0" and one.key.metric in SLOW | HURT:
            values[i, -LAST:] += (12.0 if one.key.metric in SLOW else -12.0) + rng.normal(size=LAST)
    window = Window(series, 300, START, values)
    return Case(
        targets=(series[0].name,),
        start=window.time_at(points - LAST),
        end=window.end,
        window=window,
        topology=discovered_edges([one.key for one in series], ()),
    )


def one_series(i: int) -> Series:
    metric, source = METRICS[i % len(METRICS)]
    place = i // len(METRICS)
    labels = {"venue": f"v{place % 5}"}
    if metric in {"pnl", "orders", "fill_ratio", "slippage_bps"}:
        labels["strategy"] = f"s{place}"
    elif metric in {"spread_bps", "depth_usd"}:
        labels["symbol"] = f"c{place}"
    elif metric == "cpu_percent":
        labels = {"host": f"h{place}"}
    else:
        labels["i"] = str(place)
    return Series(i + 1, SeriesKey.of(metric, labels), source)


if __name__ == "__main__":
    main()
