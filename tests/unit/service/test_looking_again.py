"""An incident is looked at again while there is more to see, ever more rarely."""

from datetime import UTC, datetime, timedelta

from domain.anomaly import Anomaly, AnomalyType, Severity
from domain.diagnosis import Diagnosis, Outcome
from domain.incident import Incident
from service.investigations import MAX_DIAGNOSES_PER_INCIDENT, needs_diagnosis, request_for

START = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def anomaly(
    series: str, minutes: float = 0, severity: Severity = "high", kind: AnomalyType = "execution_delay"
) -> Anomaly:
    at = START + minutes * MINUTE
    return Anomaly(
        id=f"A-{series}",
        timestamp=at,
        detected_at=at + 5 * MINUTE,
        anomaly_type=kind,
        severity=severity,
        confidence=0.9,
        rule="r",
        method="pca" if kind == "multivariate" else "combined",
        score=5.0,
        direction="up",
        affected_metrics=(series,),
    )


INCIDENT = Incident(id="I-1", title="t", severity="high", started_at=START)
LATENCY = anomaly("latency_ms")


def diagnosis(minutes: float, outcome: Outcome, confidence: float, lead: Anomaly = LATENCY) -> Diagnosis:
    return Diagnosis(
        anomaly_id=lead.id,
        timestamp=START + minutes * MINUTE,
        start_time=START,
        end_time=START + minutes * MINUTE,
        affected_metrics=("latency_ms",),
        outcome=outcome,
        confidence_score=confidence,
    )


def test_a_new_incident_is_looked_at() -> None:
    assert needs_diagnosis(INCIDENT, [LATENCY], [], START)


def test_a_sure_cause_is_left_alone_until_other_series_join() -> None:
    known = [diagnosis(0, "cause_found", 0.95)]
    assert not needs_diagnosis(INCIDENT, [LATENCY], known, START + 10 * MINUTE)
    assert needs_diagnosis(INCIDENT, [LATENCY, anomaly("queue")], known, START + 5 * MINUTE)


def test_what_a_sure_cause_costs_is_brought_up_to_date_now_and_then() -> None:
    known = [diagnosis(0, "cause_found", 0.95)]
    assert needs_diagnosis(INCIDENT, [LATENCY], known, START + 15 * MINUTE)
    known.append(diagnosis(15, "cause_found", 0.95))
    assert not needs_diagnosis(INCIDENT, [LATENCY], known, START + 45 * MINUTE)
    assert needs_diagnosis(INCIDENT, [LATENCY], known, START + 60 * MINUTE)


def test_an_incident_is_looked_at_once_more_when_it_is_over() -> None:
    over = INCIDENT.model_copy(update={"status": "resolved", "ended_at": START + 40 * MINUTE})
    known = [diagnosis(5, "cause_found", 0.95)]
    assert needs_diagnosis(over, [LATENCY], known, START + 45 * MINUTE)
    assert request_for(over, [LATENCY], START + 45 * MINUTE).end_time == START + 40 * MINUTE
    known.append(diagnosis(40, "cause_found", 0.95))
    assert not needs_diagnosis(over, [LATENCY], known, START + 50 * MINUTE)


def test_an_open_question_is_asked_again_in_the_next_cycle_and_then_more_rarely() -> None:
    once, twice = [diagnosis(0, "inconclusive", 0.6)], [diagnosis(n, "inconclusive", 0.6) for n in (0, 5)]
    assert needs_diagnosis(INCIDENT, [LATENCY], once, START + 5 * MINUTE)
    assert not needs_diagnosis(INCIDENT, [LATENCY], twice, START + 10 * MINUTE)
    assert needs_diagnosis(INCIDENT, [LATENCY], twice, START + 15 * MINUTE)


def test_an_open_question_that_is_more_by_now_is_asked_in_the_cycle_after() -> None:
    twice = [diagnosis(n, "inconclusive", 0.6) for n in (0, 5)]
    assert needs_diagnosis(INCIDENT, [LATENCY, anomaly("queue", 10)], twice, START + 10 * MINUTE)
    thrice = [*twice, diagnosis(10, "inconclusive", 0.6)]
    assert not needs_diagnosis(INCIDENT, [LATENCY, anomaly("queue", 10)], thrice, START + 15 * MINUTE)


def test_looks_before_something_worse_joined_do_not_make_the_next_one_wait() -> None:
    worse = anomaly("orders", 15, "critical", "silent_strategy")
    known = [diagnosis(n, "inconclusive", 0.6) for n in (0, 5, 15)]
    known.append(diagnosis(20, "inconclusive", 0.6, lead=worse))
    assert not needs_diagnosis(INCIDENT, [LATENCY], known, START + 25 * MINUTE)
    assert needs_diagnosis(INCIDENT, [LATENCY, worse], known, START + 25 * MINUTE)


def test_what_began_at_another_time_is_a_new_question() -> None:
    known = [diagnosis(n, "no_fault", 0.9) for n in (0, 5, 15, 35)]
    later = anomaly("queue", 60, "critical")
    weak = anomaly("latency_ms", 0, "low")
    assert not needs_diagnosis(INCIDENT, [weak, anomaly("queue", 5, "low")], known, START + 60 * MINUTE)
    assert needs_diagnosis(INCIDENT, [weak, later], known, START + 65 * MINUTE)


def test_a_resolved_incident_and_one_that_was_looked_at_often_are_left_alone() -> None:
    late = START + timedelta(days=1)
    resolved = INCIDENT.model_copy(update={"status": "resolved", "ended_at": START})
    assert not needs_diagnosis(resolved, [LATENCY], [diagnosis(0, "inconclusive", 0.5)], late)
    often = [diagnosis(n, "inconclusive", 0.5) for n in range(MAX_DIAGNOSES_PER_INCIDENT)]
    assert not needs_diagnosis(INCIDENT, [LATENCY], often, late)


def test_the_question_starts_with_the_core_and_not_with_what_came_along() -> None:
    early = anomaly("cpu", -60, "low")
    joint = anomaly("orders", -30, "critical", "multivariate")
    request = request_for(INCIDENT, [early, joint, LATENCY], START + 5 * MINUTE)
    assert request.start_time == START
    assert request.affected_metrics[0] == "latency_ms"
