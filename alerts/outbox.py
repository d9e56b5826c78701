"""What this room needs of the outbox that storage keeps, and of whoever knows the incidents.

A row of the outbox is one decision (`AlertIntent`). Rows with the same receiver and subject are told by one
message, which is edited in place where the receiver can do that: a message is rendered from the incident as
it is at the moment of delivery, so several waiting rows of one subject need one delivery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, Self

from domain.anomaly import Anomaly, Severity
from domain.diagnosis import Diagnosis
from domain.feedback import Feedback
from domain.incident import Incident
from domain.timestamps import format_rfc3339, parse_rfc3339

State = Literal["pending", "claimed", "sent", "parked", "cancelled"]


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
    def kind(self) -> str:
        """The reason, as storage calls it."""
        return self.reason

    @property
    def dedupe_key(self) -> str:
        """Identity of the decision; storing the same one twice must change nothing."""
        when = format_rfc3339(self.decided_at)
        return f"{self.receiver}|{self.subject}|{self.incident_id}|{self.reason}|{when}"

    @property
    def payload(self) -> dict[str, Any]:
        """What storage keeps of it beside its columns."""
        return {
            "incident_id": self.incident_id,
            "severity": self.severity,
            "group": self.group,
            "decided_at": format_rfc3339(self.decided_at),
            "not_before": format_rfc3339(self.not_before),
            "counted": self.counted,
        }

    @classmethod
    def stored(cls, row: "StoredAlert") -> Self:
        """Read a decision back from its row."""
        # The row's own time moves with every retry; what was decided stays.
        decided = row.payload.get("not_before")
        return cls(
            receiver=row.receiver,
            subject=row.subject,
            incident_id=row.payload["incident_id"],
            reason=row.kind,
            severity=row.payload["severity"],
            group=row.payload["group"],
            decided_at=parse_rfc3339(row.payload["decided_at"]),
            not_before=row.not_before if decided is None else parse_rfc3339(decided),
            counted=row.payload["counted"],
        )


class StoredAlert(Protocol):
    """A row of the outbox.

    `attempts` counts claims. `possible_repeat`: an earlier claim ended without a word about its success.
    `remote_ref`: what the receiver calls the message that this row went into.
    """

    @property
    def id(self) -> int: ...
    @property
    def receiver(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...
    @property
    def state(self) -> State: ...
    @property
    def not_before(self) -> datetime: ...
    @property
    def attempts(self) -> int: ...
    @property
    def possible_repeat(self) -> bool: ...
    @property
    def remote_ref(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...


UNSURE = "; an earlier attempt may have been delivered"
ASKED_TO_WAIT = " (asked to wait)"


def is_unsure(row: StoredAlert) -> bool:
    """Whether an attempt to deliver this row may have succeeded without an answer to say so."""
    return row.possible_repeat or UNSURE in (row.error or "")


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
        unsure: whether it may have been delivered although no answer says so.
    """

    receiver: str
    subject: str
    incident_ids: tuple[str, ...]
    first_decided_at: datetime
    intents: tuple[AlertIntent, ...]
    remote_ref: str | None = None
    unsure: bool = False

    @classmethod
    def of(cls, rows: Sequence[StoredAlert]) -> Self:
        """Put the rows of one receiver and subject together, oldest first, at least one."""
        intents = tuple(AlertIntent.stored(row) for row in rows)
        refs = [row.remote_ref for row in rows if row.remote_ref]
        return cls(
            receiver=rows[0].receiver,
            subject=rows[0].subject,
            incident_ids=tuple(dict.fromkeys(one.incident_id for one in intents)),
            first_decided_at=intents[0].decided_at,
            intents=intents,
            remote_ref=refs[-1] if refs else None,
            unsure=any(is_unsure(row) for row in rows if row.state != "sent"),
        )


class StoredPage(Protocol):
    @property
    def items(self) -> Sequence[StoredAlert]: ...


class Outbox(Protocol):
    """The only way out; several workers may hold one.

    `claim` leases rows that are due, oldest first, by conditional update. While a row is under a running
    lease, no other worker gets rows of the same receiver and subject. Rows of `but` receivers are left.
    """

    def claim(
        self, now: datetime, lease: timedelta, limit: int = ..., but: Sequence[str] = ...
    ) -> Sequence[StoredAlert]: ...

    def sent(self, message_id: int, remote_ref: str | None, now: datetime) -> None: ...

    def retry(self, message_id: int, not_before: datetime, error: str) -> None: ...

    def park(self, message_id: int, reason: str) -> None: ...

    def cancel(self, message_id: int, reason: str) -> None: ...

    def unpark(self, receiver: str, now: datetime) -> int: ...

    def about(self, receiver: str, subject: str) -> Sequence[StoredAlert]: ...

    def list(
        self, states: Sequence[State] | None = ..., receiver: str | None = ..., *, limit: int = ...
    ) -> StoredPage: ...


@dataclass(frozen=True, slots=True)
class Story:
    """All that can be told about one incident now.

    `sparkline` is what the series `sparkline_of` was of late, oldest value first; `verdicts` is what people
    say about the diagnosis.
    """

    incident: Incident
    anomalies: tuple[Anomaly, ...] = ()
    diagnosis: Diagnosis | None = None
    sparkline: tuple[float, ...] = ()
    sparkline_of: str = ""
    verdicts: tuple[Feedback, ...] = ()


class Stories(Protocol):
    def story(self, incident_id: str) -> Story | None: ...
