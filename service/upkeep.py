"""What keeps the database small and quick: compaction of the journal, retention by age and size."""

from datetime import datetime, timedelta

import structlog

from api.stores import Stores
from db.database import Database
from db.retention import Retention
from db.settings import RetentionPolicy
from domain.errors import StoreUnavailable

log = structlog.get_logger()
COMPACT_BEYOND = 100_000
PRUNE_EVERY = timedelta(hours=1)


class Upkeep:
    """Runs after cycles, in their thread; a failure is logged and tried again later."""

    def __init__(self, database: Database, stores: Stores, policy: RetentionPolicy) -> None:
        self._stores = stores
        self._policy = policy
        self._retention = Retention(database)
        self._pruned_at: datetime | None = None

    def after_cycle(self, now: datetime) -> None:
        """Compact where much waits, prune once an hour."""
        try:
            if self._stores.samples.pending() > COMPACT_BEYOND:
                self._stores.samples.compact(now)
            if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
                self._retention.prune(now, self._policy)
                self._pruned_at = now
        except StoreUnavailable as error:
            log.warning("upkeep failed", error=str(error))
