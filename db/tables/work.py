"""Work that must happen exactly once: alerts, slots, answers to repeated requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from db.tables.columns import Bytes, Document, Instant, Row, Whole, Words


class OutboxRow(Row, table=True):
    """A message to a receiver; `subject` is what it is about, usually an incident."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_state", "state", "not_before"),
        Index("ix_outbox_receiver_subject", "receiver", "subject", "id"),
        Index("ix_outbox_incident_id", "incident_id"),
        Index("ix_outbox_created_at", "created_at", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    dedupe_key: str = Field(unique=True, sa_type=Words)
    receiver: str = Field(sa_type=Words)
    kind: str = Field(sa_type=Words)
    subject: str = Field(sa_type=Words)
    incident_id: int | None = Field(default=None, sa_type=Whole)
    payload: dict[str, Any] = Field(sa_type=Document)
    state: str = Field(sa_type=Words)
    created_at: datetime = Field(sa_type=Instant)
    not_before: datetime = Field(sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    attempts: int = Field(sa_type=Whole)
    possible_repeat: bool
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    remote_ref: str | None = Field(default=None, sa_type=Words)
    error: str | None = Field(default=None, sa_type=Words)


class MessageRefRow(Row, table=True):
    """Where a receiver keeps the message about a subject, for updates in place."""

    __tablename__ = "message_ref"

    receiver: str = Field(primary_key=True, sa_type=Words)
    subject: str = Field(primary_key=True, sa_type=Words)
    remote_ref: str = Field(sa_type=Words)


class CycleRow(Row, table=True):
    """One slot of a schedule, unique per scheduled time."""

    __tablename__ = "cycle"
    __table_args__ = (Index("ix_cycle_status", "status"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    scheduled_for: datetime = Field(unique=True, sa_type=Instant)
    status: str = Field(sa_type=Words)
    owner: str | None = Field(default=None, sa_type=Words)
    heartbeat_at: datetime | None = Field(default=None, sa_type=Instant)
    body: dict[str, Any] = Field(sa_type=Document)


class IdempotencyRow(Row, table=True):
    """The answer to a request that carried an Idempotency-Key; no status yet means in progress."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    key: str = Field(primary_key=True, sa_type=Words)
    request_digest: str = Field(sa_type=Words)
    created_at: datetime = Field(sa_type=Instant)
    status: int | None = Field(default=None, sa_type=Whole)
    headers: Any = Field(default=None, sa_type=Document, nullable=True)
    body: bytes | None = Field(default=None, sa_type=Bytes)


class DeliveryRow(Row, table=True):
    """A webhook or Slack delivery that was seen; a second one of the same id has no effect."""

    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_seen_at", "seen_at"),)

    channel: str = Field(primary_key=True, sa_type=Words)
    delivery_id: str = Field(primary_key=True, sa_type=Words)
    seen_at: datetime = Field(sa_type=Instant)


class InboxRow(Row, table=True):
    """Something that was sent to us, kept before we say so; a second one of the same id has no effect."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_waiting", "channel", "done_at", "received_at"),)

    channel: str = Field(primary_key=True, sa_type=Words)
    delivery_id: str = Field(primary_key=True, sa_type=Words)
    lane: str = Field(sa_type=Words)
    payload: dict[str, Any] = Field(sa_type=Document)
    received_at: datetime = Field(sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    attempts: int = Field(sa_type=Whole)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    error: str | None = Field(default=None, sa_type=Words)
