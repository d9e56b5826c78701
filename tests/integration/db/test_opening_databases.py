"""A database that cannot be used is refused in one line; one that can is brought up to date."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.util.exc import CommandError
from sqlalchemy import inspect, text

from db import migrate
from db.database import Database
from db.rules import RuleStore
from db.settings import DatabaseSettings
from db.tables import METADATA
from domain.errors import ConfigurationError, StoreUnavailable
from domain.rule import Rule

RULE = Rule(name="a", metric="pnl")


def refused(url: str) -> str:
    """The one line with which a database is refused."""
    with pytest.raises(ConfigurationError) as caught:
        Database(url).upgrade()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "is not a database URL"),
        ("", "is not a database URL"),
        ("mysql://root@localhost/x", "must start with"),
        ("sqlite://", "names no file"),
        ("sqlite:////no/such/folder/x.db", "/no/such/folder does not exist"),
        ("sqlite:////tmp", "is a directory"),
        ("postgresql://user:secret@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_an_unusable_url_is_refused_in_one_line_without_its_password(url: str, says: str) -> None:
    message = refused(url)
    assert says in message
    assert "secret" not in message


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"timestamp,value\n" * 500)
    assert "not a SQLite database" in refused(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"timestamp,value")


def test_a_damaged_file_is_refused_and_says_what_to_do(sqlite_url: str, sqlite_template: Path) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * 4096 * 6
    path.write_bytes(content)
    assert "restore it from a backup" in refused(sqlite_url)


def test_a_read_only_file_is_refused(sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    assert "read-only" in refused(f"sqlite:///file:{path}?mode=ro&uri=true")


def test_a_newer_schema_is_refused_and_not_touched(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (database.upgrade, database.check):
        with pytest.raises(ConfigurationError, match="newer"):
            attempt()
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_an_older_schema_is_named_with_the_command_that_helps(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="analyst db upgrade"):
        Database(f"sqlite:///{tmp_path}/new.db").check()


def test_tables_and_migrations_agree(database: Database) -> None:
    migrate.compare(database.engine)


def test_a_difference_between_tables_and_migrations_would_be_noticed(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DROP INDEX ix_run_subject"))
    with pytest.raises(CommandError):
        migrate.compare(database.engine)


def test_migrations_go_down_and_up_again(database: Database) -> None:
    RuleStore(database).add(RULE)
    migrate.downgrade(database.engine, database.path, "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    database.upgrade()
    database.check()
    assert set(METADATA.tables) <= set(inspect(database.engine).get_table_names())
    assert RuleStore(database).all() == []


def test_an_upgrade_brings_back_no_built_in_rule_that_was_deleted_before(database: Database) -> None:
    store = RuleStore(database)
    migrate.downgrade(database.engine, database.path, "0005")
    store.add(RULE)
    database.upgrade()
    cpu, newer = Rule(name="cpu", metric="*cpu*"), Rule(name="newer", metric="x")
    assert store.offer([cpu, newer]) == ["newer"]


def test_an_upgrade_keeps_the_data_and_may_run_in_several_replicas_at_once(
    database: Database,
) -> None:
    RuleStore(database).add(RULE)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: database.upgrade(), range(3)))
    assert RuleStore(database).all() == [RULE]


def test_several_replicas_may_start_on_an_empty_database(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path}/new.db") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Database.upgrade, databases))
    databases[0].check()


def test_sqlite_is_durable_and_checks_its_references(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.read() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "auto_vacuum": 2}
    database.close()


def test_a_lock_held_by_another_process_is_waited_for_and_then_said(sqlite_url: str) -> None:
    database = Database(sqlite_url, DatabaseSettings(url=sqlite_url, busy_timeout_seconds=0.2))
    foreign = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="locked") as caught:
        RuleStore(database).add(RULE)
    assert caught.value.retry_after > 0
    assert time.monotonic() - began >= 0.2
    assert RuleStore(database).all() == [], "reading goes on"
    foreign.execute("ROLLBACK")
    foreign.close()
    assert RuleStore(database).add(RULE) == RULE
    database.close()


def test_when_all_connections_are_taken_a_caller_is_told_after_a_while(database_url: str) -> None:
    settings = DatabaseSettings(url=database_url, pool_size=1, pool_timeout_seconds=0.1)
    database = Database(database_url, settings)
    database.ping()
    with database.read(), pytest.raises(StoreUnavailable, match="connection"):
        database.ping()
    database.ping()
    database.close()


def test_a_failed_write_leaves_no_transaction_open(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_badly(database)
    done = threading.Event()

    def write() -> None:
        RuleStore(database).add(RULE)
        done.set()

    threading.Thread(target=write).start()
    assert done.wait(5)


def _write_badly(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DELETE FROM rule"))
        raise ZeroDivisionError


def _write_while_the_server_ends_it(database: Database, other: Database) -> None:
    with database.write() as mine:
        pid = mine.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with other.write() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        mine.execute(text("SELECT 1"))


def test_a_connection_that_the_server_ended_is_replaced(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.ping()
    other = Database(postgres_url)
    with other.write() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                 " AND datname = current_database()")
        )  # fmt: skip
    database.ping()
    with pytest.raises(StoreUnavailable):
        _write_while_the_server_ends_it(database, other)
    database.ping()
    database.close()
    other.close()
