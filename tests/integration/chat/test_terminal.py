"""The reads and the chat in the terminal, of a running service and of the database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import Desk, running_desk

from service.cli import run


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running_desk(tmp_path_factory.mktemp("terminal")) as served:
        yield served


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_anomalies_are_listed_one_json_object_per_line(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "anomalies", "list", "--json", "--url", desk.url)
    assert code == 0
    assert {json.loads(line)["id"] for line in out.splitlines()} == {"A-1", "A-2"}
    _, table, _ = said(capsys, "anomalies", "list", "--severity", "critical", "--url", desk.url)
    assert [line.split()[0] for line in table.splitlines()] == ["ID", "A-1"]


def test_one_anomaly_is_shown_with_why(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "anomalies", "show", "A-1", "--url", desk.url)
    assert code == 0
    assert "-3900" in out
    assert "Part of I-1." in out


def test_watch_once_exits_1_where_something_is_open_and_0_where_nothing_is(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "watch", "--once", "--url", desk.url)
    assert code == 1
    assert "I-1" in out
    assert "the gateway of bybit is slow" in out
    desk.stores.incidents.patch("I-1", {"status": "resolved"}, desk.service.now())
    try:
        code, out, _ = said(capsys, "watch", "--once", "--url", desk.url)
    finally:
        desk.stores.incidents.patch("I-1", {"status": "open"}, desk.service.now())
    assert (code, "no open incident" in out) == (0, True)


def test_costs_export_and_feedback(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no language model was called" in said(capsys, "costs", "--url", desk.url)[1]
    assert said(capsys, "export", "D-1", "--url", desk.url)[1].startswith("# ")
    assert json.loads(said(capsys, "export", "D-1", "--json", "--url", desk.url)[1])["id"] == "D-1"
    code, out, _ = said(capsys, "feedback", "D-1", "incorrect", "--cause", "stale_feed", "--url", desk.url)
    assert (code, out) == (0, "D-1: incorrect by local\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export", "nonsense"), "is not an id"),
        (("export", "A-99"), "no anomaly has the id 'A-99'"),
        (("feedback", "I-1", "correct"), "give an anomaly"),
        (("feedback", "A-1", "maybe"), "verdict"),
        (("watch", "--once", "--severity", "huge"), "must be one of"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = said(capsys, *arguments, "--url", desk.url)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_a_service_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "costs", "--url", "http://127.0.0.1:9")
    assert code == 2
    assert "does not answer" in err


def test_the_chat_prints_the_answer_and_keeps_steps_apart(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "chat", "what", "happened?", "--url", desk.url)
    assert code == 0
    assert "It fell." in out


def test_over_the_database_the_same_reads_work_without_a_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_desk(tmp_path):
        pass
    monkeypatch.setenv("ANALYST_DATABASE__URL", f"sqlite:///{tmp_path / 'desk.db'}")
    monkeypatch.chdir(tmp_path)
    _, out, _ = said(capsys, "anomalies", "list", "--json")
    assert len(out.splitlines()) == 2
    code, out, _ = said(capsys, "chat", "--json", "explain I-1")
    assert (code, json.loads(out)["citations"][0]) == (0, {"kind": "incident", "id": "I-1"})
    assert said(capsys, "audit", "verify") == (0, "0 entries, the chain is whole\n", "")


def test_without_a_database_nothing_is_made_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYST_DATABASE__URL", f"sqlite:///{tmp_path / 'none.db'}")
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "anomalies", "list")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "none.db").exists()
