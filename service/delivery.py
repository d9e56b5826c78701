"""How the delivery of alerts fares, from the outbox and its worker."""

from datetime import datetime, timedelta
from typing import Literal

from alerts.worker import OutboxWorker
from api.alert_port import DeliveryState, ReceiverState
from db.outbox import OutboxStore
from db.records import OutboxState

LATE = timedelta(minutes=2)
Counts = dict[tuple[str, OutboxState], int]


def delivery_state(store: OutboxStore, worker: OutboxWorker, now: datetime) -> DeliveryState:
    """The whole of it; parked messages of receivers that are no longer configured are shown, too."""
    counts, oldest = store.counts(), store.oldest_waiting(now)
    names = sorted(
        {*worker.health(), *(name for name, state in counts if state in {"pending", "claimed", "parked"})}
    )
    waits = None if oldest is None else max(0.0, (now - oldest).total_seconds())
    parked = sum(count for (_, state), count in counts.items() if state == "parked")
    status: Literal["off", "ok", "late", "refusing", "stopped"] = "ok"
    if not worker.health() and not parked:
        status = "off"
    elif not worker.alive():
        status = "stopped"
    elif parked:
        status = "refusing"
    elif waits is not None and waits > LATE.total_seconds():
        status = "late"
    return DeliveryState(
        status=status,
        pending=sum(count for (_, state), count in counts.items() if state in {"pending", "claimed"}),
        parked=parked,
        oldest_pending_seconds=waits,
        receivers=tuple(_receiver(name, counts, store, worker) for name in names),
    )


def _receiver(name: str, counts: Counts, store: OutboxStore, worker: OutboxWorker) -> ReceiverState:
    health = worker.health().get(name)
    parked = counts.get((name, "parked"), 0)
    error = health.last_error if health else None
    if error is None and parked:
        # Another process, or an earlier one, met it.
        error = store.list(["parked"], name, limit=1).items[0].error
    return ReceiverState(
        name=name,
        status="refusing" if parked else health.status if health else "untried",
        pending=counts.get((name, "pending"), 0) + counts.get((name, "claimed"), 0),
        parked=parked,
        sent=counts.get((name, "sent"), 0),
        possible_repeats=health.possible_repeats if health else 0,
        last_success_at=health.last_success_at if health else None,
        last_error=error,
    )
