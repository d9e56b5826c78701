"""Statements that both databases understand but SQLAlchemy spells differently."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

T = TypeVar("T")
RowView = Mapping[Any, Any]
BLOCK = 5_000


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT and RETURNING, in the connection's dialect."""
    return (sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert)(table)


def inserted_id(connection: Connection, table: Table, values: dict[str, Any]) -> int:
    """Insert one row and return its id."""
    statement = insert_into(connection, table).values(**values).returning(table.c.id)
    return int(connection.execute(statement).scalar_one())


def insert_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert one row unless a unique column already has its value; whether it was inserted."""
    statement = insert_into(connection, table).values(**values).on_conflict_do_nothing()
    # RETURNING, since PostgreSQL's driver does not always say how many rows an INSERT made
    return connection.execute(statement.returning(*table.primary_key.columns)).first() is not None


def upsert(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; where the key columns exist already, replace all other columns given."""
    if not rows:
        return
    statement = insert_into(connection, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=[table.c[name] for name in keys], set_=changed)
    connection.execute(statement, list(rows))


def blocks(items: Iterable[T], size: int = BLOCK) -> Iterator[list[T]]:
    """Lists of bounded length, for `IN (...)`."""
    block: list[T] = []
    for item in items:
        block.append(item)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block
