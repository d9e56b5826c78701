"""The audit log: append only, each entry sealed with the one before it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from db.database import Database
from db.documents import canonical
from db.paging import Page, check_limit, decode_cursor, encode_cursor
from db.plain import plain_text
from db.postgres import Lock
from db.records import AuditEntry, AuditVerdict
from db.statements import insert_into
from db.tables import people, table_of

_AUDIT = table_of(people.AuditRow)
_HEAD = table_of(people.AuditHeadRow)
_SEALED = ("seq", "at", "actor", "action", "subject", "reason", "before", "after", "previous")


class AuditStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        actor: str,
        action: str,
        subject: str,
        now: datetime,
        reason: str = "",
        change: tuple[Any, Any] = (None, None),
    ) -> AuditEntry:
        """Record who did what to which object; `change` is what it was before and after."""
        with self._database.write(Lock.AUDIT) as connection:
            head = connection.execute(select(_HEAD).with_for_update()).one()
            row: dict[str, Any] = {
                "seq": head.seq + 1,
                "at": now,
                "actor": plain_text(actor),
                "action": plain_text(action),
                "subject": plain_text(subject),
                "reason": plain_text(reason),
                "before": canonical(change[0]),
                "after": canonical(change[1]),
                "previous": head.hash,
            }
            row["hash"] = _seal(row)
            connection.execute(insert_into(connection, _AUDIT).values(**row))
            connection.execute(update(_HEAD).values(seq=row["seq"], hash=row["hash"]))
        return _entry(row)

    def about(self, action: str, subjects: Sequence[str]) -> Mapping[str, Sequence[AuditEntry]]:
        """The entries of one action about each of some objects, oldest first."""
        statement = (
            select(_AUDIT)
            .where(_AUDIT.c.subject.in_(list(subjects)), _AUDIT.c.action == action)
            .order_by(_AUDIT.c.seq)
        )
        found: dict[str, list[AuditEntry]] = {}
        with self._database.read() as connection:
            for row in connection.execute(statement).mappings():
                found.setdefault(row["subject"], []).append(_entry(row))
        return found

    def verify(self) -> AuditVerdict:
        """Check every seal and the chain; names the first entry that does not fit."""
        with self._database.read() as connection:
            return _verified(connection)

    def list(
        self, subject: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[AuditEntry]:
        """Entries, newest first."""
        statement = select(_AUDIT).order_by(_AUDIT.c.seq.desc()).limit(check_limit(limit) + 1)
        if subject is not None:
            statement = statement.where(_AUDIT.c.subject == subject)
        if cursor is not None:
            statement = statement.where(_AUDIT.c.seq < decode_cursor(cursor, 1)[0])
        with self._database.read() as connection:
            rows = connection.execute(statement).mappings().all()
        more = encode_cursor(rows[limit - 1]["seq"]) if len(rows) > limit else None
        return Page(tuple(_entry(row) for row in rows[:limit]), more)


def _verified(connection: Connection) -> AuditVerdict:
    head = connection.execute(select(_HEAD)).first()
    entries, previous = 0, ""
    for row in connection.execute(select(_AUDIT).order_by(_AUDIT.c.seq)).mappings():
        entries += 1
        reason = _fault(row, entries, previous)
        if reason:
            return AuditVerdict(entries, min(int(row["seq"]), entries), reason)
        previous = row["hash"]
    if head is None or head.seq > entries:
        return AuditVerdict(entries, entries + 1, "the end of the log is missing")
    if (head.seq, head.hash) != (entries, previous):
        return AuditVerdict(entries, head.seq + 1, "entries were added past the log")
    return AuditVerdict(entries)


def _fault(row: Any, seq: int, previous: str) -> str:
    if row["seq"] != seq:
        return "an entry is missing or was moved"
    if row["previous"] != previous:
        return "it does not follow the entry before it"
    return "" if _seal(row) == row["hash"] else "it was changed"


def _seal(row: Any) -> str:
    return hashlib.sha256(canonical([row[name] for name in _SEALED]).encode()).hexdigest()


def _entry(row: Any) -> AuditEntry:
    plain = {name: row[name] for name in ("seq", "at", "actor", "action", "subject", "reason", "hash")}
    return AuditEntry(**plain, before=json.loads(row["before"]), after=json.loads(row["after"]))
