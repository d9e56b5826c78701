"""When it began: a likelihood curve over all change points of the target, and its interval."""

from dataclasses import dataclass

import numpy as np

from domain.series import FloatArray

CLIP = 10.0
# Half the 95 % quantile of chi-square with one degree of freedom: Wilks' likelihood-ratio interval.
LIKELIHOOD_DROP = 1.92
# Share of silent or zero samples before, above which another one is nothing new.
RARE = 0.2
# A single sample that is missing or repeated is late or a coincidence.
LASTING = 2


@dataclass(frozen=True, slots=True)
class Onset:
    """Columns of the change and of its 95 % interval, with the gain in log likelihood of having a change."""

    column: int
    low: int
    high: int
    gain: float


def estimate(values: FloatArray, first: int, bad: int) -> Onset | None:
    """Find where a series began to differ from what it was before.

    Args:
        values: shape (n,), the target up to the newest usable sample; NaN is a gap.
        first: the earliest column at which the change may lie.
        bad: -1 or +1 where only falls or rises count, 0 for both and for swings.

    Returns:
        None where there is no finite sample to judge by. A series that falls silent or to zero or repeats
        itself, and stays so, begins to differ with the first such sample, unless it moved as never before.
    """
    still = _stillness(values, first)
    reference = values[:first]
    reference = reference[np.isfinite(reference)]
    if len(reference) < 3 or first >= len(values) or not np.isfinite(values[first:]).any():
        return still
    center = float(np.median(reference))
    spread = max(1.4826 * float(np.median(np.abs(reference - center))), 0.2 * float(np.std(reference)), 1e-12)
    away = (values - center) / spread
    gain = _gain_of(np.nan_to_num(np.clip(away[first:], -CLIP, CLIP)), bad)
    best = int(np.argmax(gain))
    near = np.flatnonzero(gain >= gain[best] - LIKELIHOOD_DROP)
    found = Onset(first + best, first + int(near.min()), first + int(near.max()), float(gain[best]))
    if still is None:
        return found
    lasting = len(values) - still.column >= LASTING
    if found.gain <= still.gain or (lasting and not _is_unheard_of(away, first, bad)):
        return still
    return found


def _is_unheard_of(scaled: FloatArray, first: int, bad: int) -> bool:
    """Whether the stretch from a column on changed more than any as long before it, each against its own eve.

    What wanders, as a price does, is somewhere else in every stretch.
    """
    width = len(scaled) - first
    ends = range(len(scaled), 2 * width - 1, -max(1, width // 2))
    eves = [scaled[end - 2 * width : end - width] for end in ends]
    moves = [
        float(_gain_of(np.nan_to_num(scaled[end - width : end] - np.nanmedian(eve)), bad).max())
        for end, eve in zip(ends, eves, strict=True)
        if np.isfinite(eve).any()
    ]
    return len(moves) > 1 and moves[0] > max(moves[1:])


def _stillness(values: FloatArray, first: int) -> Onset | None:
    """Where a series fell silent or to zero or froze for good: the first of a run its past hardly knows.

    The gain is that of so long a run at the share that such samples had before.
    """
    found: Onset | None = None
    here = np.isfinite(values)
    repeats = np.append(False, np.diff(values) == 0)
    for event in (np.maximum.accumulate(here) & ~here, values == 0, repeats):
        broken = np.flatnonzero(~event)
        start = int(broken[-1]) + 1 if len(broken) else 0
        share = (float(event[:first].sum()) + 1) / (first + 2)
        if start < max(first, 1) or start >= len(values) or share > RARE:
            continue
        gain = -float(np.log(share)) * (len(values) - start)
        if found is None or gain > found.gain:
            found = Onset(start, start, start, gain)
    return found


def _gain_of(scaled: FloatArray, bad: int) -> FloatArray:
    """Gain at each column of a move in the direction that counts, in either or of a swing where both do."""
    out: FloatArray = _gain(scaled * bad) if bad else np.max([_gain(one) for one in _either(scaled)], axis=0)
    return out


def _gain(scaled: FloatArray) -> FloatArray:
    """Gain in log likelihood of a rise at each column that lasts to the end."""
    tails = np.cumsum(scaled[::-1])[::-1]
    gain: FloatArray = np.maximum(tails, 0.0) ** 2 / (2 * np.arange(len(scaled), 0, -1))
    return gain


def _either(scaled: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A rise, a fall, or wider swings; the mean size of a standard normal is 0.8."""
    return scaled, -scaled, np.abs(scaled) - 0.8
