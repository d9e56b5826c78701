"""Who has a page open sees an escalation at once: whoever stores one says so, once."""

from datetime import datetime, timedelta

from alert_cases import NOW, anomaly

from alerts.settings import AlertSettings
from db.anomalies import AnomalyStore
from db.database import Database
from db.detections import CycleWriter
from db.diagnoses import DiagnosisStore
from db.feedback import FeedbackStore
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.records import IncidentPlan
from db.samples import SampleStore
from db.series import SeriesStore
from service.alerting import Alerting, Storyteller
from service.windows import Windows


def _alerting(database: Database, clock: list[datetime]) -> Alerting:
    settings = AlertSettings.model_validate(
        {
            "escalate_after_minutes": 15,
            "escalate_to": ["webhook:pager"],
            "webhook": [{"name": name, "url": f"https://{name}.example/x"} for name in ("desk", "pager")],
        }
    )
    samples, series = SampleStore(database), SeriesStore(database)
    stories = Storyteller(
        IncidentStore(database),
        AnomalyStore(database),
        DiagnosisStore(database),
        FeedbackStore(database),
        Windows(samples, series, timedelta(hours=24), timedelta(days=28)),
    )
    return Alerting(settings, OutboxStore(database), stories, lambda: clock[0])


def test_an_escalation_is_said_once_by_whoever_stored_it(database: Database) -> None:
    clock, seen = [NOW], list[str]()
    replicas = [_alerting(database, clock) for _ in range(2)]
    for one in replicas:
        one.escalated = seen.append
    CycleWriter(database).save_detections(
        [anomaly(1, id="")],
        NOW,
        lambda loose, _open: [IncidentPlan(None, (loose[0].id,))],
        replicas[0].decide(NOW),
    )
    for minutes in (14, 60):
        clock[0] = NOW + timedelta(minutes=minutes)
        for one in replicas:
            assert one.worker.before_turn is not None
            one.worker.before_turn()
        assert seen == (["I-1"] if minutes == 60 else [])
    shown = IncidentStore(database).get("I-1")
    assert (shown.escalation, shown.escalated_at) == (1, clock[0])
