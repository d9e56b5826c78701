"""`analyst detect` and `analyst backtest` as a person calls them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from service.commands.backtest import backtest
from service.commands.detect import HEADER, detect


def app() -> typer.Typer:
    one = typer.Typer()
    one.command("detect")(detect)
    one.command("backtest")(backtest)
    return one


def data(folder: Path, name: str = "desk.csv", rows: int = 400) -> Path:
    values = np.random.default_rng(1).normal(size=(rows, 2))
    values[300:306, 1] += 15.0
    lines = [f"{1_700_000_000 + 300 * i},{a},{b}" for i, (a, b) in enumerate(values)]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("timestamp,pnl,latency_ms\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_scores_keep_rows_order_and_relative_paths(tmp_path: Path) -> None:
    data(tmp_path / "in" / "deep")
    result = CliRunner().invoke(app(), ["detect", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    found = rows(tmp_path / "out" / "deep" / "desk.scores.csv")
    assert tuple(found[0]) == HEADER
    assert [row["timestamp"] for row in found[:2]] == ["1700000000", "1700000300"]
    assert len(found) == 400
    peak = max(found, key=lambda row: float(row["score"]))
    assert peak["top_series"] == "latency_ms"
    assert peak["is_anomaly"] == "1"


def test_a_longer_file_gives_the_same_scores_for_the_rows_it_shares(tmp_path: Path) -> None:
    whole, part = data(tmp_path, "whole.csv"), tmp_path / "part.csv"
    part.write_text("".join(whole.read_text().splitlines(keepends=True)[:251]), encoding="utf-8")
    result = CliRunner().invoke(app(), ["detect", str(whole), str(part), "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert rows(tmp_path / "whole.scores.csv")[:250] == rows(tmp_path / "part.scores.csv")


def test_the_budget_moves_the_alarms_and_not_the_scores(tmp_path: Path) -> None:
    path = data(tmp_path)
    flags = []
    for budget in ("0.01", "50"):
        CliRunner().invoke(app(), ["detect", str(path), "--out", str(tmp_path), "--alarm-budget", budget])
        found = rows(tmp_path / "desk.scores.csv")
        flags.append((sum(row["is_anomaly"] == "1" for row in found), [row["score"] for row in found]))
    assert flags[0][0] < flags[1][0]
    assert flags[0][1] == flags[1][1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.csv"],
        ["{good}", "--alarm-budget", "-1"],
        ["{good}", "--timezone", "Mars/Olympus"],
        ["{good}", "--config", "missing.toml"],
        ["{bad}"],
    ],
)
def test_unusable_input_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("timestamp,x\n0,one\n", encoding="utf-8")
    filled = [one.format(good=data(tmp_path), bad=bad) for one in arguments]
    result = CliRunner().invoke(app(), ["detect", *filled, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


def test_every_file_and_the_whole_run_are_summed_up_in_a_line(tmp_path: Path) -> None:
    data(tmp_path / "in", "long.csv")
    data(tmp_path / "in", "short.csv", rows=310)
    result = CliRunner().invoke(app(), ["detect", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 3
    assert "short.csv: 310 rows, 2 series, " in lines[0]
    assert "long.csv: 400 rows, 2 series, " in lines[1]
    assert lines[2].startswith("2 files, 710 rows, ")
    assert all(" alarms, " in line and line.endswith(" s") for line in lines)


def test_two_inputs_never_write_the_same_file(tmp_path: Path) -> None:
    first, second = data(tmp_path / "a"), data(tmp_path / "b")
    result = CliRunner().invoke(app(), ["detect", str(first), str(second), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2


def test_a_backtest_prints_recall_beside_chance_and_promises_nothing(tmp_path: Path) -> None:
    path = data(tmp_path)
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"series": {"desk.csv": {"windows": [[300, 305]], "probation": 100}}}))
    result = CliRunner().invoke(app(), ["backtest", str(path), "--labels", str(labels), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["operation"]["event_recall"] == 1.0
    assert found["control"]["event_recall"] < 0.5
    assert 0 <= found["avoided"][0]["placebo_percentile"] <= 1
    text = CliRunner().invoke(app(), ["backtest", str(path), "--labels", str(labels)]).stdout
    assert "placebo percentile" in text
    assert "event_recall" in text
