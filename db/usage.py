"""Calls of language models: what they cost, and for the record what was asked and answered."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Double, cast, func, literal, select, update

from db.database import Database
from db.postgres import Lock
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
            inserted_id(connection, _CALL, _values(call))

    def reserve(
        self,
        call: ModelCall,
        since: datetime,
        assumed: tuple[float, float],
        check: Callable[[float, float, int], None],
    ) -> int:
        """Store a call that is about to be made and return its number, in turn with all other callers.

        Args:
            call: with the cost that it may have at most.
            since: the start of the day over which is summed.
            assumed: USD per input and per output token of calls whose cost is not known.
            check: gets USD since then, USD and number of the calls of the subject; raises to refuse.
        """
        total = _total(assumed)
        own = select(total, func.count()).where(_CALL.c.subject == call.subject)
        with self._database.write(Lock.MODEL_CALLS) as connection:
            day = float(connection.execute(select(total).where(_CALL.c.at >= since)).scalar() or 0.0)
            subject, count = connection.execute(own).one()
            check(day, float(subject), int(count))
            return inserted_id(connection, _CALL, _values(call))

    def models(self, since: datetime) -> Mapping[str, str]:
        """The model that each subject (a diagnosis or a thread) last asked, since an instant."""
        statement = (
            select(_CALL.c.subject, _CALL.c.model)
            .where(_CALL.c.at >= since, _CALL.c.subject.is_not(None))
            .order_by(_CALL.c.id)
        )
        with self._database.read() as connection:
            return {row.subject: row.model for row in connection.execute(statement)}

    def settle(self, number: int, call: ModelCall) -> None:
        """Replace a reserved call by what came of it."""
        with self._database.write() as connection:
            connection.execute(update(_CALL).where(_CALL.c.id == number).values(**_values(call)))

    def by_day(self, start: datetime, end: datetime) -> list[UsageDay]:
        """Usage in [start, end) per UTC day and model, by day."""
        statement = select(_CALL).where(_CALL.c.at >= start, _CALL.c.at < end).order_by(_CALL.c.at)
        days: dict[tuple[str, str], list[Any]] = {}
        with self._database.read() as connection:
            for row in connection.execute(statement):
                days.setdefault((row.at.astimezone(UTC).date().isoformat(), row.model), []).append(row)
        return [_day(day, model, rows) for (day, model), rows in sorted(days.items())]

    def spent(
        self, since: datetime, subject: str | None = None, assumed: tuple[float, float] = (0.0, 0.0)
    ) -> float:
        """Cost in USD since an instant.

        Args:
            since: from then on.
            subject: of its calls alone.
            assumed: USD per input and per output token of calls whose cost is not known.
        """
        statement = select(_total(assumed)).where(_CALL.c.at >= since)
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


def _total(assumed: tuple[float, float]) -> ColumnElement[float]:
    """The sum of costs, an unknown one as its tokens would cost at assumed prices."""
    # Typed, or the column's type would make whole numbers of the prices.
    prices = [literal(price, Double) for price in assumed]
    guess = cast(_CALL.c.input_tokens, Double) * prices[0] + cast(_CALL.c.output_tokens, Double) * prices[1]
    return func.coalesce(func.sum(func.coalesce(_CALL.c.cost_usd, guess)), 0.0)


def _values(call: ModelCall) -> dict[str, Any]:
    return {name: getattr(call, name) for name in ModelCall.__slots__}


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
