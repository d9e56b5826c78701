"""Series that went still: silent (no samples), stopped (nothing but zero) or frozen (one value repeated).

What does not move has no effect size. Its p-value is that of so long a run of what the reference shows
rarely.
"""

from dataclasses import dataclass

import numpy as np

from domain.series import BoolArray, FloatArray

RARE = 0.05
SHORTEST_FREEZE = 4
SHORTEST_STOP = 2


@dataclass(frozen=True, slots=True)
class Stillness:
    """One row per series: which kind of stillness, if any, and its p-value (1 where there is none)."""

    silent: BoolArray
    stopped: BoolArray
    frozen: BoolArray
    p: FloatArray

    @property
    def still(self) -> BoolArray:
        out: BoolArray = self.silent | self.stopped | self.frozen
        return out


def stillness(reference: FloatArray, current: FloatArray) -> Stillness:
    """Find series that went still in a window.

    Args:
        reference: shape (n, r); NaN is a gap.
        current: shape (n, w), with at least one column.
    """
    here = np.isfinite(current)
    gaps = ~np.isfinite(reference)
    silent = (_share(gaps) < 1 - 0.8) & (here.mean(axis=1) < 0.5) & ~here[:, -1]
    zero = here & (current == 0)
    stopped = (
        (zero.sum(axis=1) >= np.maximum(SHORTEST_STOP, 0.8 * here.sum(axis=1)))
        & (_share(reference == 0) < RARE)
        & ~silent
    )
    repeats = np.diff(reference, axis=1) == 0
    runs = (
        (np.diff(current, axis=1) == 0) if current.shape[1] > 1 else np.zeros((len(current), 1), dtype=bool)
    )
    frozen = (
        (here.sum(axis=1) >= SHORTEST_FREEZE)
        & runs.all(axis=1)
        & (_share(repeats) < RARE)
        & ~stopped
        & (np.isfinite(reference).sum(axis=1) > SHORTEST_FREEZE)
    )
    p = np.ones(len(current))
    for kind, rare, length in (
        (silent, gaps, (~here).sum(axis=1)),
        (stopped, reference == 0, zero.sum(axis=1)),
        (frozen, repeats, runs.sum(axis=1)),
    ):
        p = np.where(kind, _run_chance(rare, length), p)
    return Stillness(silent, stopped, frozen, p)


def _share(events: BoolArray) -> FloatArray:
    return events.mean(axis=1) if events.shape[1] else np.zeros(len(events))


def _run_chance(rare: BoolArray, length: FloatArray) -> FloatArray:
    """Chance of a run of independent events at their reference share, one more of them assumed than seen."""
    share = (rare.sum(axis=1) + 1) / (rare.shape[1] + 2)
    chance: FloatArray = np.clip(share, 0.0, 1.0) ** np.minimum(length, 20)
    return chance
