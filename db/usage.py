"""Calls of language models: what they cost, and for the record what was asked and answered."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from db.database import Database
from db.records import ModelCall, UsageDay
from db.statements import inserted_id
from db.tables import diagnosis as tables
from db.tables import table_of

_CALL = table_of(tables.ModelCallRow)


class UsageStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, call: ModelCall) -> None:
        """Store one call."""
        with self._database.write() as connection:
            inserted_id(connection, _CALL, {name: getattr(call, name) for name in ModelCall.__slots__})

    def by_day(self, start: datetime, end: datetime) -> list[UsageDay]:
        """Usage in [start, end) per UTC day and model, by day."""
        statement = select(_CALL).where(_CALL.c.at >= start, _CALL.c.at < end).order_by(_CALL.c.at)
        days: dict[tuple[str, str], list[Any]] = {}
        with self._database.read() as connection:
            for row in connection.execute(statement):
                days.setdefault((row.at.astimezone(UTC).date().isoformat(), row.model), []).append(row)
        return [_day(day, model, rows) for (day, model), rows in sorted(days.items())]

    def spent(self, since: datetime, subject: str | None = None) -> float:
        """Known cost in USD since an instant; calls without a price count as nothing."""
        statement = select(func.sum(_CALL.c.cost_usd)).where(_CALL.c.at >= since)
        if subject is not None:
            statement = statement.where(_CALL.c.subject == subject)
        with self._database.read() as connection:
            return float(connection.execute(statement).scalar() or 0.0)

    def calls(self, subject: str) -> list[ModelCall]:
        """All calls made for a subject such as `D-12`, in order."""
        statement = select(_CALL).where(_CALL.c.subject == subject).order_by(_CALL.c.id)
        with self._database.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [ModelCall(**{name: row[name] for name in ModelCall.__slots__}) for row in rows]


def _day(day: str, model: str, rows: list[Any]) -> UsageDay:
    costs = [row.cost_usd for row in rows]
    known = None if any(cost is None for cost in costs) else sum(costs)
    return UsageDay(
        day,
        model,
        len(rows),
        sum(row.input_tokens for row in rows),
        sum(row.output_tokens for row in rows),
        known,
    )
