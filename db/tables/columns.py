"""Column types: every value passes the gate of `db.plain` on its way in, whoever writes it."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from db.plain import plain_float, plain_text, to_plain

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """Base of all tables; rows never leave this room."""

    metadata = MetaData(naming_convention=NAMING)


class Words(TypeDecorator[str]):
    """Text without NUL and lone surrogates."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else plain_text(str(value))


class Number(TypeDecorator[float]):
    """A double; numpy scalars are taken, NaN is stored as NULL on both databases."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:  # noqa: ARG002
        return None if value is None else plain_float(value)


class Whole(TypeDecorator[int]):
    """A 64-bit integer; numpy integers are taken. SQLite numbers rows by INTEGER columns only."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class Document(TypeDecorator[Any]):
    """A JSON text, the same bytes on both databases (PostgreSQL's jsonb would rewrite numbers)."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return to_plain(value)


Instant = UTCDateTime
Bytes = LargeBinary


def table_of(model: type[Row]) -> Table:
    """The SQLAlchemy table behind a model, for statements."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table
