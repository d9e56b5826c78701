"""What comes every so often is no news, whatever the length of the reference."""

import numpy as np
import pytest

from agent.evidence.settings import EvidenceSettings
from agent.evidence.shift import measure


@pytest.mark.parametrize(("columns", "period"), [(290, 3), (290, 6), (285, 2), (1440, 14), (1450, 15)])
@pytest.mark.parametrize("width", [2, 3])
def test_an_ordinary_turn_of_a_regular_job_is_no_shift(columns: int, period: int, width: int) -> None:
    for phase in range(period):
        values = np.zeros((1, columns + width))
        values[0, phase::period] = 1.0
        values[0, (phase + 1) % period :: max(period, 7)] = 1.0
        found = measure(
            values[:, :columns],
            values[:, columns:],
            np.zeros(1, dtype=np.int64),
            np.zeros(1, dtype=bool),
            EvidenceSettings(),
        )
        assert abs(found.z[0]) < 6, (phase, found.z[0])
