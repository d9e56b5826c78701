"""Which diagnosis answers a request: the one under its key, else the one that an equal request queued."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select, update

from db.documents import digest
from db.idempotency import remember, remembered
from db.statements import RowView
from db.versions import DIAGNOSIS
from domain.errors import Conflict

_FAILED = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Args:
        fingerprint: of what is to be investigated.
        key: the caller's, if any.
        now: when it was asked for.
        reuse: how long an equal request that has ended answers it.
    """

    fingerprint: str
    key: str | None
    now: datetime
    reuse: timedelta


def found(connection: Connection, asked: Asked) -> RowView | None:
    """The head that answers a request, which is found under its key from then on.

    Raises:
        Conflict: the key was used for another request.
    """
    head = under_key(connection, asked.key) if asked.key is not None else None
    if head is not None:
        if head["request_digest"] != asked.fingerprint:
            raise Conflict("this Idempotency-Key was used for another request")
        return head
    head = _equal(connection, asked.fingerprint, asked.now - asked.reuse)
    if head is not None and asked.key is not None:
        _give_key(connection, head, asked.key, asked.now)
    return head


def under_key(connection: Connection, key: str) -> RowView | None:
    """The head of the diagnosis that a key stands for: its first key, or one that joined it later."""
    first = select(DIAGNOSIS).where(DIAGNOSIS.c.idempotency_key == key)
    row = connection.execute(first).mappings().first()
    if row is None:
        joined = remembered(connection, _place(key))
        number = -1 if joined is None else int(joined)
        row = connection.execute(select(DIAGNOSIS).where(DIAGNOSIS.c.id == number)).mappings().first()
    return None if row is None else dict(row)


def _equal(connection: Connection, fingerprint: str, since: datetime) -> RowView | None:
    recent = (DIAGNOSIS.c.timestamp > since) & DIAGNOSIS.c.status.not_in(_FAILED)
    same_request = (
        select(DIAGNOSIS)
        .where(
            DIAGNOSIS.c.request_digest == fingerprint,
            or_(DIAGNOSIS.c.active_digest == fingerprint, recent),
        )
        .order_by(DIAGNOSIS.c.id.desc())
        .limit(1)
    )
    row = connection.execute(same_request).mappings().first()
    return None if row is None else dict(row)


def _give_key(connection: Connection, head: RowView, key: str, now: datetime) -> None:
    if head["idempotency_key"] is None:
        statement = update(DIAGNOSIS).where(DIAGNOSIS.c.id == head["id"])
        connection.execute(statement.values(idempotency_key=key))
        return
    remember(connection, _place(key), head["request_digest"], str(head["id"]), now)


def _place(key: str) -> str:
    """Apart from the keys of requests whose whole answer is kept."""
    return f"diagnosis:{digest(key)}"
