"""What happens between cycles: a new leader takes over, a cycle is told and cleaned up after."""

from collections.abc import Mapping
from typing import Any

import structlog

from api.live import LiveFeed
from api.stores import Stores
from domain.cycle import Cycle
from service.analyst import Rules
from service.clock import Clock
from service.investigations import Investigations
from service.upkeep import Upkeep
from service.windows import Windows

log = structlog.get_logger()


def take_over(
    stores: Stores, windows: Windows, rules: Rules, investigations: Investigations, clock: Clock
) -> None:
    """A new leader starts from what is stored, and ends what the one before left behind."""
    now = clock()
    stores.cycles.interrupt_stale(now)
    windows.load(now)
    rules.changed()
    resumed = investigations.resume()
    if resumed:
        log.info("investigations resumed", count=resumed)


def finished(stores: Stores, live: LiveFeed, upkeep: Upkeep, cycle: Cycle) -> Cycle:
    stored = stores.cycles.finish(cycle)
    total = sum(step.ms for step in cycle.steps)
    told: Mapping[str, Any] = {
        "id": cycle.id,
        "n": cycle.id,
        "ms": round(total, 1),
        "series": cycle.series,
        "found": cycle.anomalies,
        "status": cycle.status,
    }
    live.publish("cycle.finished", told)
    log.info("cycle", **told, steps={step.name: step.ms for step in cycle.steps})
    upkeep.after_cycle(cycle.finished_at or cycle.scheduled_for)
    return stored
