"""What a receiver is handed, and what it promises."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from alerts.summary import Summary

# `in_place`: edits its message. `every`: a machine that gets each change. `important`: people who get a new
# message for each change, and therefore only for those worth one.
Updates = Literal["in_place", "every", "important"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message in its present state.

    Args:
        key: what makes it this message and no other, stable over restarts.
        reason: the newest reason for telling, a value of `alerts.policy.Reason`.
        summaries: the incidents it names, the first one first.
        fresh: ids of the incidents that it did not name when it was last delivered.
        digest: the heading of a digest; None for the message of one incident.
        remote_ref: what the receiver called it when it was first delivered.
        uncertain: an earlier attempt may have been delivered although no answer says so.
        now: the time of the service.
        escalation: which step of escalation this is; None for an ordinary message.
    """

    key: str
    reason: str
    summaries: tuple[Summary, ...]
    fresh: tuple[str, ...]
    digest: str | None
    remote_ref: str | None
    uncertain: bool
    now: datetime
    escalation: int | None = None


class Receiver(Protocol):
    """One outside service that takes alerts."""

    @property
    def name(self) -> str: ...

    @property
    def updates(self) -> Updates: ...

    @property
    def pace_s(self) -> float:
        """Seconds to leave between two calls."""
        ...

    def notify(self, notice: Notice) -> str | None:
        """Deliver, and return what the receiver calls the message.

        Raises:
            NotifyError: it did not take the message; `alerts.http.Unanswered` where it may have.
        """
        ...

    def check(self) -> str:
        """Try it without bothering anybody where that is possible; one sentence about what was found.

        Raises:
            NotifyError: it would not take a message.
        """
        ...

    def close(self) -> None: ...
