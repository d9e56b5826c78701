"""`analyst detect`: score CSV files causally, each row from the rows before it alone."""

import csv
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collectors.csv_table import CsvTable
    from detectors.settings import DetectionSettings
    from detectors.table import RowScore

HEADER = ("timestamp", "score", "is_anomaly", "p_value", "method", "top_series")
PARALLEL_BYTES = 1_000_000
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


def _jobs(paths: Sequence[Path], out: Path | None) -> list[tuple[Path, Path]]:
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


def _run(jobs: Sequence[tuple[Path, Path]], settings: "DetectionSettings") -> None:
    """Score the files, the largest first and in several processes where that pays."""
    ordered = sorted(jobs, key=lambda job: -job[0].stat().st_size)
    workers = min(os.cpu_count() or 1, len(ordered))
    if workers < 2 or sum(source.stat().st_size for source, _ in ordered) < PARALLEL_BYTES:
        for source, target in ordered:
            score_file(source, target, settings)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_score_or_say, source, target, settings) for source, target in ordered]
        reasons = [reason for one in waiting if (reason := one.result()) is not None]
    if reasons:
        _refuse(reasons[0])


def _score_or_say(source: Path, target: Path, settings: "DetectionSettings") -> str | None:
    """Score one file in a worker; errors come back as text, for they would not survive the journey."""
    from domain.errors import AnalystError  # noqa: PLC0415

    try:
        score_file(source, target, settings)
    except AnalystError as error:
        return str(error)
    return None


def score_file(source: Path, target: Path, settings: "DetectionSettings") -> None:
    """Read one table, score it row by row and write the scores beside the input's times."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from collectors.csv_table import read_table  # noqa: PLC0415

    table = read_table(source, ZoneInfo(settings.timezone))
    scores = score_table(table, settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for text, one in zip(table.texts, scores, strict=True):
            top = table.columns[one.column]
            writer.writerow((text, one.score, int(one.is_anomaly), one.p_value, one.method, top))
    partial.replace(target)


def score_table(table: "CsvTable", settings: "DetectionSettings") -> "list[RowScore]":
    """Scores of all rows, each from the rows before it alone."""
    import numpy as np  # noqa: PLC0415

    from detectors.table import TableScorer  # noqa: PLC0415

    scorer = TableScorer(len(table.columns), settings)
    with np.errstate(all="ignore"):
        return [scorer.step(int(at), row) for at, row in zip(table.timestamps, table.values, strict=True)]
