"""What this room needs of the outbox that storage keeps, and of whoever knows the incidents.

A row of the outbox is one decision (`AlertIntent`). Rows with the same receiver and subject are told by one
message, which is edited in place where the receiver can do that: a message is rendered from the incident as
it is at the moment of delivery, so several waiting rows of one subject need one delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.anomaly import Anomaly, Severity
from domain.diagnosis import Diagnosis
from domain.incident import Incident


@dataclass(frozen=True, slots=True)
class AlertIntent:
    """One thing to tell one receiver, decided and stored in the transaction of what it tells about.

    Args:
        receiver: configured name, such as `slack` or `webhook:pager`.
        subject: the message it belongs to: `incident:I-12` or `digest:...`.
        incident_id: the incident it is about.
        reason: a value of `alerts.policy.Reason`.
        severity: of the incident, when this was decided.
        group: what the cooldown counts together (rule and leading series).
        decided_at: when it was decided.
        not_before: do not deliver earlier than this.
        counted: whether it uses up a place of the hourly limit.
    """

    receiver: str
    subject: str
    incident_id: str
    reason: str
    severity: Severity
    group: str
    decided_at: datetime
    not_before: datetime
    counted: bool = False

    @property
    def key(self) -> str:
        """Identity of the decision; storing the same one twice must change nothing."""
        parts = (self.receiver, self.subject, self.incident_id, self.reason, self.decided_at.isoformat())
        return "|".join(parts)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed row. `attempts` counts this claim too; over 1 means that an earlier one did not end well."""

    id: int
    intent: AlertIntent
    attempts: int


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What the rows of one receiver and subject amount to, those not yet delivered included.

    Args:
        receiver: whom it is for.
        subject: what it is about.
        incident_ids: the incidents it names, in the order in which they joined.
        first_decided_at: `decided_at` of its first row.
        intents: all its decisions, oldest first.
        remote_ref: what the receiver calls the message; None before the first delivery.
        delivered: whether any of its rows was delivered.
        attempts: how often delivering its undelivered rows was begun, running attempts included.
    """

    receiver: str
    subject: str
    incident_ids: tuple[str, ...]
    first_decided_at: datetime
    intents: tuple[AlertIntent, ...]
    remote_ref: str | None = None
    delivered: bool = False
    attempts: int = 0


class Outbox(Protocol):
    """The only way out. Two workers may hold one outbox.

    `claim` leases rows that are due (not sent, not parked, `not_before <= now`, no running lease), oldest
    first, by conditional update. While a row of a subject is under a running lease, no other worker gets
    rows of the same receiver and subject.
    """

    def add(self, intents: Sequence[AlertIntent]) -> None: ...

    def claim(self, now: datetime, lease: timedelta, limit: int) -> Sequence[Delivery]: ...

    def sent(self, id: int, remote_ref: str | None) -> None: ...  # noqa: A002 - the store's own word

    def retry(self, id: int, not_before: datetime, error: str) -> None: ...  # noqa: A002

    def park(self, id: int, reason: str) -> None: ...  # noqa: A002

    def message(self, receiver: str, subject: str) -> AlertMessage | None: ...

    def unpark(self, receiver: str) -> int:
        """Make the parked rows of a receiver due again; how many there were."""
        ...


@dataclass(frozen=True, slots=True)
class Story:
    """All that can be told about one incident now. `sparkline` is the leading series, oldest value first."""

    incident: Incident
    anomalies: tuple[Anomaly, ...] = ()
    diagnosis: Diagnosis | None = None
    sparkline: tuple[float, ...] = ()


class Stories(Protocol):
    def story(self, incident_id: str) -> Story | None: ...
