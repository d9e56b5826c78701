"""Derives series from what the windows hold, stores them, and lets the windows take them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from collectors.derived import derive
from collectors.settings_derived import DerivedSettings
from db.samples import SampleStore
from domain.rule import Rule
from service.windows import Windows


def rules_of_derived(settings: Sequence[DerivedSettings]) -> tuple[Rule, ...]:
    """What is derived falls silent with what it is derived from, of which that is told."""
    return tuple(
        Rule(
            name=f"derived-{metric}", metric=metric, method="stale", threshold=1e6, anomaly_type="stale_feed"
        )
        for metric in sorted({one.metric for one in settings})
    )


@dataclass(frozen=True, slots=True)
class Deriving:
    """One pass over everything that changed; what is derived is stored like any other series.

    Args:
        windows: the recent past.
        samples: where series are stored.
        settings: of the derived series; none costs nothing.
    """

    windows: Windows
    samples: SampleStore
    settings: Sequence[DerivedSettings]

    def __call__(self, now: datetime) -> None:
        if not self.settings:
            return
        batches = [derive(window, first, self.settings) for window, first in self.windows.to_score()]
        for batch in batches:
            if len(batch):
                self.samples.append(batch)
        if any(len(batch) for batch in batches):
            self.windows.advance(now)
