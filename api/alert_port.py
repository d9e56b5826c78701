"""What the doors need of the delivery of alerts; the service implements it."""

from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from domain.feedback import Feedback


class ReceiverState(BaseModel):
    """How one receiver fares.

    `last_error` is of the newest message that it would not take; `parked` ones wait for a person, who may
    have them tried again. `possible_repeats` were sent again because nobody knows whether they arrived.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    status: Literal["untried", "ok", "retrying", "refusing"]
    pending: int = 0
    parked: int = 0
    sent: int = 0
    possible_repeats: int = 0
    last_success_at: datetime | None = None
    last_error: str | None = None


class DeliveryState(BaseModel):
    """The outbox and its worker.

    `late`: something is overdue; `refusing`: something is parked; `off`: nobody is to be told anything.
    `oldest_pending_seconds` is how long the message waits that is longest overdue.
    """

    model_config = ConfigDict(frozen=True)

    status: Literal["off", "ok", "late", "refusing", "stopped"]
    pending: int = 0
    parked: int = 0
    oldest_pending_seconds: float | None = None
    receivers: tuple[ReceiverState, ...] = ()


class AlertDesk(Protocol):
    """Alerts as the doors see them."""

    def delivery(self) -> DeliveryState: ...

    def try_again(self, name: str) -> int:
        """Have a receiver's parked messages tried again; how many there are. Raises NotFound."""

    def judged(self, feedback: Feedback) -> None:
        """A person judged a diagnosis; whoever was told of its incident is told that."""
