"""One column of a window with everything the rules may look at."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.monitor import Column, Monitor
from detectors.seasonal import Moment
from domain.series import BoolArray, FloatArray, Window

RowArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Scene:
    """A column being judged.

    Args:
        window: the window.
        t: the column in it.
        where: shape (n_state,), row of the window for each known series, -1 for a series that is not in it.
        values: shape (n_state,), the column in the order of the state.
        column: what the monitor says about it, in the order of the state.
        monitor: the monitor after this column.
        moment: the column's place in the day.
        ordinal: columns since the epoch.
        season: shape (n_state,), seasonal baseline of the column, NaN where unknown.
        bound: p-value that the Benjamini-Hochberg procedure accepts across all series of this column.
        late: shape (n_state,), how many cells behind the present each series usually is.
        live: whether anomalies of this column may be raised.
        due: shape (n_state,), who reports at such a moment; nobody where nobody collected then. A value that
            is missing and was not due says nothing about its series.
        judged: whether the column was judged before with the same data, as it lies before those that came
            late: what nobody was told of then begins none now, when later data have taught the baselines.
        rests: whether the strategy of a row of the state has no reason to trade by then.
    """

    window: Window
    t: int
    where: RowArray
    values: FloatArray
    column: Column
    monitor: Monitor
    moment: Moment
    ordinal: int
    season: FloatArray
    bound: float
    late: FloatArray
    live: bool
    due: BoolArray
    judged: bool = False
    rests: Callable[[int], bool] = lambda _row: False

    def baseline(self, rows: RowArray, size: int) -> FloatArray:
        """Up to `size` cells before the column for rows of the state, shape (len(rows), <= size)."""
        places = self.where[rows]
        first = max(self.t - size, 0)
        if len(places) == len(self.window.values) and np.array_equal(places, np.arange(len(places))):
            view: FloatArray = self.window.values[:, first : self.t]
            return view
        taken = self.window.values[:, first : self.t][np.maximum(places, 0)]
        if (places < 0).any():
            taken[places < 0] = np.nan
        return taken

    def season_of(self, row: int) -> float | None:
        """Seasonal baseline of one row of the state, None where unknown."""
        value = float(self.season[row])
        return value if np.isfinite(value) else None

    def of(self, rows: RowArray) -> Column:
        """The monitor's verdict on some rows."""
        one = self.column
        return Column(
            one.strength[rows],
            one.surprise[rows],
            one.z[rows],
            one.direction[rows],
            one.leading[rows],
            one.parts[:, rows],
            one.low[rows],
            one.high[rows],
        )
