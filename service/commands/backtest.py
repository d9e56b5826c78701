"""`analyst backtest`: walk forward over stored data and compare with chance."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from evaluation.backtest import Backtest


def backtest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="CSV or CSV.GZ files, or folders.")],
    labels: Annotated[Path | None, typer.Option(help="JSON file with the labelled windows.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    alarm_budget: Annotated[
        float | None, typer.Option("--alarm-budget", help="False alarms per series and day.")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", help="Zone of times without an offset and of the daily pattern."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Walk forward over CSV files: recall, precision, delay and false alarms beside a random control."""
    from domain.errors import AnalystError  # noqa: PLC0415 - `--help` must not pay for numpy

    try:
        result = _walk(paths, labels, (config, alarm_budget, timezone))
    except AnalystError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{error.filename}: {error.strerror or error}")
    print(json.dumps(result.plain(), allow_nan=False) if as_json else result.table())


def _refuse(reason: str) -> NoReturn:
    print(" ".join(reason.split()), file=sys.stderr)
    raise typer.Exit(2)


def _walk(
    paths: list[Path], labels: Path | None, options: tuple[Path | None, float | None, str | None]
) -> "Backtest":
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from collectors.csv_table import find_tables, read_table  # noqa: PLC0415
    from evaluation.backtest import Backtest, Walk  # noqa: PLC0415
    from evaluation.labels import read_labels, series_labels  # noqa: PLC0415
    from service.commands.detect import score_all, settings_for  # noqa: PLC0415

    settings = settings_for(*options)
    known = read_labels(labels) if labels is not None else {}
    found = find_tables(paths)
    tables = [read_table(source, ZoneInfo(settings.timezone)) for source, _ in found]
    labelled = [
        series_labels(known, relative, len(table.texts))
        for (_, relative), table in zip(found, tables, strict=True)
    ]
    scores = dict(score_all(tables, settings))
    return Backtest.of(
        [
            Walk(
                name=relative.as_posix(),
                timestamps=tables[i].timestamps,
                flagged=scores[i].is_anomaly,
                columns=tables[i].columns,
                values=tables[i].values,
                labels=labelled[i],
            )
            for i, (_, relative) in enumerate(found)
        ]
    )
