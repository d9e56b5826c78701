"""Slots of the schedule: a scheduled time is worked on once, and a missed one leaves a trace."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from db.database import Database
from db.paging import Page, check_limit, newest_first, page_of
from db.statements import RowView, insert_into
from db.tables import table_of, work
from domain.cycle import Cycle
from domain.errors import NotFound

_CYCLE = table_of(work.CycleRow)
MISSED = "nobody ran this slot in time"
_COLUMNS = {"id", "scheduled_for", "status"}


class CycleStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def claim_slot(
        self, scheduled_for: datetime, owner: str, now: datetime, missed: Sequence[datetime] = ()
    ) -> Cycle | None:
        """Begin the cycle of a slot; None where somebody has begun (or missed) it already.

        Args:
            scheduled_for: the slot.
            owner: who works on it.
            now: the time of the claim.
            missed: slots before it that nobody worked on and that it covers. They are recorded in the same
                transaction, so that a kill between the two leaves no hole; those with a row are left out.
        """
        with self._database.write() as connection:
            claimed = _insert(connection, Cycle(scheduled_for=scheduled_for, started_at=now), owner, now)
            for slot in missed if claimed is not None else ():
                covered_by = None if claimed is None else claimed.id
                lost = Cycle(scheduled_for=slot, status="missed", error=MISSED, covered_by=covered_by)
                _insert(connection, lost, None, now)
        return claimed

    def heartbeat(self, cycle_id: int, owner: str, now: datetime) -> bool:
        """Say that the work goes on; False where the slot was taken away (stop then)."""
        statement = (
            update(_CYCLE)
            .where(_CYCLE.c.id == cycle_id, _CYCLE.c.owner == owner, _CYCLE.c.status == "running")
            .values(heartbeat_at=now)
        )
        with self._database.write() as connection:
            return bool(connection.execute(statement).rowcount)

    def finish(self, cycle: Cycle) -> Cycle:
        """Store the end of a cycle with its counts, times and errors; raises NotFound."""
        values = {"status": cycle.status, "body": cycle.model_dump(exclude=_COLUMNS)}
        with self._database.write() as connection:
            statement = update(_CYCLE).where(_CYCLE.c.id == cycle.id).values(**values)
            if not connection.execute(statement).rowcount:
                raise NotFound("cycle", str(cycle.id))
        return cycle

    def interrupt_stale(self, before: datetime, covered_by: int | None = None) -> list[Cycle]:
        """Mark running cycles without a heartbeat since an instant as interrupted; these cycles."""
        stale = (
            select(_CYCLE)
            .where(_CYCLE.c.status == "running", _CYCLE.c.heartbeat_at < before)
            .order_by(_CYCLE.c.id)
            .with_for_update()
        )
        with self._database.write() as connection:
            found = [_cycle(row) for row in connection.execute(stale).mappings()]
            changed = [
                one.model_copy(update={"status": "interrupted", "covered_by": covered_by}) for one in found
            ]
            for one in changed:
                values = {"status": one.status, "body": one.model_dump(exclude=_COLUMNS)}
                connection.execute(update(_CYCLE).where(_CYCLE.c.id == one.id).values(**values))
        return changed

    def get(self, cycle_id: int) -> Cycle:
        """One cycle; raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(_CYCLE).where(_CYCLE.c.id == cycle_id)).mappings().first()
        if row is None:
            raise NotFound("cycle", str(cycle_id))
        return _cycle(row)

    def last(self, status: str | None = None) -> Cycle | None:
        """The cycle with the latest slot, of one status or of any."""
        statement = select(_CYCLE).order_by(_CYCLE.c.scheduled_for.desc()).limit(1)
        if status is not None:
            statement = statement.where(_CYCLE.c.status == status)
        with self._database.read() as connection:
            row = connection.execute(statement).mappings().first()
        return None if row is None else _cycle(row)

    def latest_slot(self) -> datetime | None:
        """The latest scheduled time that has a row."""
        last = self.last()
        return None if last is None else last.scheduled_for

    def list(self, limit: int = 100, cursor: str | None = None) -> Page[Cycle]:
        """Cycles by slot, newest first."""
        statement = newest_first(
            select(_CYCLE).limit(check_limit(limit) + 1), _CYCLE.c.scheduled_for, _CYCLE.c.id, cursor
        )
        with self._database.read() as connection:
            return page_of(connection.execute(statement).mappings().all(), limit, "scheduled_for", _cycle)


def _insert(connection: Connection, cycle: Cycle, owner: str | None, now: datetime) -> Cycle | None:
    statement = (
        insert_into(connection, _CYCLE)
        .values(
            scheduled_for=cycle.scheduled_for,
            status=cycle.status,
            owner=owner,
            heartbeat_at=now,
            body=cycle.model_dump(exclude=_COLUMNS),
        )
        .on_conflict_do_nothing()
        .returning(_CYCLE.c.id)
    )
    number = connection.execute(statement).scalar()
    return None if number is None else cycle.model_copy(update={"id": int(number)})


def _cycle(row: RowView) -> Cycle:
    return Cycle.model_validate({**row["body"], **{name: row[name] for name in _COLUMNS}})
