"""What stepping aside after an anomaly would have done to PnL, beside stepping aside at random."""

from dataclasses import dataclass

import numpy as np

from domain.series import BoolArray, FloatArray

ROUNDS = 500


@dataclass(frozen=True, slots=True)
class Avoidance:
    """A comparison, no promise.

    Args:
        column: the PnL column.
        total: PnL of all rows.
        avoided: PnL of the rows that would have been left out (negative = a loss avoided).
        rows: how many rows.
        placebo_percentile: share of random stretches of the same lengths that would have avoided less loss,
            0 to 1; .5 means no edge.
    """

    column: str
    total: float
    avoided: float
    rows: int
    placebo_percentile: float


def avoidance(column: str, pnl: FloatArray, flagged: BoolArray, hold: int, seed: int) -> Avoidance:
    """Leave out the `hold` rows after each flagged row and compare with rotated flags.

    Rotating the whole pattern keeps its clustering, so the placebo differs in its timing alone.

    Args:
        column: name of the PnL column.
        pnl: shape (n_rows,), gains per row; NaN is no gain.
        flagged: shape (n_rows,).
        hold: rows left out after a flagged one; the flagged row itself has been traded already.
        seed: seed of the rotations.
    """
    gains = np.nan_to_num(pnl, nan=0.0)
    out = _after(flagged, hold)
    avoided = float(gains[out].sum())
    rng = np.random.default_rng(seed)
    shifts = rng.integers(0, max(len(gains), 1), size=ROUNDS)
    placebo = np.array([float(gains[np.roll(out, int(shift))].sum()) for shift in shifts])
    percentile = float((placebo > avoided).mean() + 0.5 * (placebo == avoided).mean())
    return Avoidance(column, float(gains.sum()), avoided, int(out.sum()), percentile)


def _after(flagged: BoolArray, hold: int) -> BoolArray:
    out = np.zeros(len(flagged), dtype=np.bool_)
    for row in np.flatnonzero(flagged):
        out[row + 1 : row + 1 + hold] = True
    return out
