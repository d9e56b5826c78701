"""A diagnosis of a cycle that somebody stops at once costs neither the cycle nor an error."""

import threading
from pathlib import Path

import pytest
from api_desk import NOW
from chat_rig import section, serving

from db.diagnoses import DiagnosisStore
from domain.diagnosis import Diagnosis
from evaluation.fake_model.server import FakeModelServer


def test_a_cycle_goes_on_when_its_diagnosis_is_stopped_as_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, goes_on = threading.Event(), threading.Event()
    whole = DiagnosisStore.get

    def slow(self: DiagnosisStore, diagnosis_id: str, version: int | None = None) -> Diagnosis:
        if threading.current_thread().name.startswith("asyncio_") and not reached.is_set():
            reached.set()
            assert goes_on.wait(10)
        return whole(self, diagnosis_id, version)

    with FakeModelServer() as server, serving(tmp_path, section("tools", server)) as talk:
        parts = talk.service.parts
        incident = parts.stores.incidents.list(limit=1).items[0]
        incident = incident.model_copy(update={"diagnosis_id": None})
        monkeypatch.setattr(DiagnosisStore, "get", slow)
        failed: list[BaseException] = []

        def cycle() -> None:
            try:
                parts.investigations.of_cycle([incident], NOW)
            except BaseException as error:  # noqa: BLE001 - told to the test
                failed.append(error)

        thread = threading.Thread(target=cycle)
        thread.start()
        assert reached.wait(10)
        identifier = parts.stores.diagnoses.unfinished()[-1].id
        try:
            assert parts.investigations.cancel(identifier).status == "cancelled"
        finally:
            goes_on.set()
            thread.join(40)
        assert failed == []
        assert parts.stores.diagnoses.get(identifier).status == "cancelled"
