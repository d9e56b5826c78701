"""Migrations: one set of Alembic scripts inside this package, for SQLite and PostgreSQL."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text

from db.postgres import Lock
from db.sqlite import WRITE
from domain.errors import ConfigurationError

SCRIPTS = Path(__file__).parent / "migrations"


def config_for(connection: Connection) -> Config:
    """An Alembic configuration that works on an open connection and needs no file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, path: Path | None, revision: str = "head") -> None:
    """Apply all missing migrations, each in one transaction; a killed one leaves nothing behind.

    Args:
        engine: the database.
        path: the SQLite file, whose lock file keeps other processes waiting meanwhile.
        revision: where to stop.

    Raises:
        ConfigurationError: the database has a revision that this version does not know.
    """
    with _alone(engine, path) as connection:
        refuse_newer(connection)
        command.upgrade(config_for(connection), revision)


def downgrade(engine: Engine, path: Path | None, revision: str) -> None:
    """Take migrations back, down to a revision or `base`."""
    with _alone(engine, path) as connection:
        command.downgrade(config_for(connection), revision)


def compare(engine: Engine) -> None:
    """Raise alembic.util.exc.CommandError where tables and migrations differ."""
    with engine.execution_options(**{WRITE: True}).connect() as connection:
        command.check(config_for(connection))


def revise(engine: Engine, message: str) -> None:
    """Write a new migration script from the difference; run it against PostgreSQL, then read it."""
    with engine.connect() as connection:
        command.revision(config_for(connection), message=message, autogenerate=True)


def check_revision(engine: Engine) -> None:
    """Raise ConfigurationError unless the schema is exactly that of this version."""
    with engine.connect() as connection:
        refuse_newer(connection)
        current = MigrationContext.configure(connection).get_current_revision()
        head = ScriptDirectory.from_config(config_for(connection)).get_current_head()
    if current != head:
        raise ConfigurationError("database.url", "the schema is older than this version: analyst db upgrade")


def refuse_newer(connection: Connection) -> None:
    """Raise ConfigurationError where a newer version has changed the schema; nothing is touched."""
    with connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return
    try:
        ScriptDirectory.from_config(config_for(connection)).get_revision(current)
    except CommandError:
        raise ConfigurationError(
            "database.url", f"the schema (revision {current}) is newer than this version; upgrade the program"
        ) from None


@contextmanager
def _alone(engine: Engine, path: Path | None) -> Iterator[Connection]:
    if path is None:
        with engine.connect() as connection, _server_lock(engine):
            yield connection
        return
    with (
        Path(f"{path}.migrate").open("w", encoding="utf-8") as file,
        engine.execution_options(**{WRITE: True}).connect() as connection,
    ):
        fcntl.flock(file, fcntl.LOCK_EX)
        yield connection


@contextmanager
def _server_lock(engine: Engine) -> Iterator[None]:
    """A lock of the session, on a connection of its own: migrations commit in between."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
        holder.execute(text("SET lock_timeout = '60s'"))
        holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": Lock.MIGRATION.key})
        try:
            yield
        finally:
            holder.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": Lock.MIGRATION.key})
            holder.execute(text("RESET lock_timeout"))
