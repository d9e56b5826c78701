"""A backtest: every row judged from the rows before it, then compared with labels and with chance."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from domain.series import BoolArray, FloatArray, IntArray
from evaluation.avoidance import Avoidance, avoidance
from evaluation.labels import Labels
from evaluation.metrics import Operation, Record, alert_starts, operate, random_control

SEED = 7
HOLD_ROWS = 12


@dataclass(frozen=True, slots=True)
class Walk:
    """One table with its verdicts, row by row.

    Args:
        name: relative path of the file.
        timestamps: shape (n_rows,), microseconds.
        flagged: shape (n_rows,), verdicts made without looking ahead.
        columns: names of the value columns.
        values: shape (n_rows, n_columns).
        labels: what is known about it.
    """

    name: str
    timestamps: IntArray
    flagged: BoolArray
    columns: tuple[str, ...]
    values: FloatArray
    labels: Labels

    def record(self) -> Record:
        """Its alerts beside its labels."""
        gaps = np.diff(np.unique(self.timestamps))
        step_s = float(np.median(gaps)) / 1e6 if len(gaps) else 300.0
        alerts = alert_starts(self.flagged)
        return Record(alerts, self.labels.windows, self.labels.probation, len(self.flagged), step_s)


@dataclass(frozen=True, slots=True)
class Backtest:
    """The outcome; `control` and recall are there only where labels are known."""

    series: int
    rows: int
    labelled: int
    operation: Operation
    control: Operation | None
    avoided: tuple[Avoidance, ...]

    @classmethod
    def of(cls, walks: Sequence[Walk]) -> "Backtest":
        """Compare walks with their labels and with as many random alerts."""
        records = [walk.record() for walk in walks]
        labelled = [one for one, walk in zip(records, walks, strict=True) if walk.labels.known]
        judged = labelled or records
        return cls(
            series=len(walks),
            rows=sum(one.n_rows for one in records),
            labelled=len(labelled),
            operation=operate(judged),
            control=random_control(judged, SEED) if labelled else None,
            avoided=tuple(found for walk in walks for found in _avoided(walk)),
        )

    def plain(self) -> dict[str, Any]:
        """The same as JSON-plain values; what cannot be computed is None."""
        return _plain(asdict(self))  # type: ignore[no-any-return]

    def table(self) -> str:
        """The same as text."""
        head = f"{self.series} series, {self.rows} rows, {self.labelled} with labels"
        names = list(Operation.__slots__) if self.labelled else ["alarms_per_day", "worst_alarms_per_day"]
        lines = [head, f"{'figure':<24}{'found':>12}{'random':>12}"]
        lines += [
            f"{name:<24}{_cell(getattr(self.operation, name)):>12}{_cell(self._chance(name)):>12}"
            for name in names
        ]
        lines += [
            f"{one.column}: total {one.total:,.2f}; {one.rows} rows after alerts hold {one.avoided:,.2f}; "
            f"placebo percentile {one.placebo_percentile:.2f} (.5 = no edge)"
            for one in self.avoided
        ]
        return "\n".join(lines)

    def _chance(self, name: str) -> float:
        return float(getattr(self.control, name)) if self.control else math.nan


def _avoided(walk: Walk) -> list[Avoidance]:
    money = [i for i, name in enumerate(walk.columns) if _is_pnl(name)]
    return [
        avoidance(f"{walk.name}: {walk.columns[i]}", walk.values[:, i], walk.flagged, HOLD_ROWS, SEED)
        for i in money
    ]


def _is_pnl(column: str) -> bool:
    metric = column.rpartition("|")[2].partition("{")[0].lower()
    return metric == "pnl" or metric.startswith("pnl_")


def _cell(value: float) -> str:
    return "-" if not math.isfinite(value) else f"{value:,.3f}".rstrip("0").rstrip(".")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
