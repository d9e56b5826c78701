"""Small courtesies of the command line."""

from pathlib import Path

import pytest

from service.cli import run


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("analyst ")


def test_an_id_alone_shows_the_anomaly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["db", "upgrade"]) == 0
    assert run(["anomalies", "A-99"]) == 2
    assert capsys.readouterr().err == "analyst: no anomaly has the id 'A-99'\n"


def test_an_unknown_metric_is_answered_with_those_that_look_like_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{1_772_323_200 + 300 * i},{i % 7},{i % 5}" for i in range(50)]
    (tmp_path / "desk.csv").write_text("\n".join(["timestamp,pnl_total,cpu_percent", *rows]) + "\n")
    window = ["--from", "2026-03-01T02:00:00Z", "--to", "2026-03-01T03:00:00Z"]
    assert run(["diagnose", "--data", str(tmp_path), "--metric", "pnl", *window]) == 2
    assert "no series is called 'pnl'; there are pnl_total" in capsys.readouterr().err
