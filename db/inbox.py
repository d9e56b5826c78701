"""The inbox: what others sent us, kept before we say so, worked off once.

A sender that gets no answer sends again; the same delivery is kept once. A worker claims what waits, in the
order of its lane, and says when it is done. Where it dies in between, the claim runs out and another one
begins anew, with `attempts` saying that it is not the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, update

from db.database import Database
from db.postgres import Lock
from db.statements import insert_new
from db.tables import table_of, work

_INBOX = table_of(work.InboxRow)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that was sent to us.

    Args:
        channel: the road it came by, such as `slack`.
        delivery_id: the sender's own name for it.
        lane: deliveries of one lane are worked off one after the other.
        payload: what it says.
        received_at: when it came.
        attempts: how often work on it began; 1 at the first time.
    """

    channel: str
    delivery_id: str
    lane: str
    payload: Mapping[str, Any]
    received_at: datetime
    attempts: int = 0


class InboxStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def receive(self, delivery: Delivery) -> bool:
        """Keep a delivery; false where it was kept before."""
        values = {
            "channel": delivery.channel,
            "delivery_id": delivery.delivery_id,
            "lane": delivery.lane,
            "payload": dict(delivery.payload),
            "received_at": delivery.received_at,
            "attempts": 0,
        }
        with self._database.write(Lock.INBOX) as connection:
            return insert_new(connection, _INBOX, values)

    def claim(self, channel: str, now: datetime, lease: timedelta) -> Delivery | None:
        """The oldest delivery that waits and whose lane nobody works on, for the time of the lease."""
        other = _INBOX.alias()
        earlier = and_(other.c.done_at.is_(None), other.c.received_at < _INBOX.c.received_at)
        busy = exists().where(
            other.c.channel == _INBOX.c.channel,
            other.c.lane == _INBOX.c.lane,
            other.c.delivery_id != _INBOX.c.delivery_id,
            or_(other.c.lease_until > now, earlier),
        )
        free = or_(_INBOX.c.lease_until.is_(None), _INBOX.c.lease_until <= now)
        statement = (
            select(_INBOX)
            .where(_INBOX.c.channel == channel, _INBOX.c.done_at.is_(None), free, ~busy)
            .order_by(_INBOX.c.received_at, _INBOX.c.delivery_id)
            .limit(1)
        )
        with self._database.write(Lock.INBOX) as connection:
            row = connection.execute(statement).mappings().first()
            if row is None:
                return None
            attempts = int(row["attempts"]) + 1
            taken = update(_INBOX).where(*_key(channel, row["delivery_id"]))
            connection.execute(taken.values(lease_until=now + lease, attempts=attempts))
        return Delivery(
            channel, row["delivery_id"], row["lane"], row["payload"], row["received_at"], attempts
        )

    def done(self, delivery: Delivery, now: datetime, error: str | None = None) -> None:
        """Work on it ended, for good; `error` says what kept it from having its effect.

        What it said is forgotten; its name is kept, to know it again.
        """
        self._settle(delivery, done_at=now, lease_until=None, error=error, payload={})

    def retry(self, delivery: Delivery, not_before: datetime, error: str) -> None:
        """Work on it failed in a way that may pass."""
        self._settle(delivery, lease_until=not_before, error=error)

    def waiting(self, channel: str) -> int:
        """How many deliveries are not done."""
        statement = select(func.count()).where(_INBOX.c.channel == channel, _INBOX.c.done_at.is_(None))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def _settle(self, delivery: Delivery, **values: Any) -> None:
        """Only for the claim that is named: one that ran out has no say after the next one began."""
        statement = update(_INBOX).where(
            *_key(delivery.channel, delivery.delivery_id), _INBOX.c.attempts == delivery.attempts
        )
        with self._database.write(Lock.INBOX) as connection:
            connection.execute(statement.values(**values))


def _key(channel: str, delivery_id: str) -> tuple[Any, Any]:
    return _INBOX.c.channel == channel, _INBOX.c.delivery_id == delivery_id
