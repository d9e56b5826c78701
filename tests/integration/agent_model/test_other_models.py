"""`analyst replay`: a stored diagnosis again, as it was, and as another model tells it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import LATENCY, NOW, PNL, seed

from domain.diagnosis import Diagnosis, DiagnosisRequest
from evaluation.fake_model.server import FakeModelServer
from service.cli import run
from service.settings import load_settings
from service.wiring import build_service


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, server: FakeModelServer) -> Path:
    """An installation with one diagnosis by a model, and one by statistics."""
    folder = tmp_path_factory.mktemp("replay")
    path = folder / "analyst.toml"
    path.write_text(
        f"""
[database]
url = "sqlite:///{folder / "analyst.db"}"
[llm]
model = "fake-tools"
base_url = "{server.base_url}"
""",
        encoding="utf-8",
    )
    service = build_service(load_settings(path), clock=lambda: NOW)
    parts = service.parts
    try:
        seed(parts.stores, parts.database)
        parts.windows.load(NOW)
        parts.investigations.start()
        for reasoner in ("llm", "statistical"):
            request = DiagnosisRequest(
                start_time=NOW.replace(hour=11, minute=20),
                end_time=NOW,
                affected_metrics=(PNL, LATENCY),
                reasoner=reasoner,
            )
            parts.investigations.begin(request, None, NOW)
        deadline = time.monotonic() + 60
        while parts.stores.diagnoses.unfinished() and time.monotonic() < deadline:
            time.sleep(0.05)
        told: Diagnosis = parts.stores.diagnoses.get("D-2")
        assert (told.reasoner, told.fallback_reason) == ("llm", None)
    finally:
        service.analyst.stop_chat()
        parts.investigations.stop()
        parts.sources.close()
        parts.database.close()
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(list(arguments))
    return code, capsys.readouterr().out


@pytest.mark.parametrize("diagnosis", ["D-2", "D-3"])
def test_a_diagnosis_is_repeated_as_it_was(
    diagnosis: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = said(capsys, "replay", diagnosis, "--config", str(config))
    assert (code, out.splitlines()[0]) == (0, f"{diagnosis}: the same")


def test_another_model_is_asked_and_what_differs_is_printed(
    config: Path, server: FakeModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = len(server.requests)
    code, out = said(capsys, "replay", "D-2", "--with-model", "fake-honest", "--config", str(config))
    assert code == 1
    assert {body["model"] for body in server.requests[sent:]} == {"fake-honest"}
    fields = {line.split(":")[0].strip() for line in out.splitlines()[1:-1]}
    assert {"llm_model_used", "usage"} <= fields
    assert "fake-tools" in out
    assert "fake-honest" in out
    # What is stored stays what it was.
    assert said(capsys, "replay", "D-2", "--config", str(config))[0] == 0


def test_a_model_that_fails_is_a_difference_with_its_reason(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = said(capsys, "replay", "D-2", "--with-model", "fake-quota", "--config", str(config))
    assert code == 1
    assert "no quota left" in out
    assert "reasoner" in out


def test_the_statistical_diagnosis_can_be_put_to_a_model(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = said(capsys, "replay", "D-3", "--with-model", "fake-honest", "--config", str(config))
    assert code == 1
    assert "fake-honest" in out


def test_a_tool_that_the_stored_run_did_not_ask_is_refused_and_the_statistics_stand(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = said(capsys, "replay", "D-2", "--with-model", "fake-needs", "--config", str(config))
    assert code == 1
    assert 'reasoner: "llm" -> "statistical"' in out
    assert 'fallback_reason: null -> "the model' in out
