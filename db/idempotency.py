"""Answers to be given again, and deliveries that count once."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from db.database import Database
from db.records import StoredResponse
from db.statements import insert_new
from db.tables import table_of, work
from domain.errors import Conflict, Overloaded

_STORED = table_of(work.IdempotencyRow)
_DELIVERY = table_of(work.DeliveryRow)
LIFETIME = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)


class IdempotencyStore:
    """Requests by the key their caller gave them, for 24 hours."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key: str, request_digest: str, now: datetime) -> StoredResponse | None:
        """The answer given before, or None: then do the work and call `finish` (or `release`).

        Raises:
            Conflict: the key was used for another request.
            Overloaded: the same request is being worked on at this moment.
        """
        values = {"key": key, "request_digest": request_digest, "created_at": now}
        with self._database.write() as connection:
            connection.execute(
                delete(_STORED).where(_STORED.c.key == key, _STORED.c.created_at <= now - LIFETIME)
            )
            if insert_new(connection, _STORED, values):
                return None
            row = connection.execute(select(_STORED).where(_STORED.c.key == key).with_for_update()).one()
            if row.request_digest != request_digest:
                raise Conflict("this Idempotency-Key was used for another request")
            if row.status is not None:
                return StoredResponse(row.status, bytes(row.body), row.headers or {})
            if row.created_at > now - ABANDONED:
                raise Overloaded("the same request is being worked on", 1.0)
            connection.execute(update(_STORED).where(_STORED.c.key == key).values(created_at=now))
        return None

    def finish(self, key: str, response: StoredResponse) -> None:
        """Keep the answer."""
        values = {"status": response.status, "headers": dict(response.headers), "body": response.body}
        with self._database.write() as connection:
            connection.execute(update(_STORED).where(_STORED.c.key == key).values(**values))

    def release(self, key: str) -> None:
        """Forget a request that failed in a way that sending again may mend."""
        with self._database.write() as connection:
            connection.execute(delete(_STORED).where(_STORED.c.key == key, _STORED.c.status.is_(None)))


def remember(connection: Connection, key: str, request_digest: str, answer: str, now: datetime) -> None:
    """Keep a short answer within a transaction of somebody else."""
    values = {"key": key, "request_digest": request_digest, "created_at": now}
    insert_new(connection, _STORED, {**values, "status": 200, "body": answer.encode()})


def remembered(connection: Connection, key: str) -> str | None:
    """The short answer under a key, as long as it is kept."""
    body = connection.execute(select(_STORED.c.body).where(_STORED.c.key == key)).scalar()
    return None if body is None else bytes(body).decode()


class DeliveryStore:
    """Webhook and Slack deliveries by their sender's id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_time(self, channel: str, delivery_id: str, now: datetime) -> bool:
        """Whether a delivery was not seen before; it is from now on."""
        values = {"channel": channel, "delivery_id": delivery_id, "seen_at": now}
        with self._database.write() as connection:
            return insert_new(connection, _DELIVERY, values)

    def seen(self, channel: str, delivery_id: str) -> bool:
        """Whether a delivery was seen before; it stays as it is."""
        known = (_DELIVERY.c.channel == channel) & (_DELIVERY.c.delivery_id == delivery_id)
        with self._database.read() as connection:
            return connection.execute(select(_DELIVERY.c.seen_at).where(known)).first() is not None

    def forget(self, channel: str, delivery_id: str) -> None:
        """Let a delivery come again: handling it failed."""
        gone = (_DELIVERY.c.channel == channel) & (_DELIVERY.c.delivery_id == delivery_id)
        with self._database.write() as connection:
            connection.execute(delete(_DELIVERY).where(gone))
