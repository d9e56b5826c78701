"""The outbox: messages decided and stored in one transaction, delivered at least once, never lost.

A worker claims messages for a while, delivers them and says so. Where it dies in between, the claim runs
out and the messages come back marked as possible repeats. While messages about one subject to one receiver
are claimed, no other worker gets further ones about it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, update

from db.database import Database
from db.identifiers import inside, inside_or_none, outside
from db.paging import Page, check_limit, newest_first, page_of
from db.postgres import Lock
from db.records import AlertIntent, OutboxMessage, OutboxState
from db.statements import RowView, insert_new, upsert
from db.tables import table_of, work
from domain.errors import NotFound

_OUTBOX = table_of(work.OutboxRow)
_REF = table_of(work.MessageRefRow)


def store_intents(
    connection: Connection, intents: Sequence[AlertIntent], incident_id: str | None, now: datetime
) -> int:
    """Insert messages that are not there yet, in a caller's transaction; how many were new."""
    number = inside_or_none("incident", incident_id)
    return sum(
        insert_new(
            connection,
            _OUTBOX,
            {
                "dedupe_key": intent.dedupe_key,
                "receiver": intent.receiver,
                "kind": intent.kind,
                "subject": intent.subject or incident_id or intent.dedupe_key,
                "incident_id": number,
                "payload": intent.payload,
                "state": "pending",
                "created_at": now,
                "not_before": intent.not_before,
                "attempts": 0,
                "possible_repeat": False,
            },
        )
        for intent in intents
    )


class OutboxStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, intents: Sequence[AlertIntent], incident_id: str | None, now: datetime) -> int:
        """Store messages; those whose key is known are left out. How many were new."""
        with self._database.write(Lock.OUTBOX) as connection:
            return store_intents(connection, intents, incident_id, now)

    def claim(
        self, now: datetime, lease: timedelta, limit: int = 10, but: Sequence[str] = ()
    ) -> list[OutboxMessage]:
        """Take due messages for the time of the lease; no other worker gets them meanwhile.

        Args:
            now: when they are due.
            lease: how long they are ours.
            limit: at most so many, oldest first.
            but: receivers whose messages are left where they are.
        """
        other = _OUTBOX.alias()
        busy = exists().where(
            other.c.receiver == _OUTBOX.c.receiver,
            other.c.subject == _OUTBOX.c.subject,
            other.c.state == "claimed",
            other.c.lease_until > now,
        )
        statement = select(_OUTBOX.c.id).where(_due(now), ~busy, _OUTBOX.c.receiver.not_in(but))
        statement = statement.order_by(_OUTBOX.c.id).limit(limit)
        with self._database.write(Lock.OUTBOX) as connection:
            numbers = list(connection.execute(statement).scalars())
            taken = [number for number in numbers if _take(connection, number, now, now + lease)]
            return _read(connection, _OUTBOX.c.id.in_(taken))

    def sent(self, message_id: int, remote_ref: str | None, now: datetime) -> None:
        """A message was delivered.

        Args:
            message_id: of a claimed message.
            remote_ref: how the receiver calls the message; later ones about the subject can update it.
            now: when.
        """
        values = {
            "state": "sent",
            "sent_at": now,
            "lease_until": None,
            "error": None,
            "remote_ref": remote_ref,
        }
        with self._database.write(Lock.OUTBOX) as connection:
            message = _one(connection, message_id)
            connection.execute(update(_OUTBOX).where(_OUTBOX.c.id == message_id).values(**values))
            if remote_ref is not None:
                ref = {"receiver": message.receiver, "subject": message.subject, "remote_ref": remote_ref}
                upsert(connection, _REF, ("receiver", "subject"), [ref])

    def retry(self, message_id: int, not_before: datetime, error: str) -> None:
        """Delivery failed and may work later; the message was certainly not delivered."""
        self._settle(message_id, state="pending", not_before=not_before, error=error)

    def park(self, message_id: int, reason: str) -> None:
        """Delivery cannot work until somebody changes the configuration."""
        self._settle(message_id, state="parked", error=reason)

    def cancel(self, message_id: int, reason: str) -> None:
        """A message need not be told any more; `reason` says why."""
        self._settle(message_id, state="cancelled", error=reason)

    def unpark(self, receiver: str, now: datetime) -> int:
        """Try a receiver's parked messages again; how many there are."""
        statement = (
            update(_OUTBOX)
            .where(_OUTBOX.c.receiver == receiver, _OUTBOX.c.state == "parked")
            .values(state="pending", not_before=now)
        )
        with self._database.write(Lock.OUTBOX) as connection:
            return int(connection.execute(statement).rowcount)

    def about(self, receiver: str, subject: str) -> list[OutboxMessage]:
        """All messages to a receiver about a subject, oldest first."""
        with self._database.read() as connection:
            return _read(connection, _OUTBOX.c.receiver == receiver, _OUTBOX.c.subject == subject)

    def recent(self, since: datetime, incident_ids: Sequence[str] = ()) -> list[OutboxMessage]:
        """Messages stored since an instant and, whatever their age, all about subjects of some incidents."""
        numbers = [inside("incident", one) for one in incident_ids]
        subjects = select(_OUTBOX.c.subject).where(_OUTBOX.c.incident_id.in_(numbers))
        with self._database.read() as connection:
            return _read(connection, or_(_OUTBOX.c.created_at >= since, _OUTBOX.c.subject.in_(subjects)))

    def remote_ref(self, receiver: str, subject: str) -> str | None:
        """How a receiver calls its message about a subject, if it has one."""
        statement = select(_REF.c.remote_ref).where(_REF.c.receiver == receiver, _REF.c.subject == subject)
        with self._database.read() as connection:
            ref: str | None = connection.execute(statement).scalar()
        return ref

    def behind(self, remote_ref: str) -> list[OutboxMessage]:
        """What was told by the message that a receiver calls so, oldest first; nothing where we know none."""
        told = select(_REF.c.receiver, _REF.c.subject).where(_REF.c.remote_ref == remote_ref).limit(1)
        with self._database.read() as connection:
            found = connection.execute(told).first()
            if found is None:
                return []
            return _read(connection, _OUTBOX.c.receiver == found[0], _OUTBOX.c.subject == found[1])

    def oldest_waiting(self, now: datetime) -> datetime | None:
        """Since when the message that is longest overdue waits; None where nothing is."""
        statement = select(func.min(_OUTBOX.c.not_before)).where(
            _OUTBOX.c.state.in_(("pending", "claimed")), _OUTBOX.c.not_before <= now
        )
        with self._database.read() as connection:
            oldest: datetime | None = connection.execute(statement).scalar()
        return oldest

    def get(self, message_id: int) -> OutboxMessage:
        """One message; raises NotFound."""
        with self._database.read() as connection:
            return _one(connection, message_id)

    def list(
        self,
        states: Sequence[OutboxState] | None = None,
        receiver: str | None = None,
        incident_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[OutboxMessage]:
        """Messages, newest first."""
        statement = select(_OUTBOX).limit(check_limit(limit) + 1)
        if states is not None:
            statement = statement.where(_OUTBOX.c.state.in_(states))
        if receiver is not None:
            statement = statement.where(_OUTBOX.c.receiver == receiver)
        if incident_id is not None:
            statement = statement.where(_OUTBOX.c.incident_id == inside("incident", incident_id))
        statement = newest_first(statement, _OUTBOX.c.created_at, _OUTBOX.c.id, cursor)
        with self._database.read() as connection:
            return page_of(connection.execute(statement).mappings().all(), limit, "created_at", _message)

    def counts(self) -> dict[tuple[str, OutboxState], int]:
        """How many messages each receiver has in each state."""
        statement = select(_OUTBOX.c.receiver, _OUTBOX.c.state, func.count()).group_by(
            _OUTBOX.c.receiver, _OUTBOX.c.state
        )
        with self._database.read() as connection:
            return {(receiver, state): int(n) for receiver, state, n in connection.execute(statement)}

    def decided_since(self, receiver: str, kind: str, since: datetime) -> int:
        """How many messages of a kind were stored for a receiver since an instant, for hourly limits."""
        statement = select(func.count()).where(
            _OUTBOX.c.receiver == receiver, _OUTBOX.c.kind == kind, _OUTBOX.c.created_at >= since
        )
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def _settle(self, message_id: int, **values: Any) -> None:
        statement = update(_OUTBOX).where(_OUTBOX.c.id == message_id, _OUTBOX.c.state != "sent")
        values |= {"lease_until": None, "possible_repeat": False}
        with self._database.write(Lock.OUTBOX) as connection:
            connection.execute(statement.values(**values))


def _due(now: datetime) -> Any:
    return or_(
        and_(_OUTBOX.c.state == "pending", _OUTBOX.c.not_before <= now),
        and_(_OUTBOX.c.state == "claimed", _OUTBOX.c.lease_until <= now),
    )


def _take(connection: Connection, number: int, now: datetime, until: datetime) -> bool:
    statement = (
        update(_OUTBOX)
        .where(_OUTBOX.c.id == number, _due(now))
        .values(
            state="claimed",
            lease_until=until,
            attempts=_OUTBOX.c.attempts + 1,
            possible_repeat=or_(_OUTBOX.c.possible_repeat, _OUTBOX.c.state == "claimed"),
        )
    )
    return bool(connection.execute(statement).rowcount)


def _one(connection: Connection, message_id: int) -> OutboxMessage:
    found = _read(connection, _OUTBOX.c.id == message_id)
    if not found:
        raise NotFound("alert", str(message_id))
    return found[0]


def _read(connection: Connection, *conditions: Any) -> list[OutboxMessage]:
    statement = select(_OUTBOX).where(*conditions).order_by(_OUTBOX.c.id)
    return [_message(row) for row in connection.execute(statement).mappings()]


def _message(row: RowView) -> OutboxMessage:
    values = {name: row[name] for name in OutboxMessage.__slots__}
    if values["incident_id"] is not None:
        values["incident_id"] = outside("incident", values["incident_id"])
    return OutboxMessage(**values)
