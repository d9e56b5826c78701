"""Drivers' exceptions as the product's own, in one line each."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import StoreUnavailable

_SQLITE = {
    "SQLITE_BUSY": ("the database is locked by another process", 1.0),
    "SQLITE_LOCKED": ("the database is locked by another connection", 1.0),
    "SQLITE_FULL": ("the disk is full", 30.0),
    "SQLITE_READONLY": ("the database is read-only", 30.0),
    "SQLITE_CORRUPT": ("the database file is damaged; restore it from a backup", 300.0),
    "SQLITE_NOTADB": ("the file is not a SQLite database", 300.0),
    "SQLITE_CANTOPEN": ("the database file cannot be opened", 30.0),
    "SQLITE_IOERR": ("the disk under the database fails", 30.0),
}
_POSTGRES = {
    "53100": ("the disk of the PostgreSQL server is full", 30.0),
    "53300": ("the PostgreSQL server has no free connection", 2.0),
    "55P03": ("a lock in the database was not free in time", 1.0),
    "57014": ("the database took too long", 2.0),
    "25006": ("the database is read-only", 30.0),
    "40001": ("two transactions collided", 0.5),
    "40P01": ("two transactions collided", 0.5),
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a driver raises into StoreUnavailable; constraint violations pass through."""
    try:
        yield
    except IntegrityError:
        raise
    except PoolTimeout:
        raise StoreUnavailable("no database connection became free in time", 2.0) from None
    except (OperationalError, InterfaceError) as error:
        raise unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, sqlite3.DatabaseError):
            raise unavailable(error) from error
        raise


def unavailable(error: DBAPIError) -> StoreUnavailable:
    """The reason in one line, without the statement and without credentials."""
    origin = error.orig
    code = str(getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None) or "")
    for known, (reason, retry_after) in (_SQLITE | _POSTGRES).items():
        if code.startswith(known):
            return StoreUnavailable(reason, retry_after)
    return StoreUnavailable(f"the database does not answer: {first_line(origin)}")


def first_line(error: BaseException | None) -> str:
    """What a driver says, without the lines that follow."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
