"""A full disk and a migration that is cut off leave the data as it was, and the next try works."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from db.database import Database
from db.samples import SampleStore
from domain.errors import StoreUnavailable
from domain.series import SampleBatch, Series, SeriesKey

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class CutOff(BaseException):
    """Stands for the end of the process."""


def batch(n: int, first: int = 0) -> SampleBatch:
    one = Series(0, SeriesKey.of("pnl"), step_s=60)
    return SampleBatch.of((one, NOW + timedelta(seconds=first + i), float(i)) for i in range(n))


def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    store = SampleStore(database)
    store.append(batch(10))
    database.close()

    def narrow(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 10").close()

    event.listen(database.engine, "connect", narrow)
    with pytest.raises(StoreUnavailable, match="disk is full") as caught:
        store.append(batch(50_000, 100))
    assert caught.value.retry_after > 1
    assert len(store.read(1, NOW, NOW + timedelta(days=1))[0]) == 10
    event.remove(database.engine, "connect", narrow)
    database.close()
    store.append(batch(50_000, 100))
    assert len(store.read(1, NOW, NOW + timedelta(days=1))[0]) == 50_010
    database.close()


def cut_off_at(database: Database, statement_number: int) -> bool:
    """Upgrade until a statement is reached; whether it was."""
    seen = 0

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == statement_number:
            raise CutOff

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        database.upgrade()
    except CutOff:
        return True
    finally:
        event.remove(database.engine, "before_cursor_execute", count)
        database.close()
    return False


def cut_off_everywhere(database: Database, every: int) -> int:
    cuts = 0
    while cut_off_at(database, 1 + cuts * every):
        cuts += 1
    database.check()
    return cuts


def test_a_migration_cut_off_anywhere_completes_at_the_next_start(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new.db")
    assert cut_off_everywhere(database, every=6) > 8
    SampleStore(database).append(batch(1))
    database.close()


def test_a_migration_cut_off_on_a_server_completes_at_the_next_start(postgres_url: str) -> None:
    administration = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    administration.dispose()
    database = Database(postgres_url)
    assert cut_off_everywhere(database, every=9) > 5
    SampleStore(database).append(batch(1))
    database.close()
