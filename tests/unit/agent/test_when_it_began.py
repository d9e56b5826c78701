"""When an incident began: estimated from the loss, but never later than it was seen to have begun."""

from dataclasses import replace

import numpy as np
import pytest
from small_desk import case_of, quiet_desk

from agent.evidence.case import Case
from agent.evidence.measured import measure_case
from agent.evidence.settings import EvidenceSettings

RISE, FALL = 260, 278
SETTINGS = EvidenceSettings()


def pumped(seed: int) -> Case:
    """A symbol rises from one column on and falls back later, which is when the money is lost."""
    desk = quiet_desk(seed)
    price = desk.values["price", "okx", "SOL"]
    rise = np.concatenate([np.linspace(0.05, 0.4, FALL - RISE), np.linspace(0.1, -0.1, desk.columns - FALL)])
    price[RISE:] = price[RISE - 1] * (1 + rise)
    desk.scale(("volume_usd", "okx", "SOL"), 15.0, RISE)
    desk.lose("momentum", 40.0, FALL)
    return case_of(desk, "momentum", RISE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_onset_of_an_incident_is_not_the_later_loss(seed: int) -> None:
    case = pumped(seed)
    known = replace(case, began_by=case.start)
    assert measure_case(case, SETTINGS).onset.column > RISE + 3
    assert measure_case(known, SETTINGS).onset.column == RISE


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_loss_before_the_incident_was_noticed_moves_the_onset_back(seed: int) -> None:
    desk = quiet_desk(seed)
    desk.lose("momentum", 40.0, RISE - 4)
    case = case_of(desk, "momentum", RISE)
    assert measure_case(replace(case, began_by=case.start), SETTINGS).onset.column == RISE - 4
