"""An investigation can be stopped at any moment of its life, and is stored as stopped."""

import asyncio
import threading
from datetime import timedelta

import pytest
from model_rig import NOW, Diary

from agent.evidence.record import Ledger
from agent.investigator import Investigator, Surroundings
from agent.reasoners.offline import StatisticalReasoner
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.errors import InvalidInput


class _SlowDiary(Diary):
    """Holds one of its operations until it is let go."""

    def __init__(self, held: str) -> None:
        super().__init__()
        self.held = held
        self.reached = threading.Event()
        self.goes_on = threading.Event()

    def get(self, diagnosis_id: str) -> Diagnosis:
        self._hold("get")
        return super().get(diagnosis_id)

    def save(self, diagnosis: Diagnosis) -> Diagnosis:
        self._hold(f"save {diagnosis.status}")
        return super().save(diagnosis)

    def _hold(self, operation: str) -> None:
        if operation == self.held and not self.reached.is_set():
            self.reached.set()
            assert self.goes_on.wait(10)


def _investigator(diary: Diary) -> Investigator:
    def gather(request: DiagnosisRequest) -> Ledger:
        raise InvalidInput("affected_metrics", "no series has this name")

    surroundings = Surroundings(
        diagnoses=diary,
        runs=diary,
        gather=gather,
        runbooks=(),
        reasoner=StatisticalReasoner(),
        clock=lambda: NOW,
        finished=lambda _diagnosis: None,
    )
    return Investigator(surroundings, None)


@pytest.mark.parametrize(
    ("held", "status"), [("get", "cancelled"), ("save running", "cancelled"), ("save failed", "failed")]
)
async def test_a_run_is_stopped_at_any_moment_and_nothing_is_written_behind_its_end(
    held: str, status: str
) -> None:
    diary = _SlowDiary(held)
    diary.diagnoses["D-1"] = Diagnosis(
        id="D-1", timestamp=NOW, start_time=NOW - timedelta(hours=1), end_time=NOW
    )
    investigator = _investigator(diary)
    run = asyncio.ensure_future(investigator.run("D-1"))
    assert await asyncio.to_thread(diary.reached.wait, 10)
    cancelling = asyncio.ensure_future(investigator.cancel("D-1"))
    again = asyncio.ensure_future(investigator.cancel("D-1"))
    await asyncio.sleep(0.05)
    diary.goes_on.set()
    assert (await cancelling).status == (await again).status == status
    await asyncio.wait({run})
    assert diary.diagnoses["D-1"].status == status
    assert diary.events[-1][0] == "run.finished"
    assert diary.events[-1][1]["status"] == status
    assert not investigator._cancelled
    assert not investigator._ending
