"""The database as the doors see it: one store per noun."""

from dataclasses import dataclass
from typing import Self

from db.anomalies import AnomalyStore
from db.audit import AuditStore
from db.chat import ChatStore
from db.cycles import CycleStore
from db.database import Database
from db.diagnoses import DiagnosisStore
from db.events import EventStore
from db.feedback import FeedbackStore
from db.idempotency import DeliveryStore, IdempotencyStore
from db.inbox import InboxStore
from db.incidents import IncidentStore
from db.outbox import OutboxStore
from db.rules import RuleStore
from db.runs import RunStore
from db.samples import SampleStore
from db.series import SeriesStore
from db.usage import UsageStore


@dataclass(frozen=True, slots=True)
class Stores:
    series: SeriesStore
    samples: SampleStore
    events: EventStore
    rules: RuleStore
    anomalies: AnomalyStore
    incidents: IncidentStore
    diagnoses: DiagnosisStore
    runs: RunStore
    cycles: CycleStore
    feedback: FeedbackStore
    usage: UsageStore
    idempotency: IdempotencyStore
    deliveries: DeliveryStore
    chats: ChatStore
    audit: AuditStore
    outbox: OutboxStore
    inbox: InboxStore

    @classmethod
    def of(cls, database: Database) -> Self:
        """All stores of a database; samples and series share what they know."""
        series = SeriesStore(database)
        return cls(
            series=series,
            samples=SampleStore(database, series),
            events=EventStore(database),
            rules=RuleStore(database),
            anomalies=AnomalyStore(database),
            incidents=IncidentStore(database),
            diagnoses=DiagnosisStore(database),
            runs=RunStore(database),
            cycles=CycleStore(database),
            feedback=FeedbackStore(database),
            usage=UsageStore(database),
            idempotency=IdempotencyStore(database),
            deliveries=DeliveryStore(database),
            chats=ChatStore(database),
            audit=AuditStore(database),
            outbox=OutboxStore(database),
            inbox=InboxStore(database),
        )
