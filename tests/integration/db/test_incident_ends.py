"""An incident ends with what made it, and goes on when that flares up again."""

from datetime import UTC, datetime, timedelta
from typing import Any

from db.database import Database
from db.detections import CycleWriter
from db.incidents import IncidentStore
from db.records import IncidentPlan
from domain.anomaly import Anomaly, Severity
from domain.incident import Incident

NOW = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRACE = 30 * MINUTE


def anomaly(
    series: str, severity: Severity = "high", minute: int = 0, ended_minute: int | None = None
) -> Anomaly:
    ended_at = None if ended_minute is None else NOW + ended_minute * MINUTE
    return Anomaly(
        timestamp=NOW + minute * MINUTE,
        detected_at=NOW + minute * MINUTE,
        anomaly_type="performance_drop",
        severity=severity,
        confidence=0.9,
        rule="pnl",
        method="combined",
        score=7.5,
        direction="down",
        affected_metrics=(series,),
        status="open" if ended_at is None else "resolved",
        ended_at=ended_at,
    )


def together(loose: Any, known: Any) -> list[IncidentPlan]:
    return [IncidentPlan(known[0][0].id if known else None, tuple(one.id for one in loose))]


def cycle(database: Database, minute: int, *anomalies: Anomaly) -> Incident:
    """Store what was found at a minute; the first incident afterwards."""
    CycleWriter(database).save_detections(
        anomalies, NOW + minute * MINUTE, together, lambda *_: (), reopen_within=GRACE
    )
    return IncidentStore(database).get("I-1")


def test_what_merely_came_along_keeps_no_incident_open(database: Database) -> None:
    cycle(database, 0, anomaly("pnl"), anomaly("cpu_percent", "low"))
    after = cycle(database, 20, anomaly("pnl", ended_minute=15))
    assert (after.status, after.ended_at) == ("resolved", NOW + 15 * MINUTE)


def test_what_came_along_and_grows_strong_opens_it_again(database: Database) -> None:
    cycle(database, 0, anomaly("pnl"), anomaly("cpu_percent", "low"))
    cycle(database, 20, anomaly("pnl", ended_minute=15))
    after = cycle(database, 25, anomaly("cpu_percent", "high"))
    assert (after.status, after.ended_at) == ("open", None)


def test_what_flares_up_soon_after_the_end_is_the_same_incident(database: Database) -> None:
    cycle(database, 0, anomaly("pnl"))
    cycle(database, 10, anomaly("pnl", ended_minute=10))
    after = cycle(database, 30, anomaly("pnl", minute=30))
    assert (after.status, after.anomaly_ids) == ("open", ("A-1", "A-2"))


def test_what_comes_long_after_the_end_is_another_one(database: Database) -> None:
    cycle(database, 0, anomaly("pnl"))
    cycle(database, 10, anomaly("pnl", ended_minute=10))
    after = cycle(database, 60, anomaly("pnl", minute=60))
    assert (after.status, after.anomaly_ids) == ("resolved", ("A-1",))
    assert IncidentStore(database).get("I-2").status == "open"


def test_what_a_person_closed_is_not_opened_by_something_new(database: Database) -> None:
    cycle(database, 0, anomaly("pnl"))
    IncidentStore(database).patch("I-1", {"status": "resolved"}, NOW + 5 * MINUTE)
    after = cycle(database, 10, anomaly("slippage_bps", minute=10))
    assert (after.status, after.anomaly_ids) == ("resolved", ("A-1",))
