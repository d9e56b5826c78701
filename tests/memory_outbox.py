"""The outbox in memory: the same contract as the stored one, for tests of policy and delivery."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.outbox import AlertIntent, State, Story


@dataclass
class OutboxRow:
    id: int
    receiver: str
    kind: str
    subject: str
    dedupe_key: str
    payload: Mapping[str, Any]
    not_before: datetime
    state: State = "pending"
    attempts: int = 0
    possible_repeat: bool = False
    lease_until: datetime | None = None
    remote_ref: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Page:
    items: Sequence[OutboxRow]


class MemoryOutbox:
    """Keeps rows for ever; `die_before_mark` imitates a kill between delivery and mark."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.die_before_mark = False
        self._lock = threading.Lock()

    def add(self, intents: Sequence[AlertIntent]) -> None:
        with self._lock:
            for one in intents:
                if one.dedupe_key not in {row.dedupe_key for row in self.rows}:
                    row = OutboxRow(
                        len(self.rows) + 1,
                        one.receiver,
                        one.kind,
                        one.subject,
                        one.dedupe_key,
                        one.payload,
                        one.not_before,
                    )
                    self.rows.append(row)

    def claim(
        self, now: datetime, lease: timedelta, limit: int = 10, but: Sequence[str] = ()
    ) -> Sequence[OutboxRow]:
        with self._lock:
            busy = {
                (row.receiver, row.subject)
                for row in self.rows
                if row.state == "claimed" and row.lease_until is not None and row.lease_until > now
            }
            due = [
                row
                for row in self.rows
                if row.state in {"pending", "claimed"}
                and row.receiver not in but
                and (row.receiver, row.subject) not in busy
                and (row.state == "claimed" or row.not_before <= now)
            ][:limit]
            for row in due:
                row.possible_repeat = row.possible_repeat or row.state == "claimed"
                row.attempts += 1
                row.state, row.lease_until = "claimed", now + lease
            return [replace(row) for row in due]

    def sent(self, message_id: int, remote_ref: str | None, now: datetime) -> None:
        if self.die_before_mark:
            self.die_before_mark = False
            raise ProcessKilled
        row = self.rows[message_id - 1]
        row.state, row.remote_ref, row.error = "sent", remote_ref, None

    def retry(self, message_id: int, not_before: datetime, error: str) -> None:
        row = self.rows[message_id - 1]
        row.state, row.not_before, row.error, row.possible_repeat = "pending", not_before, error, False

    def park(self, message_id: int, reason: str) -> None:
        row = self.rows[message_id - 1]
        row.state, row.error, row.possible_repeat = "parked", reason, False

    def cancel(self, message_id: int, reason: str) -> None:
        row = self.rows[message_id - 1]
        row.state, row.error = "cancelled", reason

    def unpark(self, receiver: str, now: datetime) -> int:
        parked = [row for row in self.rows if row.state == "parked" and row.receiver == receiver]
        for row in parked:
            row.state, row.not_before = "pending", now
        return len(parked)

    def about(self, receiver: str, subject: str) -> Sequence[OutboxRow]:
        return [replace(row) for row in self.rows if (row.receiver, row.subject) == (receiver, subject)]

    def list(
        self, states: Sequence[State] | None = None, receiver: str | None = None, *, limit: int = 100
    ) -> "Page":
        rows = [row for row in self.rows if receiver in {None, row.receiver}]
        return Page([row for row in rows if states is None or row.state in states][-limit:])

    def states(self) -> Sequence[str]:
        return [row.state for row in self.rows]


class ProcessKilled(BaseException):
    """Ends a worker as a kill would: nothing catches it."""


class MemoryStories(dict[str, Story]):
    """Stories by incident id."""

    def story(self, incident_id: str) -> Story | None:
        return self.get(incident_id)
