"""Events, and how far each source has been read."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from db.tables.columns import Document, Instant, Row, Whole, Words


class EventRow(Row, table=True):
    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_timestamp", "timestamp"),
        Index("ix_event_source_timestamp", "source", "timestamp"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    timestamp: datetime = Field(sa_type=Instant)
    source: str = Field(sa_type=Words)
    text: str = Field(sa_type=Words)
    labels: dict[str, Any] = Field(sa_type=Document)
    dedupe_key: str = Field(unique=True, sa_type=Words)


class SourceRow(Row, table=True):
    """What a collector must remember: its watermark, its circuit breaker and its health."""

    __tablename__ = "source_state"

    name: str = Field(primary_key=True, sa_type=Words)
    watermark: Any = Field(default=None, sa_type=Document, nullable=True)
    breaker: Any = Field(default=None, sa_type=Document, nullable=True)
    health: Any = Field(default=None, sa_type=Document, nullable=True)
    updated_at: datetime = Field(sa_type=Instant)
