"""How far every series moved: window-matched effect, p-value, change time, for all series at once.

Every statistic of the incident's window is compared with the same statistic of equally long windows of
the reference, so that a slow, bursty or autocorrelated series is measured by its own habits. Three are
looked at: the median (level), the mean rank (tendency) and the largest deviation (spike).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.evidence.rank_test import rank_test
from agent.evidence.settings import EvidenceSettings
from agent.evidence.tails import degrees_of, matched_width, t_tail
from domain.series import BoolArray, FloatArray, IntArray

MAX_REFERENCE_WINDOWS = 96
GOLDEN_RATIO = (5**0.5 - 1) / 2
_MAD_TO_SD = 1.4826
# Spikes of calm series look alike on a log scale; a spread below this is luck.
LEAST_LOG_SPREAD = 0.35
# Tails of metrics are heavier than a normal's: with six degrees of freedom quiet windows stay within 5 %.
LEVEL_DEGREES = 6.0
# A sample this many times as far off as the middle one is what a reader would call a spike.
LONE_SAMPLE = 3.0
# The first sample beyond these, a share of the largest and a number of spreads, gives a spike its direction.
SWING_SHARE = 0.2
SWING_SPREADS = 6.0
# A quantity that falls to nothing counts as one that falls to this share of itself.
LEAST_RATIO = 0.02


@dataclass(frozen=True, slots=True)
class Shifts:
    """One row per series; untestable series have p 1 and effect 0.

    Args:
        baseline: shape (n,), median of the reference.
        value: shape (n,), median of the window.
        z: shape (n,), signed window-matched effect in reference spreads.
        peak: shape (n,), largest single-sample effect in the window, unsigned.
        extreme: shape (n,), the value of the first large deviation.
        spike: shape (n,), +1 or -1 where a spike and not a level is what stands out, else 0.
        auc: shape (n,), probability that a window sample exceeds a reference sample.
        p: shape (n,), two-sided p-value.
        change: shape (n,), column of the window (counted from its start) at which the level changed.
        persistence: shape (n,), share of window samples beyond two spreads on the side of z.
        tested: shape (n,), enough samples for a test.
    """

    baseline: FloatArray
    value: FloatArray
    z: FloatArray
    peak: FloatArray
    extreme: FloatArray
    spike: FloatArray
    auc: FloatArray
    p: FloatArray
    change: IntArray
    persistence: FloatArray
    tested: BoolArray


def measure(
    reference: FloatArray, current: FloatArray, peers: IntArray, falls: BoolArray, settings: EvidenceSettings
) -> Shifts:
    """Compare a window with its reference, for all series at once.

    Args:
        reference: shape (n, r); NaN is a gap.
        current: shape (n, w); NaN is a gap.
        peers: shape (n,), group numbers; series of one group measure the same thing elsewhere.
        falls: shape (n,), whether a fall matters as much as a rise and counts by its logarithm.
        settings: floors and limits.
    """
    n_reference = np.isfinite(reference).sum(axis=1)
    n_current = np.isfinite(current).sum(axis=1)
    tested = (n_reference >= settings.min_reference) & (n_current >= 1)
    baseline, spread_one = _robust(reference)
    matched_center, matched_spread = _window_medians(reference, current.shape[1])
    floor = _floors(np.abs(baseline), spread_one, peers, settings)
    value = _median(current)
    moved = _difference(value, matched_center, falls & _positive(reference))
    z = _divide(moved, np.sqrt(matched_spread**2 + floor**2))
    z = np.where(tested, np.clip(np.nan_to_num(z), -settings.max_z, settings.max_z), 0.0)
    single = np.sqrt(spread_one**2 + floor**2)[:, None]
    steps = np.nan_to_num(_divide(current - baseline[:, None], single))
    auc, p_rank = rank_test(reference, current)
    p_level = t_tail(z, np.full(len(z), LEVEL_DEGREES))
    past = np.abs(np.nan_to_num(_divide(reference - baseline[:, None], single)))
    p_spike = _spike_test(past, np.minimum(np.abs(steps), settings.max_z))
    top = _first_swing(np.abs(steps))[:, None]
    spike = np.where(
        tested & _stands_out(np.abs(steps), p_spike, np.minimum(p_level, p_rank)),
        np.sign(np.take_along_axis(steps, top, 1))[:, 0],
        0.0,
    )
    return Shifts(
        baseline=np.nan_to_num(baseline),
        value=np.where(n_current > 0, np.nan_to_num(value), 0.0),
        z=z,
        peak=np.minimum(np.abs(steps).max(axis=1, initial=0.0), settings.max_z),
        extreme=np.nan_to_num(np.take_along_axis(current, top, 1))[:, 0],
        spike=spike,
        auc=auc,
        p=np.where(tested, np.minimum(1.0, 3 * np.minimum(np.minimum(p_rank, p_level), p_spike)), 1.0),
        change=np.where(spike != 0, top[:, 0], _change_columns(steps, z)),
        persistence=_persistence(steps, z, n_current),
        tested=tested,
    )


def _first_swing(steps: FloatArray) -> IntArray:
    """The column of the first large deviation: a crash falls first and a pump rises first."""
    largest = steps.max(axis=1, initial=0.0)[:, None]
    large = steps >= np.minimum(np.maximum(SWING_SHARE * largest, SWING_SPREADS), largest)
    columns: IntArray = np.argmax(large, axis=1).astype(np.int64)
    return columns


def _stands_out(steps: FloatArray, p_spike: FloatArray, p_other: FloatArray) -> BoolArray:
    """Whether a single sample tells more than the level: by its tail, or by far the largest of the window."""
    largest, middle = steps.max(axis=1, initial=0.0), _median(steps)
    lone: BoolArray = (p_spike < 0.01) & (largest > LONE_SAMPLE * middle)
    return (p_spike < 0.1 * p_other) | lone


def _positive(reference: FloatArray) -> BoolArray:
    above: BoolArray = np.where(np.isfinite(reference), reference, 1.0).min(axis=1, initial=1.0) > 0
    return above


def _difference(value: FloatArray, center: FloatArray, by_ratio: BoolArray) -> FloatArray:
    """Value minus center; where asked for, a fall counts by its logarithm.

    A depth that falls to a fifth is as odd as one that rises five-fold, yet on a linear scale it can never
    fall by more than itself. The logarithm agrees with the difference where that is small.
    """
    falls = by_ratio & (value < center) & (center > 0)
    ratio = np.clip(np.divide(value, center, out=np.ones_like(value), where=falls), LEAST_RATIO, 1.0)
    moved: FloatArray = np.where(falls, center * np.log(ratio), value - center)
    return moved


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    out = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    safe = np.broadcast_to(denominator, out.shape) > 0
    np.divide(numerator, denominator, out=out, where=safe)
    moved = ~safe & (np.abs(np.broadcast_to(numerator, out.shape)) > 0)
    out[moved] = np.sign(np.broadcast_to(numerator, out.shape)[moved]) * np.inf
    return np.nan_to_num(out, nan=np.nan, posinf=1e6, neginf=-1e6)


def _median(values: FloatArray) -> FloatArray:
    """Median over the last axis; NaN is ignored, NaN where nothing is left."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)
    low = np.maximum((count - 1) // 2, 0)[..., None]
    high = np.minimum(count // 2, max(values.shape[-1] - 1, 0))[..., None]
    middle = np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1)
    out: FloatArray = np.where(count > 0, middle[..., 0] / 2, np.nan)
    return out


def _robust(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median and a spread: MAD, or a fifth of the standard deviation where most values are equal."""
    center = _median(values)
    mad = _MAD_TO_SD * _median(np.abs(values - center[:, None]))
    finite = np.isfinite(values)
    count = np.maximum(finite.sum(axis=1), 1)
    filled = np.where(finite, values - np.nan_to_num(center)[:, None], 0.0)
    sd = np.sqrt((filled**2).sum(axis=1) / count)
    return center, np.maximum(np.nan_to_num(mad), 0.2 * sd)


def _window_medians(reference: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Center and spread of the medians of reference windows as long as the incident's."""
    width = matched_width(reference, width)
    windows = np.lib.stride_tricks.sliding_window_view(reference, width, axis=1)
    medians = _median(windows[:, _spread_out(windows.shape[1])])
    center = _median(medians)
    finite = np.isfinite(medians)
    count = np.maximum(finite.sum(axis=1), 1)
    off = np.where(finite, medians - np.nan_to_num(center)[:, None], 0.0)
    return center, np.sqrt((off**2).sum(axis=1) / count)


def _spread_out(count: int) -> IntArray:
    """Windows to look at, at no regular distance: what comes every so often would meet all or none.

    The multiples of the golden ratio lie evenly and repeat no distance (Weyl's sequence).
    """
    if count <= MAX_REFERENCE_WINDOWS:
        return np.arange(count, dtype=np.int64)
    places = np.arange(MAX_REFERENCE_WINDOWS) * GOLDEN_RATIO % 1.0 * count
    return np.unique(places.astype(np.int64))


def _floors(level: FloatArray, spread: FloatArray, peers: IntArray, settings: EvidenceSettings) -> FloatArray:
    """The least spread to believe in: a share of the peers' spread, of the own and of the peers' level."""
    out = np.zeros_like(level)
    for group in np.unique(peers):
        members = peers == group
        pooled = np.nanmedian(spread[members]) if np.isfinite(spread[members]).any() else 0.0
        peer_level = np.nanmedian(level[members]) if np.isfinite(level[members]).any() else 0.0
        out[members] = np.fmax(settings.peer_floor * pooled, 2 * settings.level_floor * peer_level)
    return np.fmax(out, settings.level_floor * level)


def _spike_test(past: FloatArray, now: FloatArray) -> FloatArray:
    """One-sided tail of the window's largest deviation among those of reference windows, on a log scale.

    A spike must also exceed everything in the reference; else the tail is one half.
    """
    width = max(1, min(now.shape[1], past.shape[1] // 4))
    largest = np.lib.stride_tricks.sliding_window_view(past, width, axis=1).max(axis=-1)
    usual = np.log1p(largest)
    height = now.max(axis=1, initial=0.0)
    z = (np.log1p(height) - usual.mean(axis=1)) / np.maximum(usual.std(axis=1), LEAST_LOG_SPREAD)
    count = np.full(len(past), past.shape[1])
    tail: FloatArray = np.where(height > largest.max(axis=1), t_tail(z, degrees_of(count, width)), 0.5)
    return tail


def _change_columns(steps: FloatArray, z: FloatArray) -> IntArray:
    """The split of the window that best separates before from after, by least squares on scaled steps."""
    limited = np.clip(steps, -10, 10) * np.where(z < 0, -1.0, 1.0)[:, None]
    width = limited.shape[1]
    tails = np.cumsum(limited[:, ::-1], axis=1)[:, ::-1]
    lengths = np.arange(width, 0, -1, dtype=np.float64)
    gain = np.where(tails > 0, tails**2, 0.0) / lengths
    columns: IntArray = np.argmax(gain, axis=1).astype(np.int64)
    return columns


def _persistence(steps: FloatArray, z: FloatArray, n_current: IntArray) -> FloatArray:
    beyond = (steps * np.where(z < 0, -1.0, 1.0)[:, None] > 2).sum(axis=1)
    share: FloatArray = beyond / np.maximum(n_current, 1)
    return share


def peer_groups(names: Sequence[str]) -> IntArray:
    """Group numbers by metric name: the same metric of another component is a peer."""
    numbers = {name: i for i, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.int64)
