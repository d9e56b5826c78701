"""What people say and do: chat, feedback and the audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from db.tables.columns import Document, Instant, Row, Whole, Words


class ThreadRow(Row, table=True):
    __tablename__ = "chat_thread"
    __table_args__ = (Index("ix_chat_thread_owner", "owner"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    owner: str = Field(sa_type=Words)
    title: str = Field(sa_type=Words)
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class MessageRow(Row, table=True):
    __tablename__ = "chat_message"

    thread_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="chat_thread.id", ondelete="CASCADE")
    n: int = Field(primary_key=True, sa_type=Whole)
    role: str = Field(sa_type=Words)
    text: str = Field(sa_type=Words)
    at: datetime = Field(sa_type=Instant)
    run_id: int | None = Field(default=None, sa_type=Whole)
    citations: list[Any] = Field(sa_type=Document)
    tool_calls: list[Any] = Field(sa_type=Document)


class FeedbackRow(Row, table=True):
    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_kind_target_id", "kind", "target_id"),
        Index("ix_feedback_author", "author", "created_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    kind: str = Field(sa_type=Words)
    target_id: str = Field(sa_type=Words)
    verdict: str = Field(sa_type=Words)
    actual_cause: str | None = Field(default=None, sa_type=Words)
    comment: str | None = Field(default=None, sa_type=Words)
    author: str = Field(sa_type=Words)
    created_at: datetime = Field(sa_type=Instant)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Instant)


class AuditRow(Row, table=True):
    """One entry of the audit log; `hash` covers the entry and the hash before it."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject"),)

    seq: int = Field(primary_key=True, sa_type=Whole)
    at: datetime = Field(sa_type=Instant)
    actor: str = Field(sa_type=Words)
    action: str = Field(sa_type=Words)
    subject: str = Field(sa_type=Words)
    reason: str = Field(sa_type=Words)
    before: str = Field(sa_type=Words)
    after: str = Field(sa_type=Words)
    previous: str = Field(sa_type=Words)
    hash: str = Field(sa_type=Words)


class AuditHeadRow(Row, table=True):
    """One row: the last entry, so that cutting off the end of the log shows too."""

    __tablename__ = "audit_head"

    id: int = Field(primary_key=True, sa_type=Whole)
    seq: int = Field(sa_type=Whole)
    hash: str = Field(sa_type=Words)
