"""A ledger that says that there is nothing to look at."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from agent.evidence.case import Case, LogCounts
from agent.evidence.facts import Notebook
from agent.evidence.record import Ledger
from domain.evidence import TimeWindow
from domain.timestamps import to_microseconds


def holds_data(case: Case) -> bool:
    """Whether any series or log has a sample between the start and the end of a case."""
    window = case.window
    first, last = window.column_of(case.start), window.column_of(case.end - timedelta(microseconds=1))
    if last >= 0 and np.isfinite(window.values[:, max(first, 0) : last + 1]).any():
        return True
    inside = (to_microseconds(case.start), to_microseconds(case.end))
    return any(
        bool(((one.timestamps >= inside[0]) & (one.timestamps < inside[1])).any())
        if isinstance(one, LogCounts)
        else one.count_window > 0
        for one in case.logs
    )


def blank_ledger(targets: Sequence[str], start: datetime, end: datetime, step_s: int, series: int) -> Ledger:
    """What is known of a window of which nothing is held: its bounds, and that nothing can be said."""
    book = Notebook(TimeWindow(start=start, end=end))
    book.note(
        "missing",
        f"No series has a sample between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC.",
        series=tuple(targets)[:20],
        value=float(series),
        unit="series",
    )
    return Ledger(
        targets=tuple(targets),
        target_component=None,
        start=start,
        end=end,
        step_s=step_s,
        onset=start,
        onset_low=start,
        onset_high=start,
        onset_estimated=False,
        evidence=tuple(book.facts),
        none_confidence=1.0,
        untested=series,
    )
