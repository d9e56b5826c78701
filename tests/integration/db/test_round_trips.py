"""Every domain type comes back from both databases as it went in, times to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from db.anomalies import AnomalyStore
from db.cycles import CycleStore
from db.database import Database
from db.detections import CycleWriter
from db.diagnoses import DiagnosisStore
from db.events import EventStore
from db.feedback import FeedbackStore
from db.plain import to_plain
from db.records import SourceState
from db.rules import RuleStore
from db.sources import SourceStateStore
from db.statements import insert_into
from db.tables import people, table_of
from domain.anomaly import SEVERITIES, Anomaly
from domain.cycle import Cycle, DetectorState, SourceHealth, StepTime
from domain.diagnosis import STEP_NAMES, Action, Diagnosis, DiagnosisRequest, Hypothesis, Step, Usage
from domain.event import Event
from domain.evidence import Evidence, Interval, TimeWindow
from domain.feedback import Feedback
from domain.money import Impact, ImpactPart
from domain.rule import Rule, SeverityThresholds

relaxed = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(9990, 1, 1), timezones=offsets | st.just(UTC))  # noqa: DTZ001
# what a person can type; what databases refuse is replaced at the door and tested elsewhere
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | numbers
shares = st.floats(0, 1)
names = st.lists(words, max_size=3).map(tuple)
documents = st.dictionaries(
    words, numbers | words | st.booleans() | st.none() | st.lists(numbers), max_size=3
)

anomalies = st.builds(
    Anomaly,
    timestamp=moments,
    detected_at=moments,
    anomaly_type=st.sampled_from(["performance_drop", "log_novelty"]),
    severity=st.sampled_from(SEVERITIES),
    confidence=shares,
    z_score=maybe,
    p_value=st.none() | shares,
    rule=words,
    method=words,
    score=numbers,
    direction=st.sampled_from(["up", "down", "both"]),
    value=maybe,
    affected_metrics=st.lists(words, min_size=1, max_size=3).map(tuple),
    data_sources=names,
    status=st.sampled_from(["open", "resolved"]),
    ended_at=st.none() | moments,
    raw_data=documents,
)
evidence = st.builds(
    Evidence,
    id=words,
    kind=st.sampled_from(["shift", "news"]),
    series=names,
    statement=words,
    quoted=st.none() | words,
    value=maybe,
    interval=st.none() | st.builds(Interval, low=maybe, high=maybe),
    window=st.builds(TimeWindow, start=moments, end=moments),
    lead_seconds=maybe,
    parameters=documents,
)
hypotheses = st.builds(
    Hypothesis, id=words, title=words, cause=words, component=st.none() | words, description=words,
    confidence=shares, supporting=names,
)  # fmt: skip
actions = st.builds(Action, n=st.integers(1, 9), text=words, reversible=st.none() | st.booleans())
impacts = st.builds(
    Impact, amount=numbers, low=numbers, high=numbers, unit=words,
    by=st.lists(st.builds(ImpactPart, label=words, value=words, amount=numbers), max_size=2).map(tuple),
)  # fmt: skip
requests = st.builds(
    DiagnosisRequest,
    anomaly_id=st.none() | words,
    start_time=moments,
    end_time=moments,
    affected_metrics=names,
)
conclusions = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["running", "done", "failed"]),
        "outcome": st.sampled_from([None, "cause_found"]),
        "primary_hypothesis": st.none() | hypotheses,
        "alternative_hypotheses": st.lists(hypotheses, max_size=2).map(tuple),
        "executive_summary": words,
        "steps": st.lists(st.builds(Step, name=st.sampled_from(STEP_NAMES), text=words), max_size=2).map(
            tuple
        ),
        "immediate_actions": st.lists(actions, max_size=2, unique_by=lambda one: one.n).map(tuple),
        "evidence": st.lists(evidence, max_size=3).map(tuple),
        "impact": st.none() | impacts,
        "confidence_score": shares,
        "usage": st.builds(Usage, input_tokens=st.integers(0, 2**40), cost_usd=maybe),
        "analysis_duration": numbers,
    }
)


@relaxed
@given(anomaly=anomalies)
def test_anomalies(database: Database, anomaly: Anomaly) -> None:
    saved = CycleWriter(database).save_detections(
        [anomaly], anomaly.detected_at, lambda *_: [], lambda *_: []
    )
    for one in saved.anomalies:
        read = AnomalyStore(database).get(one.id)
        assert read == one
        first = {"id": read.id, "detected_at": read.detected_at}
        assert read == anomaly.model_copy(update=first)
        assert read.timestamp.utcoffset() == timedelta(0)


@relaxed
@given(request=requests, conclusion=conclusions, at=moments)
def test_diagnoses(
    database: Database, request: DiagnosisRequest, conclusion: dict[str, Any], at: datetime
) -> None:
    store = DiagnosisStore(database)
    diagnosis = store.create(request, now=at, reuse=timedelta(0)).diagnosis
    saved = store.save(Diagnosis.model_validate({**diagnosis.model_dump(), **conclusion}))
    assert store.get(diagnosis.id) == saved
    assert store.request(diagnosis.id) == request


@relaxed
@given(at=moments, text=words, labels=st.dictionaries(words, words, max_size=3))
def test_events(database: Database, at: datetime, text: str, labels: dict[str, str]) -> None:
    store = EventStore(database)
    event = Event(timestamp=at, source="news", text=text, labels=labels)
    store.append([event])
    found = store.between(at, at + timedelta(microseconds=1))
    assert event.model_copy(update={"id": 0, "dedupe_key": ""}) in [
        one.model_copy(update={"id": 0, "dedupe_key": ""}) for one in found
    ]


@relaxed
@given(at=moments, comment=words, cause=st.none() | words)
def test_feedback(database: Database, at: datetime, comment: str, cause: str | None) -> None:
    store = FeedbackStore(database)
    said = Feedback(
        kind="diagnosis", target_id="D-1", verdict="correct", actual_cause=cause, comment=comment,
        author=comment, created_at=at,
    )  # fmt: skip
    assert store.add(said) == store.of("diagnosis", "D-1")[-1]


@relaxed
@given(
    threshold=maybe,
    levels=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4).map(sorted),
    labels=documents,
)
def test_rules(
    database: Database, threshold: float | None, levels: list[float], labels: dict[str, Any]
) -> None:
    thresholds = SeverityThresholds(low=levels[0], medium=levels[1], high=levels[2], critical=levels[3])
    rule = Rule(
        name="r",
        metric="*",
        threshold=threshold,
        severity_thresholds=thresholds,
        labels=dict.fromkeys(labels, "x"),
    )
    assert RuleStore(database).put(rule) == RuleStore(database).get("r")


@relaxed
@given(at=moments, ms=numbers, text=words)
def test_cycles_and_sources(database: Database, at: datetime, ms: float, text: str) -> None:
    cycle = CycleStore(database).claim_slot(at, text, at)
    if cycle is not None:
        done = cycle.model_copy(
            update={
                "status": "done",
                "finished_at": at,
                "detectors": (DetectorState(name=text, status="failed", error=text),),
                "steps": (StepTime(name=text, ms=ms),),
            }
        )
        CycleStore(database).finish(done)
        assert CycleStore(database).get(cycle.id) == done
        assert isinstance(done, Cycle)
    health = SourceHealth(name=text, kind="sql", status="ok", last_success_at=at, lag_seconds=ms)
    state = SourceState("s", text, {"opened": ms}, health)
    SourceStateStore(database).put(state, at)
    assert SourceStateStore(database).get("s") == state


def test_ten_thousand_random_instants_are_exact_and_sort_as_times_do(database: Database) -> None:
    """Whole microseconds between the years 1970 and 9999, as far as the column type goes."""
    micros = np.random.default_rng(5).integers(0, 253_402_300_799_000_000, 10_000)
    instants = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(one)) for one in micros]
    table = table_of(people.ThreadRow)
    with database.write() as connection:
        connection.execute(
            insert_into(connection, table),
            [
                {"owner": str(i), "title": "", "created_at": one, "updated_at": one}
                for i, one in enumerate(instants)
            ],
        )
    with database.read() as connection:
        stored = connection.execute(select(table.c.created_at).order_by(table.c.created_at)).scalars().all()
    assert stored == sorted(instants)


@given(st.builds(lambda a, e: [a, e], anomalies, evidence))
def test_a_domain_object_is_made_plain_without_loss(values: list[Any]) -> None:
    for value in values:
        assert type(value).model_validate(to_plain(value)) == value


def test_the_gate_stands_in_the_column_types(database: Database) -> None:
    """Whoever writes a row past the stores meets the same rules."""
    table = table_of(people.FeedbackRow)
    row = {
        "kind": "anomaly", "target_id": "A\x00", "verdict": "x", "author": "a\ud800",
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
        "id": np.int64(7),
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(insert(table), row)
        stored = connection.execute(select(table)).one()
    assert (stored.id, stored.target_id, stored.author) == (7, "A\ufffd", "a\ufffd")
