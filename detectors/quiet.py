"""Whether a strategy that sends no orders has a reason to: its own signal is quiet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from detectors.scene import RowArray
from domain.series import SeriesKey, Window

# A signal below what nine of ten cells with orders had is none to trade on.
TRADED = 0.1
FEWEST = 12
# A heartbeat is due whatever the signal says.
ALWAYS_DUE = "*heartbeat*"


@dataclass(slots=True)
class Signals:
    """The signals of all strategies.

    Args:
        patterns: of the metrics that tell how much reason to trade a strategy has.
        rows: per strategy, rows of the state with their keys.
    """

    patterns: Sequence[str] = ()
    rows: dict[str, list[tuple[int, SeriesKey]]] = field(default_factory=dict)

    def add(self, row: int, key: SeriesKey) -> None:
        """Take up a series, if it is a signal."""
        strategy = key.label("strategy")
        if strategy and any(fnmatchcase(key.metric, one) for one in self.patterns):
            self.rows.setdefault(strategy, []).append((row, key))

    def are_quiet(self, orders: tuple[int, SeriesKey], window: Window, where: RowArray, t: int) -> bool:
        """Whether nothing since the last order was a signal on which this strategy used to trade.

        False where there is no signal, where it is not known by now, or where too few orders tell what it
        trades on.

        Args:
            orders: row of the state and key of the series of orders.
            window: the past and the column being judged.
            where: rows of the window by rows of the state.
            t: the column.
        """
        row, key = orders
        if fnmatchcase(key.metric, ALWAYS_DUE):
            return False
        found = [int(where[one]) for one, other in self._beside(key) if where[one] >= 0]
        if not found or where[row] < 0:
            return False
        size = np.abs(window.values[found, : t + 1])
        strength = np.where(np.isfinite(size).any(axis=0), np.nan_to_num(size).max(axis=0), np.nan)
        traded = np.nan_to_num(window.values[int(where[row]), : t + 1]) > 0
        if not traded.any():
            return False
        since = strength[int(np.flatnonzero(traded)[-1]) + 1 :]
        usual = strength[traded & np.isfinite(strength)]
        if len(usual) < FEWEST or not np.isfinite(since).any():
            return False
        return bool(np.nanmax(since) < np.quantile(usual, TRADED))

    def _beside(self, key: SeriesKey) -> list[tuple[int, SeriesKey]]:
        """The signals of the same strategy that are not of another venue or symbol."""
        mine = dict(key.labels)
        return [
            (row, other)
            for row, other in self.rows.get(mine.get("strategy", ""), ())
            if all(mine.get(name, value) == value for name, value in other.labels)
        ]
