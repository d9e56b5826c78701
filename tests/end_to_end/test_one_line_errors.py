"""What cannot work is said in one line that names it, with exit code 2 and never a traceback."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from service_nursery import nursery
from service_process import ROOT, write_config


def _analyst(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complained:
        code = nursery().born(arguments, {**os.environ, **environ}, printed, complained).wait(60)
        texts = []
        for one in (printed, complained):
            one.seek(0)
            texts.append(one.read().decode())
    return subprocess.CompletedProcess(arguments, code, *texts)


def _refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in said:
        assert word in lines[0]


def test_a_broken_key_of_the_configuration(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["[alerts]", "severity_treshold = 'high'"])
    _refused(_analyst("serve", "--config", str(config)), "alerts.severity_treshold")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nobody@127.0.0.1:9/none", "database.url"),
        ("sqlite:////nowhere/at/all/analyst.db", "/nowhere/at/all"),
        ("mysql://somewhere/else", "database.url"),
        ("no url", "database.url"),
    ],
)
def test_a_database_that_cannot_be_reached(tmp_path: Path, url: str, said: str) -> None:
    config = write_config(tmp_path, url=url)
    _refused(_analyst("serve", "--config", str(config)), said)


def test_a_port_that_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        config = write_config(tmp_path)
        _refused(_analyst("serve", "--config", str(config), "--port", port), port)


def test_another_address_without_tokens(tmp_path: Path) -> None:
    _refused(_analyst("serve", "--config", str(write_config(tmp_path)), "--host", "0.0.0.0"), "token")


def test_a_table_without_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("price,volume\n1,2\n3,4\n", encoding="utf-8")
    _refused(_analyst("detect", str(path), "--out", str(tmp_path)), "prices.csv")


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    _refused(_analyst("detect", str(tmp_path / "none.csv")), "none.csv")
    _refused(_analyst("root-cause", str(tmp_path / "none")), "none")


def test_a_naive_time_and_a_window_that_ends_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "pnl.csv").write_text("timestamp,pnl\n2026-03-01T00:00:00Z,1\n", encoding="utf-8")
    ask = ("diagnose", "--data", str(tmp_path), "--metric", "pnl")
    _refused(_analyst(*ask, "--from", "2026-03-01T00:00:00", "--to", "2026-03-01T01:00:00Z"), "--from")
    _refused(_analyst(*ask, "--from", "2026-03-01T02:00:00Z", "--to", "2026-03-01T01:00:00Z"), "--to")


def test_an_unknown_command_an_unknown_option_and_a_value_that_is_no_number() -> None:
    _refused(_analyst("diagnoze"), "diagnoze")
    _refused(_analyst("detect", "--aut", "x"), "--aut")
    _refused(_analyst("serve", "--port", "many"), "--port")


def test_the_configuration_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = str(tmp_path / "analyst.toml")
    assert _analyst("init", path).returncode == 0
    _refused(_analyst("init", path), path)


def test_a_fresh_configuration_passes_its_check(tmp_path: Path) -> None:
    path = str(tmp_path / "analyst.toml")
    _analyst("init", path)
    url = f"sqlite:///{tmp_path / 'analyst.db'}"
    done = _analyst("check", "--config", path, ANALYST_DATABASE__URL=url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())


def test_the_check_of_a_configuration_tells_of_a_sender_without_its_secret(tmp_path: Path) -> None:
    path = tmp_path / "analyst.toml"
    path.write_text('[hooks.github]\nenv = "GITHUB_HOOK_SECRET"\n')
    url = f"sqlite:///{tmp_path / 'analyst.db'}"
    done = _analyst("check", "--config", str(path), ANALYST_DATABASE__URL=url)
    assert done.returncode != 0
    assert "FAIL  hooks: hooks.github: GITHUB_HOOK_SECRET holds no secret" in done.stdout
    secret = {"GITHUB_HOOK_SECRET": "long-enough-secret"}
    done = _analyst("check", "--config", str(path), ANALYST_DATABASE__URL=url, **secret)
    assert "ok    hooks: secrets of github" in done.stdout


def test_help_comes_without_loading_the_machinery() -> None:
    heavy = "{'numpy', 'fastapi', 'langgraph', 'sqlalchemy', 'sklearn', 'scipy', 'openai'}"
    program = f"import sys, service.cli; print(sorted(set(sys.modules) & {heavy}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
