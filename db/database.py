"""The door to our own database: transactions, migrations and a health check."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from db import migrate
from db.failures import translated, unavailable
from db.postgres import Lock, lock, postgres_engine
from db.settings import DatabaseSettings
from db.sqlite import WRITE, file_of, sqlite_engine, turn_of
from domain.errors import ConfigurationError, StoreUnavailable

Dialect = Literal["sqlite", "postgresql"]


class Database:
    """A SQLite file or a PostgreSQL database, by URL.

    Args:
        url: `sqlite:///PATH` or `postgresql://...`; nothing is opened before the first use.
        settings: limits and sizes; its `url` gives way to the first argument.

    Raises:
        ConfigurationError: the URL names no usable file or an unknown kind of database.
    """

    def __init__(self, url: str, settings: DatabaseSettings | None = None) -> None:
        self.settings = settings or DatabaseSettings(url=url)
        self.url = _parsed(url)
        self.dialect: Dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        self.path: Path | None = None
        if self.dialect == "sqlite":
            self.path = file_of(self.url)
            self._turn = turn_of(self.path)
            self.engine: Engine = sqlite_engine(self.url, self.settings)
        else:
            self.engine = postgres_engine(self.url, self.settings)
        self._writing = self.engine.execution_options(**{WRITE: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads. Raises StoreUnavailable where the database does not answer."""
        with translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, serial: Lock | None = None) -> Iterator[Connection]:
        """A transaction that writes; rolled back where the block raises.

        Args:
            serial: a lock that all transactions of this kind take in turn, over all replicas. On SQLite
                every writer takes its turn anyway.

        Raises:
            StoreUnavailable: no turn within the busy timeout, or the database cannot be written.
        """
        with translated(), self._my_turn(), self._writing.connect() as connection, connection.begin():
            if serial is not None and self.dialect == "postgresql":
                lock(connection, serial)
            yield connection

    def _my_turn(self) -> AbstractContextManager[None]:
        if self.dialect == "sqlite":
            return self._turn.taken(self.settings.busy_timeout_seconds)
        return nullcontext()

    def upgrade(self) -> None:
        """Bring the schema to this version; safe to call from several processes at once.

        Raises:
            ConfigurationError: unreachable, damaged or read-only database, or a newer schema.
        """
        with self._starting():
            self._probe()
            migrate.upgrade(self.engine, self.path)

    def check(self) -> None:
        """Raise ConfigurationError where this version cannot work with the database as it is."""
        with self._starting():
            self._probe()
            migrate.check_revision(self.engine)

    def ping(self) -> None:
        """One cheap read; raises StoreUnavailable."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            raise ConfigurationError("database.url", str(error)) from error
        except DBAPIError as error:
            raise ConfigurationError("database.url", str(unavailable(error))) from error

    def _probe(self) -> None:
        """Readable, writable, and, for a file of bearable size, undamaged."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))
            self._quick_check(connection)
        with self.write() as connection:
            if self.dialect == "postgresql":
                connection.execute(text("CREATE TEMPORARY TABLE analyst_probe (x int) ON COMMIT DROP"))
            else:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar()
                connection.exec_driver_sql(f"PRAGMA user_version = {version}")

    def _quick_check(self, connection: Connection) -> None:
        limit = self.settings.quick_check_max_mb * 1_000_000
        if self.path is None or not self.path.exists() or self.path.stat().st_size > limit:
            return
        found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if found != "ok":
            raise ConfigurationError(
                "database.url",
                f"{self.path} is damaged ({str(found).splitlines()[-1]}); restore it from a backup",
            )


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError("database.url", "is not a database URL") from None
    if backend not in {"sqlite", "postgresql", "postgres"}:
        raise ConfigurationError("database.url", "must start with sqlite:// or postgresql://")
    if backend == "postgres":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed
