"""The outbox in memory: the same contract as the stored one, for tests of policy and delivery."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts.outbox import AlertIntent, Story


@dataclass
class OutboxRow:
    id: int
    receiver: str
    kind: str
    subject: str
    dedupe_key: str
    payload: Mapping[str, Any]
    not_before: datetime
    state: Literal["pending", "claimed", "sent", "parked"] = "pending"
    attempts: int = 0
    possible_repeat: bool = False
    lease_until: datetime | None = None
    remote_ref: str | None = None
    error: str | None = None


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

    def claim(self, now: datetime, lease: timedelta, limit: int) -> Sequence[OutboxRow]:
        with self._lock:
            for row in self.rows:
                if row.state == "claimed" and row.lease_until is not None and row.lease_until <= now:
                    row.state, row.possible_repeat = "pending", True
            leased = {(row.receiver, row.subject) for row in self.rows if row.state == "claimed"}
            due = [
                row
                for row in self.rows
                if row.state == "pending"
                and row.not_before <= now
                and (row.receiver, row.subject) not in leased
            ][:limit]
            for row in due:
                row.attempts += 1
                row.state, row.lease_until = "claimed", now + lease
            return due

    def sent(self, id: int, remote_ref: str | None) -> None:  # noqa: A002
        if self.die_before_mark:
            self.die_before_mark = False
            raise ProcessKilled
        row = self.rows[id - 1]
        row.state, row.remote_ref, row.error = "sent", remote_ref, None

    def retry(self, id: int, not_before: datetime, error: str) -> None:  # noqa: A002
        row = self.rows[id - 1]
        row.state, row.not_before, row.error = "pending", not_before, error

    def park(self, id: int, reason: str) -> None:  # noqa: A002
        row = self.rows[id - 1]
        row.state, row.error = "parked", reason

    def unpark(self, receiver: str) -> int:
        parked = [row for row in self.rows if row.state == "parked" and row.receiver == receiver]
        for row in parked:
            row.state = "pending"
        return len(parked)

    def about(self, receiver: str, subject: str) -> Sequence[OutboxRow]:
        return [row for row in self.rows if (row.receiver, row.subject) == (receiver, subject)]

    def states(self) -> list[str]:
        return [row.state for row in self.rows]


class ProcessKilled(BaseException):
    """Ends a worker as a kill would: nothing catches it."""


class MemoryStories(dict[str, Story]):
    """Stories by incident id."""

    def story(self, incident_id: str) -> Story | None:
        return self.get(incident_id)
