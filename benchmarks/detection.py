"""Quality and speed of detection, one row per figure, each beside its baseline, its aim and chance.

    uv run python benchmarks/detection.py noise desk speed
    uv run python benchmarks/detection.py data --data FOLDER --scorer FILE [--scores FOLDER]

`--data` holds `labels.json` and the CSV files it names, in one folder per corpus (`nab`, `asd`, `smd`).
`--scorer` is a Python file with `load`, `vus_pr`, `nab_score`, `at_budget`, `operate` and `refractory`.
`--scores` reuses what `analyst detect` wrote earlier. Chance = a random number per row, or as many alarms at
random rows.
"""

import argparse
import copy
import csv
import gzip
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from detectors.alarms import Alarms
from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.monitor import Monitor
from detectors.seasonal import Moment
from detectors.settings import DetectionSettings
from detectors.table import TableScores, score_tables
from domain.series import FloatArray, Series, SeriesKey, Window
from evaluation.desk import DeskTable, simulate_desk
from evaluation.metrics import Record, alert_starts, operate, random_control

ONE_THREAD = "OPENBLAS_NUM_THREADS"
BUDGET = 0.33
DAY = 288
START = datetime(2026, 3, 2, tzinfo=UTC)
METRICS = (
    "pnl",
    "price",
    "feed_latency_ms",
    "cpu_percent",
    "spread_bps",
    "volume_usd",
    "orders",
    "log_lines",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=["data", "desk", "noise", "speed"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--tables", type=int, default=12, help="simulated desk tables")
    parser.add_argument("--seed", type=int, default=1_000, help="first seed of the simulated tables")
    parser.add_argument("--series", type=int, default=10_000, help="series of noise per kind")
    parser.add_argument("--days", type=int, default=10, help="days of noise")
    options = parser.parse_args()
    print(f"{'row':<4}{'figure':<62}{'here':>9}{'chance':>9}{'baseline':>15}{'aim':>15}")
    for part in options.parts:
        for line in {"data": data, "desk": desk, "noise": noise, "speed": speed}[part](options):
            print(line, flush=True)


def row(number: str, figure: str, here: float, chance: float | None, baseline: str, aim: str) -> str:
    cell = "" if chance is None else f"{chance:.3f}"
    return f"{number:<4}{figure:<62}{here:>9.3f}{cell:>9}{baseline:>15}{aim:>15}"


def scorer_of(path: Path | None) -> Any:
    if path is None:
        sys.exit("--scorer FILE is needed for this part")
    spec = importlib.util.spec_from_file_location("detection_scorer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def data(options: argparse.Namespace) -> Iterator[str]:
    """Rows 1 to 4 and 6 to 9 on labelled files."""
    scorer = scorer_of(options.scorer)
    with tempfile.TemporaryDirectory() as folder:
        scores = options.scores or Path(folder)
        if options.scores is None:
            write_scores(options.data, scores)
        labels = str(options.data / "labels.json")
        corpora = {
            name: scorer.load(labels, str(scores), prefix=f"{name}/") for name in ("nab", "asd", "smd")
        }
        flags = {
            name: scorer.load(labels, str(scores), "is_anomaly", prefix=f"{name}/")
            for name in ("nab", "asd", "smd")
        }
        yield from nab_rows(scorer, corpora["nab"])
        yield from server_rows(scorer, corpora)
        yield from budget_rows(flags)
        yield from blame_rows(scorer, corpora, json.loads((options.data / "labels.json").read_text()), scores)


def write_scores(data_folder: Path, out: Path) -> None:
    from service.commands.detect import detect  # noqa: PLC0415

    detect([data_folder], out=out, config=None, alarm_budget=None, timezone=None)


def held(scorer: Any, series: Sequence[Any], chance: bool = False) -> list[Any]:
    """The same series with scores after a refractory of 48 rows; `chance` replaces them by random ones."""
    rng = np.random.default_rng(0)
    found = []
    for one in series:
        twin = copy.copy(one)
        score = rng.random(one.n) if chance else one.score
        twin.score = scorer.refractory(score, 48)
        found.append(twin)
    return found


def ranking(scorer: Any, series: Sequence[Any], chance: bool = False) -> float:
    rng = np.random.default_rng(0)
    values = []
    for one in series:
        score = rng.random(one.n) if chance else one.score
        labels = one.labels()[one.probation :]
        if labels.any():
            values.append(scorer.vus_pr(labels, score[one.probation :], one.vus_window))
    return float(np.mean(values))


def nab_rows(scorer: Any, series: Sequence[Any]) -> Iterator[str]:
    here = scorer.nab_score(held(scorer, series))
    chance = scorer.nab_score(held(scorer, series, chance=True))
    figure = f"NAB standard, this half, optimised threshold ({here['threshold']:.3f})"
    yield row("2", figure, here["score"], chance["score"], "range 57.9", "66, > 74.9")
    half = held(scorer, series)
    for first, second, name in (
        (half[::2], half[1::2], "even -> odd"),
        (half[1::2], half[::2], "odd -> even"),
    ):
        threshold = scorer.nab_score(first)["threshold"]
        found = scorer.nab_score(second, threshold=threshold)["score"]
        yield row(
            "1", f"NAB standard, threshold fixed on other files ({name})", found, None, "54.2", "62, 72"
        )


def server_rows(scorer: Any, corpora: dict[str, list[Any]]) -> Iterator[str]:
    aims = {
        "asd": ("3", "application servers", "70 %, >= .50", ".60, .45"),
        "smd": ("4", "server machines", ".85, >= .75", ".79, .59"),
    }
    for name, (number, title, aim, base) in aims.items():
        found = scorer.at_budget(held(scorer, corpora[name]), BUDGET)
        control = scorer.at_budget(held(scorer, corpora[name], chance=True), BUDGET)
        for key, label in (("event_recall", "event recall at .33"), ("alert_precision", "precision at .33")):
            yield row(number, f"{title}: {label}", found[key], control[key], base, aim)
        vus = ranking(scorer, corpora[name])
        control_vus = ranking(scorer, corpora[name], chance=True)
        yield row(number, f"{title}: VUS-PR", vus, control_vus, ".41 / .59", ".45 / .58")
        yield row(
            "8", f"{title}: median delay, minutes", found["median_delay_min"], None, "15 to 25", "<= 15"
        )


def budget_rows(flags: dict[str, list[Any]]) -> Iterator[str]:
    for name, series in flags.items():
        records = [
            Record(
                alert_starts(one.score >= 0.5), tuple(one.windows), one.probation, one.n, float(one.cadence_s)
            )
            for one in series
        ]
        yield from operation_rows(name, records, ".59" if name != "nab" else "-", ".62")


def operation_rows(name: str, records: Sequence[Record], base: str, aim: str) -> Iterator[str]:
    found, control = operate(records), random_control(records, 0)
    rows: tuple[tuple[str, str, str, str, str], ...] = (
        ("6", "label-free alarms a day, mean", "alarms_per_day", ".16 to 15", ".16 to .66"),
        ("6", "label-free alarms a day, worst series", "worst_alarms_per_day", ".3 to 93", "<= 2"),
        ("7", "recall at that label-free budget", "event_recall", base, aim),
        ("7", "precision there", "alert_precision", "-", "-"),
    )
    for number, figure, key, baseline, goal in rows:
        chance = getattr(control, key)
        yield row(number, f"{name}: {figure}", getattr(found, key), chance, baseline, goal)


def top_columns(path: Path) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as stream:
        return [line["top_series"] for line in csv.DictReader(stream)]


def blame_rows(
    scorer: Any, corpora: dict[str, list[Any]], labels: dict[str, Any], scores: Path
) -> Iterator[str]:
    """Row 9: of the events found at the budget, how often the first alert names a labelled column."""
    right = total = 0
    chance = []
    for name in ("asd", "smd"):
        series = held(scorer, corpora[name])
        threshold = scorer.at_budget(series, BUDGET)["threshold"]
        for one in series:
            known = labels["series"][one.name]
            top = top_columns(scores / (one.name.removesuffix(".gz").removesuffix(".csv") + ".scores.csv"))
            width = len(known["columns"]) if isinstance(known["columns"], list) else int(known["columns"])
            for (first, last), dims in zip(known["windows"], known["dims"], strict=True):
                hits = np.flatnonzero(one.score[first : last + 1] >= threshold)
                if len(hits):
                    total += 1
                    right += int(top[first + int(hits[0])].lstrip("m")) in dims
                    chance.append(len(dims) / width)
    yield row(
        "9", "servers: column to blame first", right / max(total, 1), float(np.mean(chance)), ".78", ".80"
    )


def desk(options: argparse.Namespace) -> Iterator[str]:
    """Rows 5, 6, 7 and 9 on simulated tables."""
    scorer = scorer_of(options.scorer)
    tables = [simulate_desk(options.seed + i) for i in range(options.tables)]
    wanted = [(table.timestamps, table.values) for table in tables]
    scores = dict(score_tables(wanted, DetectionSettings(alarm_budget=BUDGET)))
    series = [as_series(scorer, table, scores[i], f"desk-{i}") for i, table in enumerate(tables)]
    records = [record_of(table, scores[i]) for i, table in enumerate(tables)]
    tops = [scores[i].column.tolist() for i in range(len(tables))]
    silent = held(scorer, series)
    found = scorer.at_budget(silent, BUDGET)
    control = scorer.at_budget(held(scorer, series, chance=True), BUDGET)
    yield row("5", "desk: event recall at .33", found["event_recall"], control["event_recall"], ".42", ".72")
    vus, control_vus = ranking(scorer, series), ranking(scorer, series, chance=True)
    yield row("5", "desk: VUS-PR", vus, control_vus, ".35", ".65")
    precision, chance = found["alert_precision"], control["alert_precision"]
    yield row("5", "desk: precision at .33", precision, chance, ".53", ".75")
    for kind, recall in found["recall_by_kind"].items():
        yield row("5", f"desk: recall of {kind}", recall, None, "-", ".35")
    yield from operation_rows("desk", records, ".31", ".50")
    hits = list(blamed(tables, silent, tops, found["threshold"]))
    width = tables[0].values.shape[1]
    chance_blame = float(np.mean([len(event.columns) / width for table in tables for event in table.events]))
    yield row("9", "desk: column to blame first", float(np.mean(hits)), chance_blame, ".60", ".78")


def as_series(scorer: Any, table: DeskTable, scores: TableScores, name: str) -> Any:
    windows = [(event.first, event.last) for event in table.events]
    kinds = [str(event.kind) for event in table.events]
    return scorer.Series(name, scores.score, windows, table.probation, 300.0, 24, None, kinds)


def record_of(table: DeskTable, scores: TableScores) -> Record:
    windows = tuple((event.first, event.last) for event in table.events)
    return Record(alert_starts(scores.is_anomaly), windows, table.probation, len(scores.score), 300.0)


def blamed(
    tables: Sequence[DeskTable], series: Sequence[Any], tops: Sequence[list[int]], threshold: float
) -> Iterator[bool]:
    for table, one, top in zip(tables, series, tops, strict=True):
        for event in table.events:
            hits = np.flatnonzero(one.score[event.first : event.last + 1] >= threshold)
            if len(hits):
                yield top[event.first + int(hits[0])] in event.columns


def noise(options: argparse.Namespace) -> Iterator[str]:
    """Row 10: alarms per series and day where there is nothing to find."""
    for kind in ("gaussian", "student t3", "ar .9", "seasonal"):
        rate = noise_rate(kind, options.series, options.days)
        yield row(
            "10", f"{kind} noise, {options.series} series: alarms a day", rate, None, "-", ".165 to .66"
        )


def noise_rate(kind: str, n: int, days: int) -> float:
    rng = np.random.default_rng(11)
    monitor, alarms = Monitor(48), Alarms(n, BUDGET, 300.0, 50)
    monitor.grow(n)
    state, phase, raised = rng.normal(size=n), rng.uniform(0.0, 2 * np.pi, n), 0
    with np.errstate(all="ignore"):
        for t in range(days * DAY):
            state = 0.9 * state + rng.normal(size=n)
            x = drawn(kind, rng, state, 2 * np.pi * t / DAY + phase)
            moment = Moment((t % DAY) // 6, (t % 6) / 6, (t // DAY) % 7 >= 5)
            raised += int(alarms.judge(monitor.step(x, moment).strength)[0].sum())
    return raised / (n * days)


def drawn(kind: str, rng: np.random.Generator, state: FloatArray, angle: FloatArray) -> FloatArray:
    if kind == "ar .9":
        return state
    if kind == "student t3":
        return rng.standard_t(3, len(state))
    plain = rng.normal(size=len(state))
    return plain if kind == "gaussian" else 10 + 3 * np.sin(angle) + plain


def speed(_options: argparse.Namespace) -> Iterator[str]:
    """Rows 11 and 12: the newest point of a warm engine with every default rule, and what it keeps.

    In a process without BLAS threads, as the service runs.
    """
    if ONE_THREAD not in os.environ:
        alone = [sys.executable, __file__, "speed"]
        done = subprocess.run(
            alone, check=True, capture_output=True, text=True, env={**os.environ, ONE_THREAD: "1"}
        )
        yield from done.stdout.splitlines()[1:]
        return
    for n, aim in ((100, "5"), (1_000, "25"), (10_000, "250")):
        engine, values, series = warm(n)
        times = []
        for k in range(1, 8):
            window = Window(series, 300, START + k * timedelta(seconds=300), values[:, k : k + DAY])
            started = time.process_time()
            engine.detect(window, DAY - 1, window.end)
            times.append(1_000 * (time.process_time() - started))
        yield row(
            "11", f"{n} series x 288, newest point, median CPU ms", float(np.median(times)), None, "-", aim
        )
    kept = engine.size_bytes() / 1e6 + 10_000 * DAY * 4 / 1e6
    yield row("12", "10,000 series: state and float32 window, MB", kept, None, "11.5", "<= 40")


def warm(n: int) -> tuple[DetectionEngine, FloatArray, tuple[Series, ...]]:
    rng = np.random.default_rng(0)
    values = 100 + rng.normal(size=(n, DAY + 8))
    series = tuple(
        Series(i, SeriesKey.of(METRICS[i % len(METRICS)], {"venue": f"v{i // 50}", "i": str(i)}))
        for i in range(n)
    )
    engine = DetectionEngine(default_rules(), DetectionSettings())
    engine.detect(Window(series, 300, START, values[:, :DAY]), DAY, START)
    return engine, values, series


if __name__ == "__main__":
    main()
