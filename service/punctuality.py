"""How late each series usually is, by name, for whoever looks at the newest cells of a window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from detectors.lateness import REACH, Lateness
from domain.series import Window
from domain.timestamps import to_microseconds


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
