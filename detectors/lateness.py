"""How far behind the present each series usually is: its newest cell is a sign of life only then."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.series import FloatArray, IntArray

LOOKS = 12
FEWEST = 3
# Far enough to see who is late; whoever is later than that is not late but silent.
REACH = 24
# What comes once a cell is over is missing in the one that has only begun.
USUAL = 1.0


@dataclass(slots=True)
class Lateness:
    """Missing cells at the end of the window when it is looked at, by series that report.

    A scrape lies in the cell that has just begun, a bar in the one before, a slow table several before. Until
    it has reported often enough, a series is taken for one that reports once its cell is over. What is
    missing while a series is silent is learned as one look, however long it lasts.
    """

    newest: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    pending: FloatArray = field(default_factory=lambda: np.zeros(0))
    seen: NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, LOOKS), dtype=np.float16))
    usual: FloatArray = field(default_factory=lambda: np.zeros(0))

    def grow(self, n: int) -> None:
        """Append series that have not been looked at up to n."""
        more = n - len(self.newest)
        if more > 0:
            self.newest = np.pad(self.newest, (0, more), constant_values=-1)
            self.pending = np.pad(self.pending, (0, more), constant_values=np.nan)
            self.seen = np.pad(self.seen, ((0, more), (0, 0)), constant_values=np.nan)
            self.usual = np.pad(self.usual, (0, more), constant_values=USUAL)

    def look(self, newest_cells: FloatArray, ordinal: int) -> None:
        """Learn from one look.

        Args:
            newest_cells: shape (n_series, <= REACH), the newest cells, the one that has begun last.
            ordinal: number of that cell since the epoch.
        """
        here = np.isfinite(newest_cells)
        any_here = here.any(axis=1)
        gap = np.where(any_here, here[:, ::-1].argmax(axis=1), here.shape[1]).astype(np.float64)
        at = np.where(any_here, ordinal - gap, -1).astype(np.int64)
        reported = at > self.newest
        rows = np.flatnonzero(reported & np.isfinite(self.pending))
        self.seen[rows] = np.column_stack([self.seen[rows, 1:], self.pending[rows]])
        self.pending = np.where(reported, gap, np.fmax(self.pending, gap))
        self.newest = np.maximum(self.newest, at)
        # Missing looks sort last: the middle is found by their count.
        looks = np.sort(self.seen[rows], axis=1)
        count = np.isfinite(looks).sum(axis=1)
        at_row = np.arange(len(rows))
        middle = (looks[at_row, (count - 1) // 2].astype(np.float64) + looks[at_row, count // 2]) / 2
        self.usual[rows] = np.where(count >= FEWEST, middle, self.usual[rows])
