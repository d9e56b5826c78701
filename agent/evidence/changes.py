"""When a series changed its level: told the same in whichever incident it turns up."""

from datetime import datetime

import numpy as np

from agent.evidence.measured import Measured
from domain.series import FloatArray

LOOKBACK_MINUTES = 45.0
CLIP = 10.0
FEWEST = 2


def changed_at(measured: Measured, row: int) -> datetime:
    """When a series changed, at the resolution of the grid.

    A level is followed back before the onset of the incident at hand, so that two incidents that begin at
    different times tell one onset of one shift. A spike or a stillness has its own first column.
    """
    inside = measured.onset.column + int(measured.shifts.change[row])
    if measured.shifts.spike[row] or measured.still.still[row] or not measured.shifts.tested[row]:
        return measured.window.time_at(inside)
    length = measured.last - measured.onset.column
    back = max(int(LOOKBACK_MINUTES * 60 // measured.window.step_s), length, FEWEST)
    first = max(measured.onset.column - back, 0)
    rising = measured.shifts.z[row] >= 0
    found = level_change(measured.window.values[row, first : measured.last], rising=bool(rising))
    return measured.window.time_at(inside if found is None else first + found)


def level_change(values: FloatArray, *, rising: bool) -> int | None:
    """The split after which the mean differs most, by least squares (Hinkley); None where there is none.

    Args:
        values: shape (n,); NaN is a gap. Clipped at ten spreads, so that one sample decides nothing.
        rising: only splits after which the mean is higher count, else only lower ones.
    """
    index = np.flatnonzero(np.isfinite(values))
    if len(index) < 2 * FEWEST:
        return None
    known = values[index]
    center = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - center))) or float(np.std(known))
    if spread <= 0:
        return None
    scaled = np.clip((known - center) / spread, -CLIP, CLIP)
    before = np.arange(1, len(scaled))
    sums = np.cumsum(scaled)[:-1]
    step = (scaled.sum() - sums) / (len(scaled) - before) - sums / before
    gain = np.where(step > 0 if rising else step < 0, before * (len(scaled) - before) * step**2, 0.0)
    gain[: FEWEST - 1] = 0.0
    return int(index[int(np.argmax(gain)) + 1]) if gain.any() else None
