"""A cycle's detections are stored as one, and storing them again changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from db.anomalies import AnomalyFilter, AnomalyStore
from db.database import Database
from db.detections import CycleWriter
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import AlertIntent, IncidentPlan
from domain.anomaly import Anomaly
from domain.errors import InvalidInput
from domain.incident import Incident

NOW = datetime(2026, 3, 1, 6, 10, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def anomaly(series: str = 'pnl{strategy="mm_btc"}', onset: datetime = NOW, **changes: object) -> Anomaly:
    values: dict[str, object] = {
        "timestamp": onset,
        "detected_at": onset + MINUTE,
        "anomaly_type": "performance_drop",
        "severity": "high",
        "confidence": 0.9,
        "rule": "pnl_drop",
        "method": "combined",
        "score": 7.5,
        "direction": "down",
        "affected_metrics": (series,),
        "data_sources": ("pnl_data",),
    }
    return Anomaly.model_validate(values | changes)


def all_together(
    loose: Sequence[Anomaly], open_incidents: Sequence[tuple[Incident, Sequence[Anomaly]]]
) -> Sequence[IncidentPlan]:
    """Everything belongs to the one open incident, or to a new one."""
    first = open_incidents[0][0].id if open_incidents else None
    return [IncidentPlan(first, tuple(one.id for one in loose))]


class Policy:
    """Opens, updates and resolves to one receiver, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Incident, Incident | None]] = []

    def __call__(
        self, incident: Incident, anomalies: Sequence[Anomaly], previous: Incident | None
    ) -> Sequence[AlertIntent]:
        self.asked.append((incident, previous))
        assert {one.id for one in anomalies} == set(incident.anomaly_ids)
        kind = "opened" if previous is None else "resolved" if incident.status == "resolved" else "updated"
        key = f"{incident.id}:{kind}:{len(anomalies)}:{incident.severity}"
        return [AlertIntent("slack", kind, key, {"title": incident.title}, NOW)]


def test_detections_become_anomalies_an_incident_and_an_alert_at_once(database: Database) -> None:
    saved = CycleWriter(database).save_detections(
        [anomaly(), anomaly('orders{venue="bybit"}', NOW + MINUTE, severity="critical")],
        NOW,
        all_together,
        Policy(),
    )
    assert [one.id for one in saved.anomalies] == list(saved.created) == ["A-1", "A-2"]
    assert [one.incident_id for one in saved.anomalies] == ["I-1", "I-1"]
    incident = IncidentStore(database).get("I-1")
    assert saved.incidents == (incident,)
    assert (incident.status, incident.severity, incident.started_at) == ("open", "critical", NOW)
    assert incident.anomaly_ids == ("A-1", "A-2")
    assert AnomalyStore(database).get("A-1") == saved.anomalies[0]
    [message] = OutboxStore(database).claim(NOW, MINUTE)
    assert (message.kind, message.subject, message.incident_id) == ("opened", "I-1", "I-1")


def test_the_same_detections_again_change_nothing(database: Database) -> None:
    writer, policy = CycleWriter(database), Policy()
    first = [
        anomaly(z_score=float("inf"), raw_data={"votes": (1, 2), "at": NOW}),
        anomaly("x", severity="low"),
    ]
    writer.save_detections(first, NOW, all_together, policy)
    again = [one.model_copy(update={"detected_at": NOW + 9 * MINUTE}) for one in first]
    saved = writer.save_detections(again, NOW + MINUTE, all_together, policy)
    assert (saved.anomalies, saved.incidents, saved.alerts) == ((), (), 0)
    assert len(policy.asked) == 1
    assert AnomalyStore(database).get("A-1").detected_at == NOW + MINUTE


def test_an_anomaly_grows_and_ends_under_its_first_id(database: Database) -> None:
    writer, policy = CycleWriter(database), Policy()
    writer.save_detections([anomaly()], NOW, all_together, policy)
    writer.save_detections([anomaly(severity="critical", score=99.0)], NOW, all_together, policy)
    ended = anomaly(severity="critical", score=99.0, status="resolved", ended_at=NOW + 5 * MINUTE)
    saved = writer.save_detections([ended], NOW + 6 * MINUTE, all_together, policy)
    assert [one.id for one in saved.anomalies] == ["A-1"]
    assert saved.created == ()
    [incident] = saved.incidents
    assert (incident.status, incident.ended_at) == ("resolved", NOW + 5 * MINUTE)
    kinds = [message.kind for message in OutboxStore(database).list().items[::-1]]
    assert kinds == ["opened", "updated", "resolved"]
    assert AnomalyStore(database).open() == []


