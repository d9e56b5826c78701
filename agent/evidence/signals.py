"""The series that left their habits, strongest component first, with lead or lag where it can be told."""

import hashlib
from collections.abc import Sequence

import numpy as np

from agent.evidence import facts
from agent.evidence.changes import changed_at
from agent.evidence.leadlag import lead_of
from agent.evidence.measured import Measured
from agent.evidence.ranking import Ranked
from agent.evidence.record import Signal
from agent.evidence.settings import EvidenceSettings
from agent.vocabulary import unit_of
from domain.evidence import TimeWindow

MAX_SIGNALS = 28
MAX_TARGETS = 4
MAX_LEADS = 6
LEADING = 3
LEADING_P = 0.01


def note_signals(
    book: facts.Notebook, measured: Measured, ranked: Sequence[Ranked], settings: EvidenceSettings
) -> list[Signal]:
    """Notable series: targets first, then by the rank of their component and their own size.

    On the leading components a series counts from p < 0.01 on: they were singled out already, so the
    correction for having looked everywhere is not due again. Its q-value is shown all the same.
    """
    rank = {one.component: i for i, one in enumerate(ranked)}
    leading = np.array([rank.get(name, LEADING) < LEADING for name in measured.components], dtype=bool)
    notable = np.flatnonzero(
        measured.shifts.tested
        & ((measured.q < settings.notable) | (leading & (measured.shifts.p < LEADING_P)))
    )
    targets = sorted(measured.targets, key=lambda i: (-abs(measured.shifts.z[i]), i))[:MAX_TARGETS]
    others = sorted(
        (int(i) for i in notable if int(i) not in measured.targets),
        key=lambda i: (rank.get(measured.components[i], len(rank)), -abs(measured.shifts.z[i]), i),
    )
    order = [*(i for i in targets if i in notable), *others]
    reference = _reference_window(measured)
    signals = [_signal(measured, i) for i in order[:MAX_SIGNALS]]
    signals = _with_leads(measured, order[:MAX_SIGNALS], signals)
    noted = [
        one.model_copy(update={"evidence_id": facts.note_signal(book, one, reference, settings.significance)})
        for one in signals
    ]
    if measured.targets:
        facts.note_leads(book, noted, measured.window.series[measured.targets[0]].name)
    return noted


def _reference_window(measured: Measured) -> TimeWindow:
    columns = np.flatnonzero(measured.reference)
    first, last = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 1)
    return TimeWindow(start=measured.window.time_at(first), end=measured.window.time_at(last))


def _signal(measured: Measured, row: int) -> Signal:
    shifts, one = measured.shifts, measured.window.series[row]
    state, effect, value = _state(measured, row)
    return Signal.model_validate(
        {
            "series": one.name,
            "component": measured.components[row],
            "kind": measured.kinds[row].name,
            "family": measured.kinds[row].family,
            "unit": unit_of(one),
            "state": state,
            "direction": "up" if effect > 0 else "down",
            "z": effect,
            "baseline": float(shifts.baseline[row]),
            "value": value,
            "p_value": float(shifts.p[row]),
            "q_value": float(measured.q[row]),
            "persistence": float(shifts.persistence[row]),
            "changed_at": changed_at(measured, row),
            "outcome": bool(measured.outcomes[row]),
        }
    )


def _state(measured: Measured, row: int) -> tuple[str, float, float]:
    """How a series stands out, its signed effect, and the value that shows it."""
    shifts, still = measured.shifts, measured.still
    for name, kind in (("silent", still.silent), ("stopped", still.stopped), ("frozen", still.frozen)):
        if kind[row]:
            return name, float(shifts.z[row]), float(shifts.value[row])
    if shifts.spike[row]:
        return "spiked", float(shifts.spike[row] * shifts.peak[row]), float(shifts.extreme[row])
    return "shifted", float(shifts.z[row]), float(shifts.value[row])


def _with_leads(measured: Measured, order: Sequence[int], signals: Sequence[Signal]) -> list[Signal]:
    """Add lead or lag where its interval excludes zero; the random draws depend on the series' name alone."""
    if not measured.targets:
        return list(signals)
    step, values = measured.window.step_s, measured.window.values
    first = max(measured.onset.column - 120, 0)
    target = values[measured.targets[0], first : measured.last]
    out = []
    for done, (row, signal) in enumerate(zip(order, signals, strict=True)):
        found = None
        if row not in measured.targets and done < MAX_LEADS + len(measured.targets):
            seed = int.from_bytes(hashlib.sha256(signal.series.encode()).digest()[:8], "big")
            found = lead_of(values[row, first : measured.last], target, np.random.default_rng(seed))
        lead = float(found.columns * step) if found and found.known and found.columns else None
        out.append(signal.model_copy(update={"lead_seconds": lead}))
    return out
