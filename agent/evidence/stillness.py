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


def stillness(
    reference: FloatArray,
    current: FloatArray,
    before: FloatArray | None = None,
    late: IntArray | None = None,
) -> Stillness:
    """Find series that went still in a window.

    Args:
        reference: shape (n, r); NaN is a gap.
        current: shape (n, w), with at least one column.
        before: shape (n,), the samples just before the window, which its first may repeat; not known without.
        late: shape (n,), newest samples that are usually not there yet; none without.
    """
    here = np.isfinite(current)
    known = np.maximum.accumulate(np.isfinite(reference), axis=1)
    # Before its first sample a series was not silent, it was not there.
    gaps = known & ~np.isfinite(reference)
    never = gaps.sum(axis=1) < MOSTLY * np.maximum(known.sum(axis=1), 1)
    told = np.isfinite(reference)
    paired = told[:, 1:] & told[:, :-1]
    zeros, repeats = reference == 0, np.diff(reference, axis=1) == 0
    missing = _last_run(~here)
    unusual = missing if late is None else np.maximum(missing - late, 0)
    # What is only late says nothing: such a series is judged by what came before.
    skipped = np.where(unusual == 0, missing, 0)
    zero = _last_run(current == 0, skipped)
    led = current if before is None else np.column_stack([before, current])
    same = _last_run(np.diff(led, axis=1) == 0, skipped)
    enough = np.isfinite(reference).sum(axis=1) > SHORTEST_FREEZE
    silent = enough & never & (unusual >= _least(current, SHORTEST_STOP))
    stopped = enough & ~silent & (_share(zeros, told) < RARE) & (zero >= _least(current, SHORTEST_STOP))
    # However long the window: what never repeated itself before does not do so by chance.
    frozen = enough & ~silent & ~stopped & (_share(repeats, paired) < RARE) & (same >= SHORTEST_FREEZE)
    p, since = np.ones(len(current)), np.zeros(len(current), dtype=np.int64)
    runs = ((silent, gaps, known, missing), (stopped, zeros, told, zero), (frozen, repeats, paired, same))
    for kind, rare, among, length in runs:
        p = np.where(kind, _run_chance(rare, among, length), p)
        since = np.where(kind, current.shape[1] - length - skipped, since)
    p = np.where(silent, _run_chance(gaps, known, unusual), p)
    return Stillness(silent, stopped, frozen, p, since)


def _least(current: FloatArray, shortest: int) -> float:
    """How long a run must last: a minimum, and three tenths of the window."""
    return max(float(shortest), 0.3 * float(current.shape[1]))


def _last_run(events: BoolArray, skipped: IntArray | None = None) -> IntArray:
    """Length of the unbroken run of events that reaches to the last column, or to those that are skipped."""
    if not events.shape[1]:
        return np.zeros(len(events), dtype=np.int64)
    if skipped is not None and skipped.any():
        out = np.arange(events.shape[1]) >= events.shape[1] - skipped[:, None]
        run: IntArray = np.maximum(_last_run(events | out) - skipped, 0)
        return run
    broken = ~events[:, ::-1]
    length: IntArray = np.where(broken.any(axis=1), broken.argmax(axis=1), events.shape[1]).astype(np.int64)
    return length


def _share(events: BoolArray, among: BoolArray) -> FloatArray:
    """Share of the samples (or pairs of them) that are there in which something is the case."""
    share: FloatArray = events.sum(axis=1) / np.maximum(among.sum(axis=1), 1)
    return share


def _run_chance(rare: BoolArray, among: BoolArray, length: IntArray) -> FloatArray:
    """Chance of a run of independent events at their reference share, one more of them assumed than seen."""
    share = (rare.sum(axis=1) + 1) / (among.sum(axis=1) + 2)
    chance: FloatArray = np.clip(share, 0.0, 1.0) ** np.minimum(length, 20)
    return chance
