"""What a person on call would have seen: alerts, events found, false alarms, delay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.series import BoolArray, FloatArray, IntArray

QUIET_ROWS = 48


@dataclass(frozen=True, slots=True)
class Record:
    """Alarms of one series beside its labels.

    Args:
        alerts: rows at which an alert was sent, ascending.
        windows: first and last row of each event.
        probation: rows before it are not judged.
        n_rows: length of the series.
        step_s: seconds between rows.
    """

    alerts: IntArray
    windows: tuple[tuple[int, int], ...]
    probation: int
    n_rows: int
    step_s: float

    @property
    def days(self) -> float:
        """Judged days."""
        return max(self.n_rows - self.probation, 0) * self.step_s / 86_400.0


@dataclass(frozen=True, slots=True)
class Operation:
    """Totals over series; NaN where there is nothing to divide by.

    Args:
        events: labelled events with at least one judged row.
        event_recall: share of them with an alert inside.
        alert_precision: share of alerts inside an event.
        false_alarms_per_day: alerts outside events per series and day.
        alarms_per_day: all alerts per series and day, mean over series.
        worst_alarms_per_day: the same of the series with most.
        median_delay_s: from the start of an event to its first alert.
    """

    events: int
    event_recall: float
    alert_precision: float
    false_alarms_per_day: float
    alarms_per_day: float
    worst_alarms_per_day: float
    median_delay_s: float


def alert_starts(alarmed: BoolArray, quiet: int = QUIET_ROWS) -> IntArray:
    """Rows at which an alert is sent: an alarmed row after at least `quiet` rows without one.

    Args:
        alarmed: shape (n_rows,).
        quiet: rows of silence after an alarmed row.
    """
    rows = np.flatnonzero(alarmed)
    if not len(rows):
        return rows.astype(np.int64)
    return np.asarray(rows[np.r_[True, np.diff(rows) > quiet]], dtype=np.int64)


def operate(records: Sequence[Record]) -> Operation:
    """Pool the records of several series."""
    found, delays, events, inside, total = 0, [], 0, 0, 0
    for one in records:
        alerts = one.alerts[one.alerts >= one.probation]
        total += len(alerts)
        inside += int(_inside(alerts, one.windows).sum())
        for first, last in one.windows:
            if last < one.probation:
                continue
            events += 1
            hits = alerts[(alerts >= first) & (alerts <= last)]
            if len(hits):
                found += 1
                delays.append((int(hits[0]) - first) * one.step_s)
    days = sum(one.days for one in records)
    rates = [_rate(one) for one in records if one.days > 0]
    return Operation(
        events=events,
        event_recall=found / events if events else float("nan"),
        alert_precision=inside / total if total else float("nan"),
        false_alarms_per_day=(total - inside) / days if days else float("nan"),
        alarms_per_day=float(np.mean(rates)) if rates else float("nan"),
        worst_alarms_per_day=max(rates, default=float("nan")),
        median_delay_s=float(np.median(delays)) if delays else float("nan"),
    )


def _inside(alerts: IntArray, windows: Sequence[tuple[int, int]]) -> BoolArray:
    hit = np.zeros(len(alerts), dtype=np.bool_)
    for first, last in windows:
        hit |= (alerts >= first) & (alerts <= last)
    return hit


def _rate(one: Record) -> float:
    return int((one.alerts >= one.probation).sum()) / one.days


def random_control(records: Sequence[Record], seed: int, rounds: int = 200) -> Operation:
    """What as many alerts at random judged rows reach, mean over rounds.

    Args:
        records: the records to match, alert by alert and series by series.
        seed: seed of the draw.
        rounds: how often to draw.
    """
    rng = np.random.default_rng(seed)
    drawn = [operate([_shuffled(one, rng) for one in records]) for _ in range(rounds)]
    return Operation(*(_mean([getattr(one, name) for one in drawn]) for name in Operation.__slots__))  # type: ignore[arg-type]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _shuffled(one: Record, rng: np.random.Generator) -> Record:
    n = int((one.alerts >= one.probation).sum())
    judged = max(one.n_rows - one.probation, 1)
    rows = np.sort(rng.choice(judged, size=min(n, judged), replace=False)) + one.probation
    return Record(rows.astype(np.int64), one.windows, one.probation, one.n_rows, one.step_s)


def refractory(score: FloatArray, hold: int = QUIET_ROWS) -> FloatArray:
    """A row keeps its score only where it exceeds every score of the `hold` rows before it.

    Args:
        score: shape (n_rows,); NaN counts as 0.
        hold: rows of silence unless stronger.
    """
    z = np.nan_to_num(score, nan=0.0, posinf=1e9)
    padded = np.concatenate([np.full(hold, -1.0), z])
    before = np.lib.stride_tricks.sliding_window_view(padded, hold)[: len(z)].max(axis=1)
    return np.where(z > before, z, 0.0)
