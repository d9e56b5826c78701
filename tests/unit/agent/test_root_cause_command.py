"""`analyst root-cause` reads case folders, writes one JSON line each, and refuses bad input in one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from small_desk import STRATEGIES, incident
from typer.testing import CliRunner

from agent.topology import default_edges
from agent.vocabulary import component_of
from domain.timestamps import to_microseconds
from service.commands.root_cause import root_cause

ROOT = Path(__file__).parents[3]
app = typer.Typer()
app.command()(root_cause)
run = CliRunner().invoke


def write_case(folder: Path, kind: str = "venue_gateway_latency", **changes: Any) -> Path:
    """Store an incident of the small desk in the case format."""
    case = incident(kind, 1)
    window = case.window
    names = [f"{component_of(one.key)}|{one.key.metric}|{i}" for i, one in enumerate(window.series)]
    folder.mkdir(parents=True)
    start = to_microseconds(window.start) // 1_000_000
    lines = [",".join(["timestamp", *names])]
    for column in range(window.n_steps):
        cells = ["" if np.isnan(x) else repr(float(x)) for x in window.values[:, column]]
        lines.append(",".join([str(start + column * window.step_s), *cells]))
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    onset = to_microseconds(case.start) // 1_000_000
    meta = {
        "target": names[window.positions[case.targets[0]]],
        "onset": onset,
        "alarm": onset + 300,
        "end": to_microseconds(window.end) // 1_000_000 - window.step_s,
        "step_s": window.step_s,
        "cause_edges": [[edge.cause, edge.effect] for edge in default_edges(STRATEGIES).edges],
    } | changes
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return folder


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_cause_is_ranked_first_with_its_series_and_evidence(tmp_path: Path) -> None:
    case, out = write_case(tmp_path / "one"), tmp_path / "out.jsonl"
    result = run(app, [str(case), "--out", str(out)])
    assert result.exit_code == 0, result.output
    (line,) = lines_of(out)
    assert set(line) == {
        "case",
        "ranking",
        "none_confidence",
        "inconclusive",
        "impact",
        "tested",
        "significant",
        "seconds",
    }
    first = line["ranking"][0]
    assert first["component"] == "gateway:binance"
    assert first["series"].startswith("gateway:binance|order_ack_latency_ms")
    assert first["evidence"]
    assert set(first) == {
        "series",
        "component",
        "score",
        "confidence",
        "p_value",
        "q_value",
        "onset",
        "lead_seconds",
        "evidence",
    }
    total = line["none_confidence"] + sum(row["confidence"] for row in line["ranking"])
    assert total == pytest.approx(1.0)
    assert line["impact"]["low"] <= line["impact"]["amount"] <= line["impact"]["high"]
    assert line["impact"]["amount"] > 0
    assert len({row["component"] for row in line["ranking"]}) == len(line["ranking"])


def test_a_folder_of_cases_is_walked_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c/d"):
        write_case(tmp_path / "cases" / name)
    result = run(app, [str(tmp_path / "cases")])
    cases = [json.loads(line)["case"] for line in result.stdout.splitlines()]
    assert [Path(one).name for one in cases] == ["a", "b", "d"]


def test_cases_without_an_alarm_are_skipped_and_counted_at_the_alarm(tmp_path: Path) -> None:
    write_case(tmp_path / "cases" / "a", alarm=None)
    write_case(tmp_path / "cases" / "b")
    result = run(app, [str(tmp_path / "cases"), "--at-alarm"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == "skipped 1 cases without an alarm\n"


def test_at_the_alarm_later_samples_change_nothing(tmp_path: Path) -> None:
    one, other = write_case(tmp_path / "one"), write_case(tmp_path / "other")
    rows = (other / "metrics.csv").read_text(encoding="utf-8").splitlines()
    rows[-1] = ",".join([rows[-1].split(",")[0], *["1e6"] * rows[-1].count(",")])
    (other / "metrics.csv").write_text("\n".join(rows), encoding="utf-8")
    rankings = [json.loads(run(app, [str(case), "--at-alarm"]).stdout)["ranking"] for case in (one, other)]
    assert rankings[0] == rankings[1]


def test_without_topology_the_edges_are_ignored(tmp_path: Path) -> None:
    one = write_case(tmp_path / "one")
    other = write_case(tmp_path / "other", cause_edges=[])
    assert (
        json.loads(run(app, [str(one), "--no-topology"]).stdout)["ranking"]
        == json.loads(run(app, [str(other)]).stdout)["ranking"]
    )


def test_dropping_edges_repeats_with_its_seed(tmp_path: Path) -> None:
    case = str(write_case(tmp_path / "one"))
    scores = [
        json.loads(run(app, [case, "--drop-edges", "0.5", "--seed", seed]).stdout)["ranking"]
        for seed in ("1", "1", "2")
    ]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    first = json.loads(run(app, [case, "--drop-edges", "0"]).stdout)["ranking"][0]
    assert first["component"] == "gateway:binance"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target": "nobody|here"}, "is not a column"),
        ({"onset": "soon"}, "onset"),
        ({"step_s": 0}, "step_s"),
        ({"step_s": True}, "step_s"),
        ({"cause_edges": [["a"]]}, "cause_edges"),
        ({"end": -5}, "end"),
    ],
)
def test_an_unusable_description_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    case = write_case(tmp_path / "one", **changes)
    result = run(app, [str(case)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr
    assert "meta.json" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("metrics.csv", "timestamp,a|b\n1,x\n", "row 2"),
        ("metrics.csv", "timestamp,a|b\nnoon,1\n", "row 2"),
        ("metrics.csv", "timestamp,a|b\n1,1,2,3\n", "row 2"),
        ("metrics.csv", "timestamp,a|b,a|b\n1,1,2\n", "same name"),
        ("metrics.csv", "timestamp\n1\n", "no series"),
        ("metrics.csv", "timestamp,a|b\n", "no rows"),
        ("metrics.csv", "", "no series"),
        ("meta.json", "[1]", "JSON object"),
        ("meta.json", "{", "not JSON"),
        ("events.json", '[{"kind": "deploy"}]', "events.json"),
        ("logs.csv", "timestamp,component\n1,a\n", "level"),
        ("logs.csv", "timestamp,component,level,template,count\n1,a,INFO,x,many\n", "unusable"),
    ],
)
def test_an_unusable_file_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    case = write_case(tmp_path / "one", target=None)
    (case / name).write_text(content, encoding="utf-8")
    result = run(app, [str(case)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr


def test_a_missing_path_and_a_wrong_share_are_refused(tmp_path: Path) -> None:
    missing = run(app, [str(tmp_path / "nowhere")])
    assert (missing.exit_code, len(missing.stderr.splitlines())) == (2, 1)
    empty = run(app, [str(tmp_path)])
    assert (empty.exit_code, "holds no case" in empty.stderr) == (2, True)
    share = run(app, [str(tmp_path), "--drop-edges", "1.5"])
    assert (share.exit_code, len(share.stderr.splitlines())) == (2, 1)


def test_nothing_but_the_named_files_and_keys_is_read(tmp_path: Path) -> None:
    case = write_case(tmp_path / "one", ground_truth_component="strategy:idle", fault_type="none")
    plain = write_case(tmp_path / "two")
    (case / "alert.json").write_text("not even JSON", encoding="utf-8")
    first, second = (json.loads(run(app, [str(one)]).stdout) for one in (case, plain))
    assert first["ranking"] == second["ranking"]


def test_unsorted_duplicate_and_missing_rows_are_read_as_they_are_meant(tmp_path: Path) -> None:
    case = write_case(tmp_path / "one")
    path = case / "metrics.csv"
    rows = path.read_text(encoding="utf-8").splitlines()
    before = json.loads(run(app, [str(case)]).stdout)["ranking"]
    path.write_text("\n".join([rows[0], rows[-1], *rows[1:], ""]), encoding="utf-8")
    assert json.loads(run(app, [str(case)]).stdout)["ranking"] == before


def test_it_starts_without_a_graph_runtime_sql_or_a_web_server(tmp_path: Path) -> None:
    case = write_case(tmp_path / "one")
    code = (
        "import sys\n"
        "from service.cli import app\n"
        "assert 'numpy' not in sys.modules\n"
        f"app(['root-cause', {str(case)!r}], standalone_mode=False)\n"
        "heavy = {'langgraph', 'langchain', 'sqlalchemy', 'sqlmodel', 'psycopg', 'fastapi', 'starlette',"
        " 'uvicorn', 'jinja2', 'openai', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ranking"][0]["component"] == "gateway:binance"
