"""Runs migrations on the connection that `db.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from db.tables import METADATA
from db.tables.columns import Bytes, Document, Instant, Number, Whole, Words

PLAIN = {
    Words: "sa.Text()",
    Document: "sa.JSON()",
    Number: "sa.Double()",
    Whole: 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")',
    Instant: "sa.DateTime(timezone=True)",
    Bytes: "sa.LargeBinary()",
}
SEARCH = ("diagnosis_search", "ix_diagnosis_search")


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations name plain types only, so that they keep working when our types change."""
    return PLAIN.get(type(item), False) if kind == "type" else False


def include(name: str | None, _kind: str, _parents: Any) -> bool:
    """Full-text search differs between the two databases and is written by hand."""
    return not (name or "").startswith(SEARCH)


def run() -> None:
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=render,
        include_name=include,
        transaction_per_migration=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
