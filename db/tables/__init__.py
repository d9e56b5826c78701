"""The tables of our own database; importing this package registers all of them in one metadata."""

from db.tables import detection, diagnosis, events, people, samples, work
from db.tables.columns import Row, table_of

METADATA = Row.metadata

__all__ = ["METADATA", "Row", "detection", "diagnosis", "events", "people", "samples", "table_of", "work"]
