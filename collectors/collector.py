"""What a collector is: it reads one source from a position on, and says how far it got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from domain.event import Event
from domain.series import SampleBatch, Series, SeriesKey


@dataclass(frozen=True, slots=True)
class Position:
    """How far a source was read.

    Args:
        watermark: data before this time were read; None before the first success.
        cursor: JSON of the collector's own, such as file positions; empty where the watermark is enough.
    """

    watermark: datetime | None = None
    cursor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """One page of a source.

    Args:
        samples: may be empty.
        events: may be empty.
        position: where the next page starts; it counts only after the page was stored.
        notes: sentences about gaps, refused samples and the like; without secrets.
        more: true where the source has a further page now.
    """

    samples: SampleBatch
    events: tuple[Event, ...]
    position: Position
    notes: tuple[str, ...] = ()
    more: bool = False


class Collector(Protocol):
    """Reads one source. It keeps nothing that matters between calls: the position is an argument."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def collect(self, since: Position, now: datetime) -> Collected:
        """Read one bounded page of what is new since the position.

        Raises:
            SourceError: the source gave no usable answer; nothing of it is kept.
        """


NO_SAMPLES = SampleBatch.of(())


def concatenate(batches: Sequence[SampleBatch]) -> SampleBatch:
    """Join batches in order; the first description of a series stands."""
    batches = [batch for batch in batches if len(batch)]
    if len(batches) <= 1:
        return batches[0] if batches else NO_SAMPLES
    positions: dict[SeriesKey, int] = {}
    series: list[Series] = []
    index = []
    for batch in batches:
        for one in batch.series:
            if one.key not in positions:
                positions[one.key] = len(series)
                series.append(one)
        moved = np.array([positions[one.key] for one in batch.series], dtype=np.int64)
        index.append(moved[batch.index])
    return SampleBatch(
        tuple(series),
        np.concatenate(index),
        np.concatenate([batch.timestamps for batch in batches]),
        np.concatenate([batch.values for batch in batches]),
    )
