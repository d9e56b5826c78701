"""A diagnosis that is asked for in Slack is begun once, however often work on the request begins."""

from dataclasses import replace
from datetime import timedelta

import pytest
from api_desk import LATENCY, FakeAnalyst, finished, seed
from memory_outbox import MemoryStories

from alerts.blocks import DIAGNOSE_AGAIN
from alerts.http import HttpDoor
from alerts.slack.inbound import Said
from alerts.slack.mouth import SlackMouth
from api.app import create_app
from api.doors import Doors
from api.stores import Stores
from db.database import Database
from db.inbox import Delivery
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.errors import NotFound, StoreUnavailable
from service.slack_effects import SlackEffects
from service.slack_in import Slot
from service.slack_people import People
from service.slack_questions import Questions

USER = "U0OPERATOR"
AGAIN = Said("press", USER, action=DIAGNOSE_AGAIN, value="I-1")
COMMAND = Said("command", USER, text=f"diagnose {LATENCY}")
GIVEN = {AGAIN: {"incident": "I-1"}, COMMAND: {"metric": LATENCY}}


class Analyst(FakeAnalyst):
    """Has every diagnosis done at once; `away` meets the next one before it is handed back."""

    away: bool = False

    def diagnose(self, request: DiagnosisRequest, idempotency_key: str | None = None) -> Diagnosis:
        created = self.stores.diagnoses.create(request, idempotency_key, now=self.instant).diagnosis
        if self.away:
            self.away = False
            raise StoreUnavailable("locked", 1.0)
        return self.stores.diagnoses.save(finished(created))


class Slack:
    """The effects of what is done in Slack, on real stores."""

    def __init__(self, database: Database) -> None:
        self.stores = Stores.of(database)
        seed(self.stores, database)
        self.analyst = Analyst(self.stores)
        doors: Doors = create_app(self.analyst, self.stores).state.doors
        people = People([USER], lambda _: frozenset())
        mouth = SlackMouth(None, HttpDoor("slack", 1, ()), "https://slack.com/api")
        questions = Questions(doors, self.stores.outbox, MemoryStories(), mouth, "https://desk.example")
        self._effects = SlackEffects(doors, people, mouth, questions, ())

    def attempt(self, n: int, said: Said, delivery_id: str = "Tr1") -> None:
        """Work on a delivery for the n-th time, a minute later each."""
        self.analyst.instant += timedelta(minutes=1)
        delivery = Delivery("slack", delivery_id, said.lane, said.payload, self.analyst.instant, n)
        self._effects.perform(said, delivery, Slot())

    def asked(self) -> list[str]:
        return [one.id for one in self.stores.diagnoses.list().items][:-1]

    def recorded(self) -> list[tuple[str, object]]:
        return [(one.subject, one.after) for one in self.stores.audit.list().items]


@pytest.fixture
def slack(database: Database) -> Slack:
    return Slack(database)


@pytest.mark.parametrize("said", [AGAIN, COMMAND], ids=["button", "command"])
def test_a_second_attempt_finds_the_diagnosis_of_the_first(slack: Slack, said: Said) -> None:
    slack.attempt(1, said)
    slack.attempt(2, said)
    slack.attempt(3, said)
    assert slack.asked() == ["D-2"]
    assert slack.recorded() == [("D-2", GIVEN[said])]


@pytest.mark.parametrize("said", [AGAIN, COMMAND], ids=["button", "command"])
def test_what_an_attempt_did_not_live_to_record_is_recorded_by_the_next(slack: Slack, said: Said) -> None:
    slack.analyst.away = True
    with pytest.raises(StoreUnavailable):
        slack.attempt(1, said)
    assert (slack.asked(), slack.recorded()) == (["D-2"], [])
    slack.analyst.stores.diagnoses.save(finished(slack.stores.diagnoses.get("D-2")))
    slack.attempt(2, said)
    assert (slack.asked(), slack.recorded()) == (["D-2"], [("D-2", GIVEN[said])])


def test_a_second_attempt_starts_what_the_first_did_not(slack: Slack) -> None:
    slack.attempt(2, AGAIN)
    assert slack.recorded() == [("D-2", {"incident": "I-1"})]
    with pytest.raises(NotFound):
        slack.attempt(2, replace(AGAIN, value="I-99"), "Tr2")


def test_pressing_twice_is_two_requests(slack: Slack) -> None:
    slack.attempt(1, AGAIN, "Tr1")
    slack.attempt(1, AGAIN, "Tr2")
    assert slack.asked() == ["D-3", "D-2"]
