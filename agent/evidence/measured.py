"""A case as arrays: what each series is, how far it moved, and since which column."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from agent.evidence import onset as onsets
from agent.evidence.case import Case
from agent.evidence.settings import EvidenceSettings
from agent.evidence.shift import Shifts, measure, peer_groups
from agent.evidence.stillness import Stillness, stillness
from agent.evidence.tails import false_discovery_rate
from agent.vocabulary import Kind, component_of, is_outcome, kind_of, stem
from domain.series import BoolArray, FloatArray, IntArray, Window

GUARD = 3
MUCH = 30
# Share of the clearest change that another target needs to tell when the incident began.
CLEAR = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """Arrays over the series of the window, in its order.

    Args:
        window: the data.
        components: shape (n,), the component of each series.
        kinds: shape (n,).
        candidates: shape (n,), may be a cause: neither money nor a mere symptom.
        outcomes: shape (n,), money.
        targets: rows of the targets, money first, the leading one first.
        onset: columns of the onset and its interval.
        estimated: whether the onset was estimated here.
        last: the column after the window.
        reference: shape (columns,), which columns are reference.
        still: series that went silent, stopped or froze there.
        shifts: effects of [onset, last) against the reference.
        q: shape (n,), corrected for all series that were tested.
    """

    window: Window
    components: tuple[str, ...]
    kinds: tuple[Kind, ...]
    candidates: BoolArray
    outcomes: BoolArray
    targets: tuple[int, ...]
    target_component: str | None
    onset: onsets.Onset
    estimated: bool
    last: int
    reference: BoolArray
    shifts: Shifts
    still: Stillness
    q: FloatArray

    def rows_of(self) -> Mapping[str, list[int]]:
        """The rows of each component."""
        out: dict[str, list[int]] = {}
        for i, component in enumerate(self.components):
            out.setdefault(component, []).append(i)
        return out


def measure_case(case: Case, settings: EvidenceSettings) -> Measured:
    """Locate the onset and measure every series' shift against the reference before it."""
    window = case.window
    components = tuple(component_of(one.key) for one in window.series)
    kinds = tuple(kind_of(one.key) for one in window.series)
    outcomes = np.array([is_outcome(one) for one in window.series], dtype=bool)
    known = [window.positions[name] for name in case.targets if name in window.positions]
    targets = tuple(sorted(known, key=lambda row: not outcomes[row]))
    target_component = case.target_component or (components[targets[0]] if targets else None)
    last = _last_reported(case, min(max(window.column_of(case.end), 1), window.n_steps))
    late = _lateness(case, last)
    onset, estimated, leading = _onset(case, targets, kinds, (last, late), settings)
    onset = _from_the_start(case, onset) if estimated else onset
    targets = tuple(sorted(targets, key=lambda row: row != leading))
    last = max(last, onset.column + 1)
    reference = _reference_columns(case, onset, window.n_steps, estimated=estimated)
    shifts, still = _compare(window, kinds, reference, (onset.column, last, late), settings)
    q = np.ones(len(window.series))
    q[shifts.tested] = false_discovery_rate(shifts.p[shifts.tested])
    return Measured(
        window=window,
        components=components,
        kinds=kinds,
        candidates=_candidates(window, components, outcomes, targets if case.target_is_symptom else ()),
        outcomes=outcomes,
        targets=targets,
        target_component=target_component,
        onset=onset,
        estimated=estimated,
        last=last,
        reference=reference,
        shifts=shifts,
        still=still,
        q=q,
    )


def _compare(
    window: Window,
    kinds: tuple[Kind, ...],
    reference: BoolArray,
    columns: tuple[int, int, IntArray],
    settings: EvidenceSettings,
) -> tuple[Shifts, Stillness]:
    """Shifts of the window's columns against the reference, those of series that went still included."""
    first, last, late = columns
    before, during = window.values[:, reference], window.values[:, first:last]
    peers = peer_groups([one.key.metric for one in window.series])
    falls = np.array([_falls_matter(kind) for kind in kinds], dtype=bool)
    shifts = measure(before, during, peers, falls, settings)
    still = stillness(before, during, window.values[:, first - 1] if first else None, late)
    shifts = replace(
        shifts,
        p=np.minimum(shifts.p, still.p),
        change=np.where(still.still, still.since, shifts.change),
        tested=shifts.tested | still.still,
    )
    return shifts, still


def _last_reported(case: Case, last: int) -> int:
    """Leave out newest columns in which most series have not reported yet: lateness is no silence.

    No more than usual, where it is known how late each series is: when a monitoring system goes away, most
    are missing and none of them is late.
    """
    window = case.window
    share = np.isfinite(window.values[:, :last]).mean(axis=0)
    usual = float(np.median(share)) if last else 0.0
    reported = np.flatnonzero(share >= 0.5 * usual)
    known = int(reported[-1]) + 1 if len(reported) else last
    if not case.late:
        return known
    late = np.array([case.late.get(one.name, 0) for one in window.series])
    there = (late[:, None] <= np.arange(int(late.max(initial=0)) + 1)).mean(axis=0)
    return max(known, last - int((there >= 0.5 * there[-1]).argmax()))


