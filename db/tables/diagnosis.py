"""Diagnoses with their versions, evidence and actions, and the runs that made them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from db.tables.columns import Bytes, Document, Instant, Number, Row, Whole, Words


class DiagnosisRow(Row, table=True):
    """The head of a diagnosis. `active_digest` is set while it runs: equal requests share one run."""

    __tablename__ = "diagnosis"
    __table_args__ = (
        Index("ix_diagnosis_timestamp", "timestamp", "id"),
        Index("ix_diagnosis_request_digest", "request_digest", "timestamp"),
        Index("ix_diagnosis_anomaly_id", "anomaly_id"),
        Index("ix_diagnosis_incident_id", "incident_id"),
        Index("ix_diagnosis_status", "status"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    version: int = Field(sa_type=Whole)
    status: str = Field(sa_type=Words)
    outcome: str | None = Field(default=None, sa_type=Words)
    cause: str | None = Field(default=None, sa_type=Words)
    timestamp: datetime = Field(sa_type=Instant)
    anomaly_id: str | None = Field(default=None, sa_type=Words)
    incident_id: str | None = Field(default=None, sa_type=Words)
    request: dict[str, Any] = Field(sa_type=Document)
    request_digest: str = Field(sa_type=Words)
    active_digest: str | None = Field(default=None, unique=True, sa_type=Words)
    idempotency_key: str | None = Field(default=None, unique=True, sa_type=Words)
    search_text: str = Field(sa_type=Words)


class DiagnosisVersionRow(Row, table=True):
    """One state of a diagnosis worth keeping; its evidence is stored with `evidence_version`."""

    __tablename__ = "diagnosis_version"

    diagnosis_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="diagnosis.id", ondelete="CASCADE")
    version: int = Field(primary_key=True, sa_type=Whole)
    evidence_version: int = Field(sa_type=Whole)
    body: dict[str, Any] = Field(sa_type=Document)


class EvidenceRow(Row, table=True):
    __tablename__ = "evidence"

    diagnosis_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="diagnosis.id", ondelete="CASCADE")
    version: int = Field(primary_key=True, sa_type=Whole)
    position: int = Field(primary_key=True, sa_type=Whole)
    name: str = Field(sa_type=Words)
    kind: str = Field(sa_type=Words)
    body: dict[str, Any] = Field(sa_type=Document)


class LedgerRow(Row, table=True):
    """What a finished diagnosis was reasoned from, packed: with it the reasoning can be repeated."""

    __tablename__ = "diagnosis_ledger"

    diagnosis_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="diagnosis.id", ondelete="CASCADE")
    body: bytes = Field(sa_type=Bytes)


class ActionRow(Row, table=True):
    """Who ticked which action of a diagnosis; laid over every version that is read."""

    __tablename__ = "diagnosis_action"

    diagnosis_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="diagnosis.id", ondelete="CASCADE")
    n: int = Field(primary_key=True, sa_type=Whole)
    done: bool
    done_by: str | None = Field(default=None, sa_type=Words)
    done_at: datetime | None = Field(default=None, sa_type=Instant)


class RunRow(Row, table=True):
    """One investigation or chat answer in progress or finished."""

    __tablename__ = "run"
    __table_args__ = (
        Index("ix_run_subject", "subject"),
        Index("ix_run_status", "status"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    kind: str = Field(sa_type=Words)
    subject: str = Field(sa_type=Words)
    status: str = Field(sa_type=Words)
    started_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)


class RunEventRow(Row, table=True):
    __tablename__ = "run_event"

    run_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="run.id", ondelete="CASCADE")
    seq: int = Field(primary_key=True, sa_type=Whole)
    type: str = Field(sa_type=Words)
    at: datetime = Field(sa_type=Instant)
    data: dict[str, Any] = Field(sa_type=Document)


class ModelCallRow(Row, table=True):
    """One call of a language model: what it cost and, for the record, what was asked and answered."""

    __tablename__ = "model_call"
    __table_args__ = (
        Index("ix_model_call_at", "at"),
        Index("ix_model_call_subject", "subject"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    at: datetime = Field(sa_type=Instant)
    model: str = Field(sa_type=Words)
    subject: str | None = Field(default=None, sa_type=Words)
    input_tokens: int = Field(sa_type=Whole)
    output_tokens: int = Field(sa_type=Whole)
    cost_usd: float | None = Field(default=None, sa_type=Number)
    prompt_version: str | None = Field(default=None, sa_type=Words)
    prompt: str | None = Field(default=None, sa_type=Words)
    answer: str | None = Field(default=None, sa_type=Words)
