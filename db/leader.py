"""One leader among the processes on a database; a killed one loses the lead with its last breath."""

import fcntl
import threading
from typing import IO, Any, Protocol

from db.database import Database
from db.failures import first_line
from db.postgres import Lock, connect_args
from domain.errors import StoreUnavailable


class _Holder(Protocol):
    def acquire(self) -> bool: ...
    def held(self) -> bool: ...
    def release(self) -> None: ...


class LeaderLock:
    """A lock that lives as long as its process: a file lock beside SQLite, an advisory lock on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._guard = threading.Lock()
        self._holder: _Holder = _FileLock(database) if database.path is not None else _ServerLock(database)

    def acquire(self) -> bool:
        """Try to lead; True where this object leads now. Never waits for another leader.

        Raises:
            StoreUnavailable: the database server does not answer.
        """
        with self._guard:
            return self._holder.acquire()

    def held(self) -> bool:
        """Whether this object leads at this moment, asked anew each time; False where nobody can say."""
        with self._guard:
            return self._holder.held()

    def release(self) -> None:
        """Stop leading; harmless where one does not."""
        with self._guard:
            self._holder.release()


class _FileLock:
    def __init__(self, database: Database) -> None:
        self._path = f"{database.path}.leader"
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        if self._file is not None:
            return True
        file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open while leading
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _ServerLock:
    """On a connection of its own, outside the pool: the lock ends when that connection does."""

    def __init__(self, database: Database) -> None:
        self._dialect = database.engine.dialect
        self._url = database.url
        self._options = connect_args(database.settings)
        self._errors = self._dialect.loaded_dbapi.Error
        self._connection: Any = None

    def acquire(self) -> bool:
        if self._connection is not None and self.held():
            return True
        try:
            self._connection = self._connect()
            if self._ask("SELECT pg_try_advisory_lock(%s)"):
                return True
        except self._errors as error:
            self.release()
            raise StoreUnavailable(f"the database does not answer: {first_line(error)}") from error
        self.release()
        return False

    def held(self) -> bool:
        if self._connection is None:
            return False
        try:
            mine = self._ask(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND pid = pg_backend_pid() AND (classid::bigint << 32 | objid::bigint) = %s"
            )
        except self._errors:
            mine = False
        if not mine:
            self.release()
        return bool(mine)

    def release(self) -> None:
        """Closing the connection frees the lock, even where the server no longer answers."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> Any:
        arguments, keywords = self._dialect.create_connect_args(self._url)
        connection = self._dialect.loaded_dbapi.connect(*arguments, **{**keywords, **self._options})
        connection.autocommit = True
        connection.execute("SET statement_timeout = '5s'")
        return connection

    def _ask(self, statement: str) -> Any:
        return self._connection.execute(statement, [Lock.LEADER.key]).fetchone()[0]
