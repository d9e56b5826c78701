"""What PostgreSQL needs: pooled psycopg connections with limits, and locks by number."""

import importlib.util
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL

from db.documents import dumps
from db.settings import DatabaseSettings
from domain.errors import ConfigurationError

BINARY = "analyst_binary"
_NAMESPACE = 0x414E4C59
# An acknowledged sample is on disk; a stricter setting of the operator stays.
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


class Lock(IntEnum):
    """Advisory locks; each serialises one kind of work over all replicas."""

    MIGRATION = 1
    LEADER = 2
    JOURNAL = 3
    EVENTS = 4
    DETECTIONS = 5
    OUTBOX = 6
    AUDIT = 7
    SERIES = 8
    DIAGNOSES = 9
    MODEL_CALLS = 10
    INBOX = 11

    @property
    def key(self) -> int:
        """The 64-bit number of the lock."""
        return _NAMESPACE << 16 | int(self)


def postgres_engine(url: URL, settings: DatabaseSettings) -> Engine:
    """An engine on psycopg 3; a connection that the server dropped is replaced before it is used."""
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigurationError(
            "database.url", "PostgreSQL needs the extra: pip install 'llm-analyst[postgres]'"
        )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        pool_pre_ping=True,
        json_serializer=dumps,
        connect_args=connect_args(settings),
    )
    event.listen(engine, "connect", _configure(settings))
    event.listen(engine, "before_cursor_execute", _binary)
    return engine


def connect_args(settings: DatabaseSettings) -> dict[str, Any]:
    """A server that vanished is noticed within seconds, not within the system's TCP timeout."""
    return {
        "connect_timeout": max(2, round(settings.pool_timeout_seconds)),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "application_name": "llm-analyst",
    }


def _configure(settings: DatabaseSettings) -> Any:
    statements = (
        "SET TIME ZONE 'UTC'",
        f"SET lock_timeout = {round(settings.busy_timeout_seconds * 1000)}",
        "SET statement_timeout = '120s'",
        "SET idle_in_transaction_session_timeout = '120s'",
        _DURABLE,
    )

    def configure(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        for statement in statements:
            connection.execute(statement)
        connection.autocommit = False

    return configure


def _binary(
    connection: Connection, cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    """Large blobs travel as bytes instead of hexadecimal text."""
    options = context.execution_options if context is not None else connection.get_execution_options()
    if options.get(BINARY):
        cursor.format = 1


def lock(connection: Connection, which: Lock) -> None:
    """Hold a lock until the transaction ends; ids written under it become visible in order."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": which.key})
