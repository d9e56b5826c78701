"""Diagnoses: one run per request, every finished version kept, found by any word in them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from db.database import Database
from db.detections import CycleWriter
from db.diagnoses import DiagnosisStore
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent, IncidentPlan
from db.versions import EVIDENCE
from domain.anomaly import Anomaly
from domain.diagnosis import Action, Diagnosis, DiagnosisRequest, Hypothesis, Step
from domain.errors import Conflict, NotFound
from domain.evidence import Evidence, TimeWindow
from domain.money import Impact

NOW = datetime(2026, 3, 1, 6, 10, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def request(metric: str = 'pnl{strategy="mm_btc"}', incident_id: str | None = None) -> DiagnosisRequest:
    return DiagnosisRequest(
        start_time=NOW - MINUTE, end_time=NOW, affected_metrics=(metric,), incident_id=incident_id
    )


def evidence(n: int, statement: str = "latency rose") -> Evidence:
    return Evidence(
        id=f"E{n}", kind="shift", statement=statement, value=n / 3, window=TimeWindow(start=NOW, end=NOW)
    )


def finished(diagnosis: Diagnosis, cause: str = "venue_gateway_latency") -> Diagnosis:
    return diagnosis.model_copy(
        update={
            "status": "done",
            "outcome": "cause_found",
            "primary_hypothesis": Hypothesis(
                id="H1", title="Hedges fill late", cause=cause, description="Gateway queue", confidence=0.8
            ),
            "steps": (Step(name="data_examination", text="Straße 7", evidence_ids=("E1",)),),
            "immediate_actions": (Action(n=1, text="Route to another venue"),),
            "preventive_measures": (Action(n=2, text="Alert on the queue"),),
            "evidence": (evidence(1), evidence(2)),
            "executive_summary": "The bybit gateway was slow.",
            "impact": Impact(amount=-41_200.5, low=-50_000, high=-30_000),
        }
    )


def test_a_diagnosis_comes_back_as_it_was_saved(database: Database) -> None:
    store = DiagnosisStore(database)
    created = store.create(request(), now=NOW)
    assert (created.created, created.diagnosis.id, created.diagnosis.status) == (True, "D-1", "queued")
    done = finished(created.diagnosis)
    store.save(created.diagnosis.model_copy(update={"status": "running"}))
    store.save(done)
    assert store.get("D-1") == done
    assert store.list().items == (done,)
    assert store.versions("D-1") == [1]
    assert store.request("D-1") == request()
    assert store.unfinished() == []
    for missing in ("D-2", "A-1", "x"):
        with pytest.raises(NotFound):
            store.get(missing)


def test_thirty_equal_requests_at_once_are_one_diagnosis(database: Database) -> None:
    store = DiagnosisStore(database)
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: store.create(request(), now=NOW), range(30)))
    assert {one.diagnosis.id for one in found} == {"D-1"}
    assert sum(one.created for one in found) == 1


def test_an_equal_request_is_answered_anew_only_after_a_while(database: Database) -> None:
    store = DiagnosisStore(database)
    first = store.create(request(), now=NOW).diagnosis
    assert not store.create(request(), now=NOW + 60 * MINUTE).created, "it still runs"
    store.save(finished(first))
    assert not store.create(request(), now=NOW + MINUTE / 2).created
    assert store.create(request(), now=NOW + MINUTE / 2, reuse=timedelta(0)).created
    assert store.create(request("price"), now=NOW).created


def test_a_failed_diagnosis_does_not_stand_in_the_way(database: Database) -> None:
    store = DiagnosisStore(database)
    first = store.create(request(), now=NOW).diagnosis
    store.save(first.model_copy(update={"status": "failed"}))
    assert store.create(request(), now=NOW).created


def test_an_idempotency_key_names_one_diagnosis(database: Database) -> None:
    store = DiagnosisStore(database)
    first = store.create(request(), "key", now=NOW).diagnosis
    store.save(finished(first))
    again = store.create(request(), "key", now=NOW + 600 * MINUTE)
    assert (again.diagnosis.id, again.created) == (first.id, False)
    with pytest.raises(Conflict):
        store.create(request("price"), "key", now=NOW)


def test_a_key_that_joined_an_equal_request_names_the_same_diagnosis_from_then_on(database: Database) -> None:
    store = DiagnosisStore(database)
    first = store.create(request(), now=NOW).diagnosis
    joined = [store.create(request(), key, now=NOW).diagnosis.id for key in ("second", "third", "fourth")]
    assert joined == [first.id] * 3
    store.save(finished(first))
    later = NOW + 600 * MINUTE
    for key in ("second", "third", "fourth"):
        again = store.create(request(), key, now=later)
        assert (again.diagnosis.id, again.created) == (first.id, False)
        found = store.keyed(key)
        assert found is not None
        assert found.id == first.id
        with pytest.raises(Conflict):
            store.create(request("price"), key, now=later)
    assert store.keyed("fifth") is None
    assert store.create(request(), "fifth", now=later).created


def test_a_finished_version_is_kept_when_it_is_made_again(database: Database) -> None:
    store = DiagnosisStore(database)
    first = finished(store.create(request(), now=NOW).diagnosis)
    store.save(first)
    store.save(first)
    assert store.versions("D-1") == [1], "saving the same again is no new version"
    second = finished(first, cause="pool_exhaustion")
    store.save(second)
    third = second.model_copy(update={"evidence": (evidence(1, "memory rose"),)})
    store.save(third)
    assert store.versions("D-1") == [1, 2, 3]
    assert [store.get("D-1", version) for version in (1, 2, 3)] == [first, second, third]
    assert store.get("D-1") == third
    with database.read() as connection:
        stored = connection.execute(select(EVIDENCE.c.version)).scalars().all()
    assert sorted(stored) == [1, 1, 3], "evidence that did not change is stored once"
    with pytest.raises(NotFound):
        store.get("D-1", 4)


def test_a_ticked_action_stays_ticked(database: Database) -> None:
    store = DiagnosisStore(database)
    done = finished(store.create(request(), now=NOW).diagnosis)
    store.save(done)
    ticked = store.set_action("D-1", 2, True, "mk", NOW)
    assert (ticked.done, ticked.done_by, ticked.done_at) == (True, "mk", NOW)
    assert store.get("D-1").preventive_measures == (ticked,)
    store.save(done)
    assert store.versions("D-1") == [1]
    assert store.get("D-1").preventive_measures == (ticked,)
    assert store.set_action("D-1", 2, False, "mk", NOW) == done.preventive_measures[0]
    with pytest.raises(NotFound):
        store.set_action("D-1", 3, True, "mk", NOW)


def test_diagnoses_are_found_by_words_and_time(database: Database) -> None:
    store = DiagnosisStore(database)
    for i, cause in enumerate(("venue_gateway_latency", "funding_shock")):
        created = store.create(request(f"m{i}"), now=NOW + i * MINUTE).diagnosis
        store.save(finished(created, cause))
    store.create(request("queued_metric"), now=NOW + 2 * MINUTE)

    def ids(q: str | None = None, start: datetime | None = None, end: datetime | None = None) -> list[str]:
        return [one.id for one in store.list(q, start, end).items]

    assert ids() == ids("  ") == ["D-3", "D-2", "D-1"]
    assert ids("FUNDING shock") == ids("fund") == ids("funding_sh") == ["D-2"]
    assert ids("bybit gateway") == ids("STRASSE") == ["D-2", "D-1"]
    assert ids("queued") == ["D-3"]
    assert ids("D-1") == ["D-1"]
    assert ids("funding gateways_of_nowhere") == ids("%") == ids("' OR 1=1 --") == []
    for hostile in ('"', "NEAR(", "a:b", "a*", "search_text:x", "-x", "'&|!:*<->"):
        ids(hostile)
    assert ids(start=NOW + MINUTE, end=NOW + 2 * MINUTE) == ["D-2"]
    page = store.list(limit=2)
    assert [one.id for one in store.list(limit=2, cursor=page.next_cursor).items] == ["D-1"]


def _open_incident(database: Database) -> None:
    def group(loose: Sequence[Anomaly], _open: object) -> list[IncidentPlan]:
        return [IncidentPlan(None, tuple(one.id for one in loose), "PnL fell")]

    anomaly = Anomaly.model_validate(
        {
            "timestamp": NOW, "detected_at": NOW, "anomaly_type": "performance_drop", "severity": "high",
            "confidence": 0.9, "rule": "r", "method": "combined", "score": 7.5, "direction": "down",
            "affected_metrics": ("pnl",),
        }
    )  # fmt: skip
    CycleWriter(database).save_detections([anomaly], NOW, group, lambda *_: [])


def test_a_diagnosis_belongs_to_its_incident_and_tells_in_the_same_transaction(database: Database) -> None:
    _open_incident(database)
    store = DiagnosisStore(database)
    done = finished(store.create(request(incident_id="I-1"), now=NOW).diagnosis)
    store.save(done, [AlertIntent("slack", "diagnosed", "k", {}, NOW)], NOW)
    incident = IncidentStore(database).get("I-1")
    assert (incident.title, incident.diagnosis_id, incident.impact) == ("PnL fell", "D-1", done.impact)
    assert [one.kind for one in OutboxStore(database).about("slack", "I-1")] == ["diagnosed"]
    assert store.of_incident("I-1") == [done]
    patched = IncidentStore(database).patch("I-1", {"status": "acknowledged", "assignee": "mk"}, NOW)
    assert (patched.status, patched.assignee, patched.title) == ("acknowledged", "mk", "PnL fell")


def test_a_sure_cause_is_taken_back_only_by_one_that_is_as_sure(database: Database) -> None:
    _open_incident(database)
    store = DiagnosisStore(database)
    sure = finished(store.create(request(incident_id="I-1"), now=NOW).diagnosis)
    store.save(sure.model_copy(update={"confidence_score": 0.9}), [], NOW)
    again = finished(store.create(request("orders", incident_id="I-1"), now=NOW + 20 * MINUTE).diagnosis)
    cost = Impact(amount=-60_000, low=-70_000, high=-50_000)
    store.save(again.model_copy(update={"outcome": "inconclusive", "impact": cost}), [], NOW + 20 * MINUTE)
    incident = IncidentStore(database).get("I-1")
    assert (incident.diagnosis_id, incident.impact) == ("D-1", cost)
    other = finished(
        store.create(request("fees", incident_id="I-1"), now=NOW + 30 * MINUTE).diagnosis, "bad_deploy"
    )
    store.save(other.model_copy(update={"confidence_score": 0.7}), [], NOW + 30 * MINUTE)
    assert IncidentStore(database).get("I-1").diagnosis_id == "D-1"
    store.save(other.model_copy(update={"confidence_score": 0.95}), [], NOW + 31 * MINUTE)
    assert IncidentStore(database).get("I-1").diagnosis_id == "D-3"
