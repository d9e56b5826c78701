"""Series that went still: silent (no samples), stopped (nothing but zero) or frozen (one value repeated).

What does not move has no effect size. Its p-value is that of so long a run of what the reference shows
rarely.
"""

from dataclasses import dataclass

import numpy as np

from domain.series import BoolArray, FloatArray, IntArray

RARE = 0.05
MOSTLY = 0.2
SHORTEST_FREEZE = 2
SHORTEST_STOP = 2


@dataclass(frozen=True, slots=True)
class Stillness:
    """One row per series: which kind of stillness, if any, its p-value, and since which column."""

    silent: BoolArray
    stopped: BoolArray
    frozen: BoolArray
    p: FloatArray
    since: IntArray

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
    known = np.maximum.accumulate(np.isfinite(reference), axis=1)
    # Before its first sample a series was not silent, it was not there.
    gaps = known & ~np.isfinite(reference)
    never = gaps.sum(axis=1) < MOSTLY * np.maximum(known.sum(axis=1), 1)
    zeros, repeats = reference == 0, np.diff(reference, axis=1) == 0
    missing = _last_run(~here)
    zero = _last_run(current == 0)
    same = _last_run(np.diff(current, axis=1) == 0)
    enough = np.isfinite(reference).sum(axis=1) > SHORTEST_FREEZE
    silent = enough & never & (missing >= _least(current, SHORTEST_STOP))
    stopped = enough & ~silent & (_share(zeros) < RARE) & (zero >= _least(current, SHORTEST_STOP))
    # However long the window: what never repeated itself before does not do so by chance.
    frozen = enough & ~silent & ~stopped & (_share(repeats) < RARE) & (same >= SHORTEST_FREEZE)
    p, since = np.ones(len(current)), np.zeros(len(current), dtype=np.int64)
    for kind, rare, length in ((silent, gaps, missing), (stopped, zeros, zero), (frozen, repeats, same)):
        p = np.where(kind, _run_chance(rare, length), p)
        since = np.where(kind, current.shape[1] - length, since)
    return Stillness(silent, stopped, frozen, p, since)


def _least(current: FloatArray, shortest: int) -> float:
    """How long a run must last: a minimum, and three tenths of the window."""
    return max(float(shortest), 0.3 * float(current.shape[1]))


def _last_run(events: BoolArray) -> IntArray:
    """Length of the unbroken run of events that reaches to the last column."""
    if not events.shape[1]:
        return np.zeros(len(events), dtype=np.int64)
    broken = ~events[:, ::-1]
    length: IntArray = np.where(broken.any(axis=1), broken.argmax(axis=1), events.shape[1]).astype(np.int64)
    return length


def _share(events: BoolArray) -> FloatArray:
    return events.mean(axis=1) if events.shape[1] else np.zeros(len(events))


def _run_chance(rare: BoolArray, length: IntArray) -> FloatArray:
    """Chance of a run of independent events at their reference share, one more of them assumed than seen."""
    share = (rare.sum(axis=1) + 1) / (rare.shape[1] + 2)
    chance: FloatArray = np.clip(share, 0.0, 1.0) ** np.minimum(length, 20)
    return chance
