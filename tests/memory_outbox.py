"""The outbox in memory: the same contract as the stored one, for tests of policy and delivery."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.outbox import AlertIntent, AlertMessage, Delivery, Story


@dataclass
class OutboxRow:
    id: int
    intent: AlertIntent
    state: str = "waiting"
    attempts: int = 0
    not_before: datetime | None = None
    lease_until: datetime | None = None
    remote_ref: str | None = None
    error: str | None = None


class MemoryOutbox:
    """Keeps rows for ever; `fail_next_mark` imitates a crash between delivery and mark."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.fail_next_mark = False
        self._lock = threading.Lock()

    def add(self, intents: Sequence[AlertIntent]) -> None:
        with self._lock:
            known = {row.intent.key for row in self.rows}
            for intent in intents:
                if intent.key not in known:
                    self.rows.append(OutboxRow(len(self.rows) + 1, intent, not_before=intent.not_before))

    def claim(self, now: datetime, lease: timedelta, limit: int) -> Sequence[Delivery]:
        with self._lock:
            leased = {self._subject(row) for row in self.rows if row.lease_until and row.lease_until > now}
            due = [
                row
                for row in self.rows
                if row.state == "waiting"
                and row.not_before is not None
                and row.not_before <= now
                and self._subject(row) not in leased
            ][:limit]
            for row in due:
                row.attempts += 1
                row.lease_until = now + lease
            return [Delivery(row.id, row.intent, row.attempts) for row in due]

    def sent(self, id: int, remote_ref: str | None) -> None:  # noqa: A002
        if self.fail_next_mark:
            self.fail_next_mark = False
            raise ProcessKilled
        row = self.rows[id - 1]
        row.state, row.remote_ref, row.lease_until, row.error = "sent", remote_ref, None, None

    def retry(self, id: int, not_before: datetime, error: str) -> None:  # noqa: A002
        row = self.rows[id - 1]
        row.not_before, row.error, row.lease_until = not_before, error, None

    def park(self, id: int, reason: str) -> None:  # noqa: A002
        row = self.rows[id - 1]
        row.state, row.error, row.lease_until = "parked", reason, None

    def unpark(self, receiver: str) -> int:
        parked = [row for row in self.rows if row.state == "parked" and row.intent.receiver == receiver]
        for row in parked:
            row.state = "waiting"
        return len(parked)

    def message(self, receiver: str, subject: str) -> AlertMessage | None:
        rows = [row for row in self.rows if self._subject(row) == (receiver, subject)]
        if not rows:
            return None
        refs = [row.remote_ref for row in rows if row.remote_ref]
        return AlertMessage(
            receiver=receiver,
            subject=subject,
            incident_ids=tuple(dict.fromkeys(row.intent.incident_id for row in rows)),
            first_decided_at=rows[0].intent.decided_at,
            intents=tuple(row.intent for row in rows),
            remote_ref=refs[-1] if refs else None,
            delivered=any(row.state == "sent" for row in rows),
            attempts=sum(row.attempts for row in rows if row.state != "sent"),
        )

    def messages(self) -> list[AlertMessage]:
        subjects = dict.fromkeys(self._subject(row) for row in self.rows)
        found = [self.message(*subject) for subject in subjects]
        return [one for one in found if one is not None]

    def states(self) -> list[str]:
        return [row.state for row in self.rows]

    @staticmethod
    def _subject(row: OutboxRow) -> tuple[str, str]:
        return row.intent.receiver, row.intent.subject


class ProcessKilled(BaseException):
    """Ends a worker as a kill would: nothing catches it."""


class MemoryStories(dict[str, Story]):
    """Stories by incident id."""

    def story(self, incident_id: str) -> Story | None:
        return self.get(incident_id)
