"""`analyst detect`: score CSV files causally, each row from the rows before it alone."""

import csv
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collectors.csv_table import CsvTable
    from detectors.settings import DetectionSettings
    from detectors.table import TableScores
    from domain.series import IntArray

HEADER = ("timestamp", "score", "is_anomaly", "p_value", "method", "top_series")
PARALLEL_BYTES = 1_000_000
MOST_COLUMNS = 500
Job = tuple[Path, Path]
DEFAULT_CONFIG = Path("analyst.toml")
_OVERRIDES = ("ANALYST_DETECTION__", "ANALYST_CONFIG")


def detect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="CSV or CSV.GZ files, or folders.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the scores; next to each input if left out.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    alarm_budget: Annotated[
        float | None, typer.Option("--alarm-budget", help="False alarms per series and day.")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", help="Zone of times without an offset and of the daily pattern."),
    ] = None,
) -> None:
    """Score every row of CSV files from the rows before it; writes NAME.scores.csv for each file."""
    from domain.errors import AnalystError  # noqa: PLC0415

    try:
        settings = settings_for(config, alarm_budget, timezone)
        jobs = _jobs(paths, out)
        _run(jobs, settings)
    except AnalystError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{error.filename or out}: {error.strerror or error}")


def _refuse(reason: str) -> NoReturn:
    print(" ".join(reason.split()), file=sys.stderr)
    raise typer.Exit(2)


def settings_for(
    config: Path | None, alarm_budget: float | None, timezone: str | None
) -> "DetectionSettings":
    from detectors.settings import DetectionSettings  # noqa: PLC0415 - `--help` must not pay for numpy
    from domain.errors import InvalidInput  # noqa: PLC0415

    settings = DetectionSettings()
    overridden = any(name.upper().startswith(_OVERRIDES) for name in os.environ)
    if config is not None or overridden or DEFAULT_CONFIG.is_file():
        from service.settings import load_settings  # noqa: PLC0415 - imports every room

        settings = load_settings(config).detection
    if alarm_budget is not None:
        if not (math.isfinite(alarm_budget) and 0 < alarm_budget <= 1_000):
            raise InvalidInput("--alarm-budget", "must be above 0 and at most 1000")
        settings = settings.model_copy(update={"alarm_budget": alarm_budget})
    if timezone is not None:
        settings = settings.model_copy(update={"timezone": timezone})
    _zone(settings.timezone)
    return settings


def _zone(name: str) -> None:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from domain.errors import InvalidInput  # noqa: PLC0415

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput("--timezone", f"no zone is called {name!r}") from None


def _jobs(paths: Sequence[Path], out: Path | None) -> list[Job]:
    """Pairs of a file to read and a file to write."""
    from collectors.csv_table import OUTPUT_SUFFIX, find_tables  # noqa: PLC0415
    from domain.errors import InvalidInput  # noqa: PLC0415

    jobs: dict[Path, Path] = {}
    for source, relative in find_tables(paths):
        place = source if out is None else out / relative
        stem = place.name.removesuffix(".gz").removesuffix(".csv")
        target = place.with_name(stem + OUTPUT_SUFFIX)
        if target in jobs and jobs[target] != source:
            raise InvalidInput(str(source), f"would be written to the same file as {jobs[target]}")
        jobs[target] = source
    return [(source, target) for target, source in jobs.items()]


def _run(jobs: Sequence[Job], settings: "DetectionSettings") -> None:
    """Score the files, in several processes where that pays; the largest ones are shared out first."""
    started = time.monotonic()
    ordered = sorted(jobs, key=lambda job: -job[0].stat().st_size)
    workers = min(os.cpu_count() or 1, len(ordered))
    if workers < 2 or sum(source.stat().st_size for source, _ in ordered) < PARALLEL_BYTES:
        totals = [score_files(ordered, settings)]
    else:
        totals = _in_processes([ordered[i::workers] for i in range(workers)], settings)
    rows, alarms = (sum(one[k] for one in totals) for k in (0, 1))
    _say(f"{len(jobs)} files, {rows} rows, {alarms} alarms, {time.monotonic() - started:.1f} s")


def _in_processes(groups: Sequence[Sequence[Job]], settings: "DetectionSettings") -> list[tuple[int, int]]:
    with ProcessPoolExecutor(len(groups), mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_score_or_say, group, settings) for group in groups]
        results = [one.result() for one in waiting]
    reasons = [one for one in results if isinstance(one, str)]
    if reasons:
        _refuse(reasons[0])
    return [one for one in results if not isinstance(one, str)]


def _score_or_say(group: Sequence[Job], settings: "DetectionSettings") -> tuple[int, int] | str:
    """Score files in a worker; errors come back as text, for they would not survive the journey."""
    from domain.errors import AnalystError  # noqa: PLC0415

    try:
        return score_files(group, settings)
    except AnalystError as error:
        return str(error)


def score_files(group: Sequence[Job], settings: "DetectionSettings") -> tuple[int, int]:
    """Read tables, score them side by side and write the scores beside the inputs' times.

    Returns:
        Rows and alarms of all files.
    """
    started = time.monotonic()
    rows = alarms = 0
    read = [_read(source, settings) for source, _ in group]
    for i, scores in score_all(read, settings):
        (source, target), table = group[i], read[i]
        raised = len(_alarm_rows(scores))
        _write(target, table, scores)
        rows, alarms = rows + len(table.texts), alarms + raised
        size = f"{len(table.texts)} rows, {len(table.columns)} series"
        _say(f"{source}: {size}, {raised} alarms, {time.monotonic() - started:.1f} s")
    return rows, alarms


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _alarm_rows(scores: "TableScores") -> "IntArray":
    from evaluation.metrics import alert_starts  # noqa: PLC0415

    return alert_starts(scores.is_anomaly)


def _bundles(widths: Sequence[int]) -> list[list[int]]:
    """Positions of tables that advance together, at most about 500 columns at a time."""
    bundles: list[list[int]] = [[]]
    columns = 0
    for i, width in enumerate(widths):
        if bundles[-1] and columns + width > MOST_COLUMNS:
            bundles.append([])
            columns = 0
        bundles[-1].append(i)
        columns += width
    return bundles


def _read(source: Path, settings: "DetectionSettings") -> "CsvTable":
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from collectors.csv_table import read_table  # noqa: PLC0415

    return read_table(source, ZoneInfo(settings.timezone))


def _write(target: Path, table: "CsvTable", scores: "TableScores") -> None:
    from detectors.table import METHODS  # noqa: PLC0415

    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(
            zip(
                table.texts,
                scores.score.tolist(),
                scores.is_anomaly.astype(int).tolist(),
                scores.p_value.tolist(),
                [METHODS[i] for i in scores.method.tolist()],
                [table.columns[i] for i in scores.column.tolist()],
                strict=True,
            )
        )
    partial.replace(target)


def score_all(
    tables: "Sequence[CsvTable]", settings: "DetectionSettings"
) -> "Iterator[tuple[int, TableScores]]":
    """Scores of tables with their positions; each row from the rows before it alone."""
    from detectors.table import score_tables  # noqa: PLC0415

    for chosen in _bundles([len(table.columns) for table in tables]):
        together = [(tables[i].timestamps, tables[i].values) for i in chosen]
        for i, scores in score_tables(together, settings):
            yield chosen[i], scores
