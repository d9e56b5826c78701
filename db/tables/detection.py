"""Rules, anomalies and incidents."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from db.tables.columns import Document, Instant, Number, Row, Whole, Words


class RuleRow(Row, table=True):
    __tablename__ = "rule"

    name: str = Field(primary_key=True, sa_type=Words)
    body: dict[str, Any] = Field(sa_type=Document)


class BuiltInRuleRow(Row, table=True):
    __tablename__ = "built_in_rule"

    name: str = Field(primary_key=True, sa_type=Words)


class IncidentRow(Row, table=True):
    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_started_at", "started_at", "id"),
        Index("ix_incident_status", "status"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    title: str = Field(sa_type=Words)
    status: str = Field(sa_type=Words)
    severity: int = Field(sa_type=Whole)
    started_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    assignee: str | None = Field(default=None, sa_type=Words)
    snoozed_until: datetime | None = Field(default=None, sa_type=Instant)
    diagnosis_id: int | None = Field(default=None, sa_type=Whole)
    impact: Any = Field(default=None, sa_type=Document, nullable=True)


class AnomalyRow(Row, table=True):
    """What lists filter by stands in columns, the rest in `body`; `severity` is a rank from 0."""

    __tablename__ = "anomaly"
    __table_args__ = (
        Index("ix_anomaly_timestamp", "timestamp", "id"),
        Index("ix_anomaly_type", "anomaly_type", "timestamp", "id"),
        Index("ix_anomaly_severity", "severity", "timestamp", "id"),
        Index("ix_anomaly_status", "status", "timestamp", "id"),
        Index("ix_anomaly_incident_id", "incident_id"),
        Index("ix_anomaly_rule", "timestamp", "rule", "incident_id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    digest: str = Field(unique=True, sa_type=Words)
    timestamp: datetime = Field(sa_type=Instant)
    detected_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    anomaly_type: str = Field(sa_type=Words)
    severity: int = Field(sa_type=Whole)
    status: str = Field(sa_type=Words)
    score: float = Field(sa_type=Number)
    rule: str = Field(default="", sa_type=Words, sa_column_kwargs={"server_default": ""})
    incident_id: int | None = Field(default=None, sa_type=Whole, foreign_key="incident.id")
    body: dict[str, Any] = Field(sa_type=Document)


class AnomalyMetricRow(Row, table=True):
    """What an anomaly is about: metric names and, as digests, full series names."""

    __tablename__ = "anomaly_metric"
    __table_args__ = (Index("ix_anomaly_metric_term", "term", "anomaly_id"),)

    anomaly_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="anomaly.id", ondelete="CASCADE")
    term: str = Field(primary_key=True, sa_type=Words)
