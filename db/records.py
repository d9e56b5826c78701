"""What stores return where the domain has no word of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from domain.anomaly import Anomaly
from domain.cycle import SourceHealth
from domain.diagnosis import Diagnosis
from domain.incident import Incident

OutboxState = Literal["pending", "claimed", "sent", "parked", "cancelled"]
RunStatus = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Appended:
    """How many were taken, and how many of these replaced (or repeated) one that was there before."""

    accepted: int
    replaced: int


@dataclass(frozen=True, slots=True)
class AlertIntent:
    """A message that policy decided to send.

    Args:
        receiver: configured name of the receiver.
        kind: `opened`, `updated`, `resolved`, `diagnosed` or another word of the policy.
        dedupe_key: the same key is stored once, however often it is decided.
        payload: what the message is made from.
        not_before: when it may leave.
        subject: what the message is about, for updates in place; empty means the incident's id.
    """

    receiver: str
    kind: str
    dedupe_key: str
    payload: Mapping[str, Any]
    not_before: datetime
    subject: str = ""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A stored message. `possible_repeat`: an earlier attempt ended without a word about its success."""

    id: int
    receiver: str
    kind: str
    subject: str
    incident_id: str | None
    dedupe_key: str
    payload: Mapping[str, Any]
    state: OutboxState
    created_at: datetime
    not_before: datetime
    attempts: int
    possible_repeat: bool
    sent_at: datetime | None = None
    remote_ref: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentPlan:
    """Which anomalies belong to an incident.

    Args:
        incident_id: an open incident, or None to open a new one.
        anomalies: ids of anomalies (as given to the grouping callback) to attach.
        title: of a new incident, or a new title; None keeps the old one.
    """

    incident_id: str | None
    anomalies: tuple[str, ...]
    title: str | None = None


@dataclass(frozen=True, slots=True)
class SavedDetections:
    """What one `save_detections` changed, with ids; unchanged objects are not listed."""

    anomalies: tuple[Anomaly, ...] = ()
    created: tuple[str, ...] = ()
    incidents: tuple[Incident, ...] = ()
    alerts: int = 0


@dataclass(frozen=True, slots=True)
class CreatedDiagnosis:
    """A queued diagnosis; `created` is False where an equal request is already being worked on."""

    diagnosis: Diagnosis
    created: bool


@dataclass(frozen=True, slots=True)
class Run:
    id: int
    kind: str
    subject: str
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunEvent:
    seq: int
    type: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatThread:
    id: str
    owner: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message; `n` counts from 1 within its thread."""

    n: int
    role: Literal["user", "assistant"]
    text: str
    at: datetime
    run_id: int | None = None
    citations: tuple[Mapping[str, Any], ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a language model; a cost of None means that the price is not known."""

    at: datetime
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    subject: str | None = None
    prompt_version: str | None = None
    prompt: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class UsageDay:
    """Usage of one model on one UTC day; the cost is None where any call's price is unknown."""

    day: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a collector remembers; `watermark` and `breaker` are its own words."""

    name: str
    watermark: Any = None
    breaker: Any = None
    health: SourceHealth | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    before: Any
    after: Any
    hash: str


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """`first_bad` is the number of the first entry that does not fit, None where all do."""

    entries: int
    first_bad: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer to be given again, byte for byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
