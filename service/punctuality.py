"""How late each series usually is, by name, for whoever looks at the newest cells of a window."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from detectors.lateness import REACH, Lateness
from domain.series import Window
from domain.timestamps import to_microseconds

# Silence is told in the second cycle that misses something; after one more it is none.
TOLD_AFTER = 3


def with_rest(late: Mapping[str, int], window: Window, silent: Collection[str]) -> Mapping[str, int]:
    """How many of the newest cells are no silence, where a market that is closed is none either.

    Args:
        late: cells at the end of a window that are usually missing, by name of the series.
        window: the window.
        silent: series whose silence detection told of. What is missing for longer without a word of it is not
            due: detection knows the nights and the days off of a series, a window of a day does not.
    """
    found = dict(late)
    for name, row in window.positions.items():
        told = np.flatnonzero(np.isfinite(window.values[row]))
        missing = window.n_steps - 1 - int(told[-1]) if len(told) else 0
        if name not in silent and missing >= found.get(name, 0) + TOLD_AFTER:
            found[name] = missing
    return found


@dataclass(slots=True)
class Punctuality:
    """What was learned from every look at the windows; see `Lateness`."""

    known: dict[int, tuple[dict[str, int], Lateness]] = field(default_factory=dict)

    def look(self, window: Window) -> None:
        """Learn from a window as it is now, its last column being the cell that has begun."""
        rows, lateness = self.known.setdefault(window.step_s, ({}, Lateness()))
        for name in window.positions:
            rows.setdefault(name, len(rows))
        lateness.grow(len(rows))
        newest = np.full((len(rows), min(REACH, window.n_steps)), np.nan)
        newest[[rows[name] for name in window.positions]] = window.values[:, -REACH:]
        lateness.look(newest, to_microseconds(window.end) // (window.step_s * 1_000_000) - 1)

    def late(self, window: Window) -> Mapping[str, int]:
        """Cells at the end of a window that are usually missing, by name of the series."""
        if window.step_s not in self.known:
            return {}
        rows, lateness = self.known[window.step_s]
        names = (name for name in window.positions if name in rows)
        return {name: round(float(lateness.usual[rows[name]])) for name in names}
