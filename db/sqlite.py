"""What SQLite needs: pragmas, explicit transactions, one writer per process and file."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from db.documents import dumps
from db.settings import DatabaseSettings
from domain.errors import ConfigurationError, StoreUnavailable

WRITE = "analyst_write"


class WriterTurn:
    """A first-come, first-served lock: a long job of many small writes cannot starve the others."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @contextmanager
    def taken(self, timeout: float) -> Iterator[None]:
        """Hold the turn; raises StoreUnavailable where it does not come within `timeout` seconds."""
        self._acquire(timeout)
        try:
            yield
        finally:
            self._release()

    def _acquire(self, timeout: float) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(timeout):
            return
        with self._guard:
            if mine.is_set():
                return
            self._waiting.remove(mine)
        raise StoreUnavailable("the database is held by another writer for too long", 1.0)

    def _release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


_turns: WeakValueDictionary[str, WriterTurn] = WeakValueDictionary()
_turns_guard = threading.Lock()


def turn_of(path: Path) -> WriterTurn:
    """The writer's turn of a database file, one per process whatever opens the file."""
    with _turns_guard:
        turn = _turns.get(str(path))
        if turn is None:
            turn = _turns[str(path)] = WriterTurn()
        return turn


def file_of(url: URL) -> Path:
    """The database file of a URL; raises ConfigurationError where there is none that can be used."""
    name = url.database
    if not name or name == ":memory:":
        raise ConfigurationError("database.url", "names no file, like sqlite:////var/lib/analyst/analyst.db")
    path = Path(name.removeprefix("file:").partition("?")[0]).absolute()
    if not path.parent.is_dir():
        raise ConfigurationError("database.url", f"the directory {path.parent} does not exist")
    if path.is_dir():
        raise ConfigurationError("database.url", f"{path} is a directory")
    return path


def sqlite_engine(url: URL, settings: DatabaseSettings) -> Engine:
    """An engine whose transactions begin where we say: IMMEDIATE with the execution option `WRITE`."""
    engine = create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        connect_args={"timeout": settings.busy_timeout_seconds, "check_same_thread": False},
        json_serializer=dumps,
    )

    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # possible on an empty file only; later it would wait for the writer's lock in vain
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL").close()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-16000",
            "journal_size_limit=67108864",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine
