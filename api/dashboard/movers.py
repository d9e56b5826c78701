"""What moved in a window: every series ranked against the four windows before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.svg import sparkline
from api.doors import Doors
from domain.series import FloatArray, Window

_BEFORE = 4
_MAD_SIGMA = 1.4826
_MIN_BASELINE = 8
_ONSET_SIGMA = 4.0
_CAP = 999.0
_MANY = 100.0
_LEAST_PAST = 24


@dataclass(frozen=True, slots=True)
class Mover:
    """A series with its largest departure, signed, in robust standard deviations of its own past."""

    name: str
    sigma: str
    lead: str
    spark: Markup


def movers(door: Doors, window: tuple[datetime, datetime], but: str = "", most: int = 12) -> list[Mover]:
    """The series that moved most in a window; empty where the past is too short to say.

    Args:
        door: the doors.
        window: from when to when.
        but: the series that is asked about: what moved with it is the question.
        most: how many at most.
    """
    step = timedelta(seconds=door.service.step_s)
    end = max(window[1], window[0] + step)
    seen = _window(door, window[0] - _BEFORE * max(end - window[0], 3 * step), end)
    first = min(max(seen.column_of(window[0]), 0), seen.n_steps)
    if first < _MIN_BASELINE or first >= seen.n_steps or not len(seen.series):
        return []
    least = np.array([1.0 if one.source == "system_logs" else 0.0 for one in seen.series])
    scores = departures(seen.values, first, least)
    sizes = np.where(np.isfinite(scores), np.abs(scores), 0.0)
    peaks = np.max(sizes, axis=1)
    peaks[[one.name == but for one in seen.series]] = 0.0
    # What is away all the time moved more than what leapt once; beyond a hundred, more says nothing more.
    moved = np.minimum(sizes, _MANY).mean(axis=1) * (peaks >= _ONSET_SIGMA)
    order = [int(i) for i in np.argsort(-moved, kind="stable")[:most] if moved[i] > 0]
    return [_mover(seen, i, scores[i], first) for i in order]


def _window(door: Doors, start: datetime, end: datetime) -> Window:
    """From memory where it reaches back far enough, else from the store."""
    held = door.service.window(door.service.step_s)
    if held is not None and held.start <= start:
        return held.between(start, end)
    return door.stores.samples.window(door.service.step_s, start, end)


def departures(values: FloatArray, first: int, least: FloatArray | None = None) -> FloatArray:
    """Deviations of the columns from `first` on, in robust standard deviations of the columns before.

    Args:
        values: shape (n_series, n_steps), NaN for gaps.
        first: the first column to judge; at least one column lies before it.
        least: smallest standard deviation of each series, shape (n_series,): one more log line is no news.

    Returns:
        Shape (n_series, n_steps - first), within plus or minus 999, NaN where there is no baseline.
    """
    before, now = values[:, :first], values[:, first:]
    known = np.isfinite(before).sum(axis=1) >= _MIN_BASELINE
    scores = np.full(now.shape, np.nan)
    if not known.any():
        return scores
    centre = np.nanmedian(before[known], axis=1, keepdims=True)
    spread = _MAD_SIGMA * np.nanmedian(np.abs(before[known] - centre), axis=1, keepdims=True)
    # A series that stood still has no spread of its own: a thousandth of its level counts as one sigma.
    floor = np.maximum(np.abs(centre) * 1e-3, 1e-12)
    deviation = np.nanstd(before[known], axis=1, keepdims=True)
    spread = np.maximum(np.where(spread > 0, np.maximum(spread, 0.2 * deviation), deviation), floor)
    if least is not None:
        spread = np.maximum(spread, least[known][:, np.newaxis])
    scores[known] = np.clip((now[known] - centre) / spread, -_CAP, _CAP)
    return scores


def _mover(seen: Window, row: int, scores: FloatArray, first: int) -> Mover:
    sizes = np.where(np.isfinite(scores), np.abs(scores), 0.0)
    peak, begun = int(np.argmax(sizes)), int(np.argmax(sizes >= _ONSET_SIGMA))
    after = timedelta(seconds=begun * seen.step_s)
    # A short window is a dot without some of its past beside it.
    shown = min(first, max(3 * len(scores), _LEAST_PAST))
    return Mover(
        name=seen.series[row].name,
        sigma=_words(float(scores[peak])),
        lead="at once" if not begun else f"after {fmt.duration(after)}",
        spark=sparkline(seen.values[row, first - shown :], shown),
    )


def _words(score: float) -> str:
    """Beyond a hundred the number of sigmas says only that nothing like it was seen."""
    if abs(score) < _MANY:
        return fmt.sigma(score)
    return f"{'>+' if score > 0 else f'<{fmt.MINUS}'}{_MANY:.0f}\N{GREEK SMALL LETTER SIGMA}"
