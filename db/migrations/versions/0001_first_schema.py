"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _upgrade_tables()
    _upgrade_search()
    op.execute("INSERT INTO sample_state (id, compacted_to, trimmed_to, epoch) VALUES (1, 0, 0, 0)")
    op.execute("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '')")


def downgrade() -> None:
    _downgrade_search()
    _downgrade_tables()


def _upgrade_tables() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "chat_thread",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_thread")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chat_thread_owner", "chat_thread", ["owner"], unique=False)
    op.create_table(
        "cycle",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycle")),
        sa.UniqueConstraint("scheduled_for", name=op.f("uq_cycle_scheduled_for")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_cycle_status", "cycle", ["status"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "delivery_id", name=op.f("pk_delivery")),
    )
    op.create_index("ix_delivery_seen_at", "delivery", ["seen_at"], unique=False)
    op.create_table(
        "diagnosis",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("anomaly_id", sa.Text(), nullable=True),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("active_digest", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_diagnosis")),
        sa.UniqueConstraint("active_digest", name=op.f("uq_diagnosis_active_digest")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_diagnosis_idempotency_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_diagnosis_anomaly_id", "diagnosis", ["anomaly_id"], unique=False)
    op.create_index("ix_diagnosis_incident_id", "diagnosis", ["incident_id"], unique=False)
    op.create_index("ix_diagnosis_request_digest", "diagnosis", ["request_digest", "timestamp"], unique=False)
    op.create_index("ix_diagnosis_status", "diagnosis", ["status"], unique=False)
    op.create_index("ix_diagnosis_timestamp", "diagnosis", ["timestamp", "id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_event_dedupe_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_source_timestamp", "event", ["source", "timestamp"], unique=False)
    op.create_index("ix_event_timestamp", "event", ["timestamp"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("actual_cause", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_author", "feedback", ["author", "created_at"], unique=False)
    op.create_index("ix_feedback_kind_target_id", "feedback", ["kind", "target_id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "incident",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("diagnosis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("impact", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incident_started_at", "incident", ["started_at", "id"], unique=False)
    op.create_index("ix_incident_status", "incident", ["status"], unique=False)
    op.create_table(
        "message_ref",
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("remote_ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("receiver", "subject", name=op.f("pk_message_ref")),
    )
    op.create_table(
        "model_call",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("output_tokens", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=True),
        sa.Column("prompt_version", sa.Text(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_call")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_model_call_at", "model_call", ["at"], unique=False)
    op.create_index("ix_model_call_subject", "model_call", ["subject"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("possible_repeat", sa.Boolean(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remote_ref", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_dedupe_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at", "id"], unique=False)
    op.create_index("ix_outbox_incident_id", "outbox", ["incident_id"], unique=False)
    op.create_index("ix_outbox_receiver_subject", "outbox", ["receiver", "subject", "id"], unique=False)
    op.create_index("ix_outbox_state", "outbox", ["state", "not_before"], unique=False)
    op.create_table(
        "rule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rule")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_status", "run", ["status"], unique=False)
    op.create_index("ix_run_subject", "run", ["subject"], unique=False)
    op.create_table(
        "sample_journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("samples", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_journal")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sample_state",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("compacted_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("trimmed_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_state")),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("step_s", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("digest", name=op.f("uq_series_digest")),
    )
    op.create_index("ix_series_metric", "series", ["metric"], unique=False)
    op.create_index("ix_series_step_s", "series", ["step_s"], unique=False)
    op.create_table(
        "source_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("watermark", sa.JSON(), nullable=True),
        sa.Column("breaker", sa.JSON(), nullable=True),
        sa.Column("health", sa.JSON(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_source_state")),
    )
    op.create_table(
        "anomaly",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("anomaly_type", sa.Text(), nullable=False),
        sa.Column("severity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_anomaly_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anomaly")),
        sa.UniqueConstraint("digest", name=op.f("uq_anomaly_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_anomaly_incident_id", "anomaly", ["incident_id"], unique=False)
    op.create_index("ix_anomaly_severity", "anomaly", ["severity", "timestamp", "id"], unique=False)
    op.create_index("ix_anomaly_status", "anomaly", ["status", "timestamp", "id"], unique=False)
    op.create_index("ix_anomaly_timestamp", "anomaly", ["timestamp", "id"], unique=False)
    op.create_index("ix_anomaly_type", "anomaly", ["anomaly_type", "timestamp", "id"], unique=False)
    op.create_table(
        "chat_message",
        sa.Column("thread_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("citations", sa.JSON(), nullable=False),
        sa.Column("tool_calls", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["chat_thread.id"],
            name=op.f("fk_chat_message_thread_id_chat_thread"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("thread_id", "n", name=op.f("pk_chat_message")),
    )
    op.create_table(
        "diagnosis_action",
        sa.Column("diagnosis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["diagnosis_id"],
            ["diagnosis.id"],
            name=op.f("fk_diagnosis_action_diagnosis_id_diagnosis"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("diagnosis_id", "n", name=op.f("pk_diagnosis_action")),
    )
    op.create_table(
        "diagnosis_version",
        sa.Column("diagnosis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("evidence_version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["diagnosis_id"],
            ["diagnosis.id"],
            name=op.f("fk_diagnosis_version_diagnosis_id_diagnosis"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("diagnosis_id", "version", name=op.f("pk_diagnosis_version")),
    )
    op.create_table(
        "evidence",
        sa.Column("diagnosis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["diagnosis_id"],
            ["diagnosis.id"],
            name=op.f("fk_evidence_diagnosis_id_diagnosis"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("diagnosis_id", "version", "position", name=op.f("pk_evidence")),
    )
    op.create_table(
        "run_event",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_run_event_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_run_event")),
    )
    op.create_table(
        "sample_chunk",
        sa.Column("day", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("series_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("start", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("samples", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("width", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticks", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_sample_chunk_series_id_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("day", "series_id", "start", name=op.f("pk_sample_chunk")),
    )
    op.create_index("ix_sample_chunk_series_id_last", "sample_chunk", ["series_id", "last"], unique=False)
    op.create_table(
        "series_label",
        sa.Column("series_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_series_label_series_id_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "name", name=op.f("pk_series_label")),
    )
    op.create_index("ix_series_label_name_value", "series_label", ["name", "value"], unique=False)
    op.create_table(
        "anomaly_metric",
        sa.Column("anomaly_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["anomaly_id"],
            ["anomaly.id"],
            name=op.f("fk_anomaly_metric_anomaly_id_anomaly"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("anomaly_id", "term", name=op.f("pk_anomaly_metric")),
    )
    op.create_index("ix_anomaly_metric_term", "anomaly_metric", ["term", "anomaly_id"], unique=False)


def _downgrade_tables() -> None:
    op.drop_index("ix_anomaly_metric_term", table_name="anomaly_metric")
    op.drop_table("anomaly_metric")
    op.drop_index("ix_series_label_name_value", table_name="series_label")
    op.drop_table("series_label")
    op.drop_index("ix_sample_chunk_series_id_last", table_name="sample_chunk")
    op.drop_table("sample_chunk")
    op.drop_table("run_event")
    op.drop_table("evidence")
    op.drop_table("diagnosis_version")
    op.drop_table("diagnosis_action")
    op.drop_table("chat_message")
    op.drop_index("ix_anomaly_type", table_name="anomaly")
    op.drop_index("ix_anomaly_timestamp", table_name="anomaly")
    op.drop_index("ix_anomaly_status", table_name="anomaly")
    op.drop_index("ix_anomaly_severity", table_name="anomaly")
    op.drop_index("ix_anomaly_incident_id", table_name="anomaly")
    op.drop_table("anomaly")
    op.drop_table("source_state")
    op.drop_index("ix_series_step_s", table_name="series")
    op.drop_index("ix_series_metric", table_name="series")
    op.drop_table("series")
    op.drop_table("sample_state")
    op.drop_table("sample_journal")
    op.drop_index("ix_run_subject", table_name="run")
    op.drop_index("ix_run_status", table_name="run")
    op.drop_table("run")
    op.drop_table("rule")
    op.drop_index("ix_outbox_state", table_name="outbox")
    op.drop_index("ix_outbox_receiver_subject", table_name="outbox")
    op.drop_index("ix_outbox_incident_id", table_name="outbox")
    op.drop_index("ix_outbox_created_at", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_model_call_subject", table_name="model_call")
    op.drop_index("ix_model_call_at", table_name="model_call")
    op.drop_table("model_call")
    op.drop_table("message_ref")
    op.drop_index("ix_incident_status", table_name="incident")
    op.drop_index("ix_incident_started_at", table_name="incident")
    op.drop_table("incident")
    op.drop_index("ix_idempotency_created_at", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index("ix_feedback_kind_target_id", table_name="feedback")
    op.drop_index("ix_feedback_author", table_name="feedback")
    op.drop_table("feedback")
    op.drop_index("ix_event_timestamp", table_name="event")
    op.drop_index("ix_event_source_timestamp", table_name="event")
    op.drop_table("event")
    op.drop_index("ix_diagnosis_timestamp", table_name="diagnosis")
    op.drop_index("ix_diagnosis_status", table_name="diagnosis")
    op.drop_index("ix_diagnosis_request_digest", table_name="diagnosis")
    op.drop_index("ix_diagnosis_incident_id", table_name="diagnosis")
    op.drop_index("ix_diagnosis_anomaly_id", table_name="diagnosis")
    op.drop_table("diagnosis")
    op.drop_index("ix_delivery_seen_at", table_name="delivery")
    op.drop_table("delivery")
    op.drop_index("ix_cycle_status", table_name="cycle")
    op.drop_table("cycle")
    op.drop_index("ix_chat_thread_owner", table_name="chat_thread")
    op.drop_table("chat_thread")
    op.drop_table("audit_head")
    op.drop_index("ix_audit_subject", table_name="audit")
    op.drop_table("audit")


def _upgrade_search() -> None:
    """Full-text search: tokens are made by the product, so that both databases find the same."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ix_diagnosis_search ON diagnosis"
            " USING gin (array_to_tsvector(string_to_array(search_text, ' ')))"
        )
        for table, column in (
            ("sample_journal", "payload"),
            ("sample_chunk", "ticks"),
            ("sample_chunk", "data"),
        ):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
        return
    op.execute(
        "CREATE VIRTUAL TABLE diagnosis_search USING fts5("
        "search_text, content='diagnosis', content_rowid='id', tokenize='unicode61 remove_diacritics 0')"
    )
    old = "INSERT INTO diagnosis_search(diagnosis_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);"
    new = "INSERT INTO diagnosis_search(rowid, search_text) VALUES (new.id, new.search_text);"
    op.execute(f"CREATE TRIGGER diagnosis_search_insert AFTER INSERT ON diagnosis BEGIN {new} END")
    op.execute(f"CREATE TRIGGER diagnosis_search_delete AFTER DELETE ON diagnosis BEGIN {old} END")
    op.execute(
        f"CREATE TRIGGER diagnosis_search_update AFTER UPDATE OF search_text ON diagnosis BEGIN {old} {new} END"
    )


def _downgrade_search() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_diagnosis_search")
        return
    for event in ("insert", "delete", "update"):
        op.execute(f"DROP TRIGGER diagnosis_search_{event}")
    op.execute("DROP TABLE diagnosis_search")