def test_a_new_anomaly_joins_the_open_incident(database: Database) -> None:
    writer, policy = CycleWriter(database), Policy()
    writer.save_detections([anomaly()], NOW, all_together, policy)
    saved = writer.save_detections([anomaly("late", NOW + MINUTE)], NOW + MINUTE, all_together, policy)
    assert [one.id for one in saved.incidents] == ["I-1"]
    assert saved.incidents[0].anomaly_ids == ("A-1", "A-2")
    _incident, previous = policy.asked[-1]
    assert previous is not None
    assert previous.anomaly_ids == ("A-1",)


def test_an_incident_that_somebody_resolved_stays_so_while_its_anomaly_grows(
    database: Database,
) -> None:
    writer, policy = CycleWriter(database), Policy()
    writer.save_detections([anomaly()], NOW, all_together, policy)
    IncidentStore(database).patch("I-1", {"status": "resolved"}, NOW + MINUTE)
    writer.save_detections([anomaly(score=8.0)], NOW, all_together, policy)
    assert IncidentStore(database).get("I-1").status == "resolved"


def test_an_anomaly_that_ended_too_early_reopens_its_incident(database: Database) -> None:
    writer, policy = CycleWriter(database), Policy()
    writer.save_detections([anomaly(status="resolved", ended_at=NOW + MINUTE)], NOW, all_together, policy)
    assert IncidentStore(database).get("I-1").status == "resolved"
    writer.save_detections([anomaly()], NOW + 2 * MINUTE, all_together, policy)
    assert IncidentStore(database).get("I-1").status == "open"


def test_nothing_is_stored_where_the_policy_fails(database: Database) -> None:
    def broken(*_: object) -> Sequence[AlertIntent]:
        raise RuntimeError("policy is broken")

    with pytest.raises(RuntimeError):
        CycleWriter(database).save_detections([anomaly()], NOW, all_together, broken)
    assert AnomalyStore(database).list().items == ()
    assert IncidentStore(database).list().items == ()


def test_a_score_that_is_no_number_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match="pnl_drop"):
        CycleWriter(database).save_detections([anomaly(score=float("nan"))], NOW, all_together, Policy())


def test_anomalies_are_found_by_every_filter(database: Database) -> None:
    CycleWriter(database).save_detections(
        [
            anomaly(),
            anomaly("price", NOW + MINUTE, anomaly_type="price_spike", severity="low"),
            anomaly("price", NOW + 2 * MINUTE, status="resolved", ended_at=NOW + 3 * MINUTE),
        ],
        NOW,
        lambda _loose, _open: [],
        Policy(),
    )
    store = AnomalyStore(database)

    def ids(**wanted: object) -> list[str]:
        return [one.id for one in store.list(AnomalyFilter(**wanted)).items]  # type: ignore[arg-type]

    assert ids() == ["A-3", "A-2", "A-1"]
    assert ids(start=NOW + MINUTE) == ["A-3", "A-2"]
    assert ids(end=NOW + MINUTE) == ["A-1"]
    assert ids(min_severity="medium") == ["A-3", "A-1"]
    assert ids(anomaly_type="price_spike") == ["A-2"]
    assert ids(metric="pnl") == ids(metric='pnl{strategy="mm_btc"}') == ["A-1"]
    assert ids(metric='pnl{strategy="other"}') == ids(metric="pn%") == []
    assert ids(status="resolved") == ["A-3"]
    assert ids(incident_id="I-1") == []


def test_a_list_is_read_page_by_page_without_gap_or_repeat(database: Database) -> None:
    many = [anomaly(f"s{i}", NOW + (i // 3) * MINUTE) for i in range(20)]
    CycleWriter(database).save_detections(many, NOW, lambda _loose, _open: [], Policy())
    store = AnomalyStore(database)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = store.list(limit=7, cursor=cursor)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 20
    assert seen == [one.id for one in store.iterate()]
    for bad in ("%%%", "WzFd", "WzEsICJ4Il0", "W" * 9):
        with pytest.raises(InvalidInput):
            store.list(cursor=bad)