def _lateness(case: Case, last: int) -> IntArray:
    """Cells before `last` that each series has usually not reported yet, shape (n,)."""
    # Newest columns that are left out are the first to be missing.
    left_out = max(case.window.column_of(case.end) - last, 0)
    late = [case.late.get(one.name, 0) - left_out for one in case.window.series]
    return np.maximum(np.array(late, dtype=np.int64), 0)


def _punctual(values: FloatArray, late: int) -> FloatArray:
    """A series without the newest samples that are missing because it is always late."""
    gap = int(np.isfinite(values[::-1]).argmax()) if np.isfinite(values).any() else 0
    return values[: len(values) - gap] if gap <= late else values


def _onset(
    case: Case,
    targets: tuple[int, ...],
    kinds: tuple[Kind, ...],
    reach: tuple[int, IntArray],
    settings: EvidenceSettings,
) -> tuple[onsets.Onset, bool, int | None]:
    """The onset, whether it was estimated, and the target that shows it first among the clear ones.

    Where some targets are money, only those are asked: they come first.
    """
    window, (last, late) = case.window, reach
    leading = targets[0] if targets else None
    if case.onset is not None:
        column = min(max(window.column_of(case.onset), 0), last - 1)
        return onsets.Onset(column, column, column, 0.0), False, leading
    noticed = window.column_of(case.alarm) if case.alarm else window.column_of(case.start)
    lookback = max(int(settings.onset_lookback_minutes * 60 // window.step_s), 3)
    first = min(max(noticed - lookback, 3), last - 1)
    asked = [row for row in targets if kinds[row].is_outcome == kinds[targets[0]].is_outcome]
    found = [
        (row, _estimated(_punctual(window.values[row, :last], int(late[row])), first, kinds[row]))
        for row in asked
    ]
    known = [(onset, row) for row, onset in found if onset is not None]
    if known:
        clear = CLEAR * max(onset.gain for onset, _ in known)
        onset, leading = min(
            (pair for pair in known if pair[0].gain >= clear),
            key=lambda pair: (pair[0].column, -pair[0].gain, pair[1]),
        )
        return onset, True, leading
    column = min(max(window.column_of(case.start), 1), last - 1)
    return onsets.Onset(column, column, column, 0.0), True, leading


def _from_the_start(case: Case, onset: onsets.Onset) -> onsets.Onset:
    """Begin where the trouble was first seen, if that is shortly before the target shows it.

    Losses follow their cause: a window that starts with the loss would miss a crash that came before it, and
    one that starts with the worst loss would take the end of a rally for a crash.
    """
    start = case.window.column_of(case.start)
    known = case.began_by is not None and onset.column >= case.window.column_of(case.began_by)
    if not (known or onset.column - start <= GUARD) or not 1 <= start < onset.column:
        return onset
    return replace(onset, column=start, low=min(onset.low, start))


def _estimated(values: FloatArray, first: int, kind: Kind) -> onsets.Onset | None:
    return onsets.estimate(values, first, {"up": 1, "down": -1, "both": 0}[kind.bad])


def _falls_matter(kind: Kind) -> bool:
    """Load on machines falls whenever work pauses; on a desk a fall is news."""
    return kind.bad == "down" or (kind.bad == "both" and kind.family != "system")


def _reference_columns(case: Case, onset: onsets.Onset, columns: int, *, estimated: bool) -> BoolArray:
    """Everything before the onset's interval, without windows that held incidents themselves.

    Where the onset was estimated from the target, a cause may have begun a little earlier: the columns just
    before are left out, so that they spoil no comparison.
    """
    first = min(onset.low, onset.column)
    guard = GUARD if estimated and first > MUCH else 0
    keep = np.arange(columns) < max(first - guard, 1)
    for start, end in case.excluded:
        first, last = case.window.column_of(start), case.window.column_of(end)
        keep[max(first, 0) : max(last, 0)] = False
    if not keep.any():
        keep[: max(onset.column, 1)] = True
    return keep


def _candidates(
    window: Window,
    components: tuple[str, ...],
    outcomes: BoolArray,
    symptoms: tuple[int, ...],
) -> BoolArray:
    """What is not money, not a symptom, and not another statistic of one, as the median is of a p99."""
    views = {(components[row], stem(window.series[row].key.metric)) for row in symptoms}
    same = np.array(
        [(components[i], stem(one.key.metric)) in views for i, one in enumerate(window.series)], dtype=bool
    )
    out: BoolArray = ~outcomes & ~same
    return out
