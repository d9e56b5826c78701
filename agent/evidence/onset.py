"""When it began: a likelihood curve over all change points of the target, and its interval."""

from dataclasses import dataclass

import numpy as np

from domain.series import FloatArray

CLIP = 10.0
# Half the 95 % quantile of chi-square with one degree of freedom: Wilks' likelihood-ratio interval.
LIKELIHOOD_DROP = 1.92


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
        bad: -1 or +1 where only falls or rises count, 0 for both.

    Returns:
        None where there is no finite sample to judge by.
    """
    reference = values[:first]
    reference = reference[np.isfinite(reference)]
    if len(reference) < 3 or first >= len(values) or not np.isfinite(values[first:]).any():
        return None
    center = float(np.median(reference))
    spread = max(1.4826 * float(np.median(np.abs(reference - center))), 0.2 * float(np.std(reference)), 1e-12)
    scaled = np.nan_to_num(np.clip((values[first:] - center) / spread, -CLIP, CLIP))
    tails = np.cumsum(scaled[::-1])[::-1]
    signed = tails * bad if bad else np.abs(tails)
    lengths = np.arange(len(scaled), 0, -1)
    gain = np.maximum(signed, 0.0) ** 2 / (2 * lengths)
    best = int(np.argmax(gain))
    near = np.flatnonzero(gain >= gain[best] - LIKELIHOOD_DROP)
    return Onset(first + best, first + int(near.min()), first + int(near.max()), float(gain[best]))
