"""Feedback: added, withdrawn, never deleted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from db.database import Database
from db.statements import RowView, inserted_id
from db.tables import people, table_of
from domain.feedback import Feedback

_FEEDBACK = table_of(people.FeedbackRow)


class FeedbackStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, feedback: Feedback) -> Feedback:
        """Store a verdict; the same with its id."""
        with self._database.write() as connection:
            number = inserted_id(connection, _FEEDBACK, feedback.model_dump(exclude={"id"}))
        return feedback.model_copy(update={"id": number})

    def withdraw_last(self, kind: str, target_id: str, author: str, now: datetime) -> Feedback | None:
        """Take back an author's newest verdict on a target; None where there is none."""
        mine = (
            select(_FEEDBACK)
            .where(*_standing(kind, target_id), _FEEDBACK.c.author == author)
            .order_by(_FEEDBACK.c.id.desc())
            .limit(1)
            .with_for_update()
        )
        with self._database.write() as connection:
            row = connection.execute(mine).mappings().first()
            if row is None:
                return None
            withdrawn = update(_FEEDBACK).where(_FEEDBACK.c.id == row["id"]).values(withdrawn_at=now)
            connection.execute(withdrawn)
        return _feedback(row)

    def of(self, kind: str, target_id: str) -> list[Feedback]:
        """The verdicts that stand on a target, oldest first."""
        return self._select(*_standing(kind, target_id))

    def of_many(self, kind: str, target_ids: Sequence[str]) -> dict[str, list[Feedback]]:
        """The verdicts that stand on each of some targets."""
        found: dict[str, list[Feedback]] = {}
        for one in self._select(
            _FEEDBACK.c.kind == kind,
            _FEEDBACK.c.target_id.in_(list(target_ids)),
            _FEEDBACK.c.withdrawn_at.is_(None),
        ):
            found.setdefault(one.target_id, []).append(one)
        return found

    def since(self, since: datetime, kind: str | None = None) -> list[Feedback]:
        """The verdicts that stand, given at or after an instant, oldest first."""
        conditions = [_FEEDBACK.c.created_at >= since, _FEEDBACK.c.withdrawn_at.is_(None)]
        if kind is not None:
            conditions.append(_FEEDBACK.c.kind == kind)
        return self._select(*conditions)

    def count_by(self, author: str, since: datetime) -> int:
        """How many verdicts an author gave since an instant, withdrawn ones included: for daily caps."""
        statement = select(func.count()).where(_FEEDBACK.c.author == author, _FEEDBACK.c.created_at >= since)
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def _select(self, *conditions: Any) -> list[Feedback]:
        statement = select(_FEEDBACK).where(*conditions).order_by(_FEEDBACK.c.id)
        with self._database.read() as connection:
            return [_feedback(row) for row in connection.execute(statement).mappings()]


def _standing(kind: str, target_id: str) -> tuple[Any, ...]:
    return (
        _FEEDBACK.c.kind == kind,
        _FEEDBACK.c.target_id == target_id,
        _FEEDBACK.c.withdrawn_at.is_(None),
    )


def _feedback(row: RowView) -> Feedback:
    return Feedback.model_validate({name: row[name] for name in Feedback.model_fields})
