"""Silence is told two cells after the last that was due, however late a series usually is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.rule import Rule
from domain.series import FloatArray, Series, SeriesKey, Window

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
FIRST = 52
STALE = Rule(name="stale", metric="*", method="stale", threshold=3.0)
ONE = (Series(1, SeriesKey.of("value", {"host": "a"})),)
Known = Callable[[int, int], bool]


def told_in(is_known: Known, *, silent_from: int, until: int, learned: int) -> list[int]:
    """The cycles from `learned` on in which a silence is told; `is_known(cell, cycle)`: held by then.

    A cycle runs at the beginning of its cell, which is the last one of its window.
    """
    values = np.random.default_rng(2).normal(10, 1, until + 1)
    values[silent_from:] = np.nan
    engine = DetectionEngine([STALE], DetectionSettings(refractory_seconds=1))
    told: list[int] = []
    seen: FloatArray = np.empty(0)
    for cycle in range(FIRST, until):
        held = np.array([values[cell] if is_known(cell, cycle) else np.nan for cell in range(cycle + 1)])
        known = len(seen)
        changed = np.flatnonzero(~np.isclose(seen, held[:known], equal_nan=True))
        first_new = int(changed.min(initial=known))
        window = Window(ONE, 300, START, held[None, :])
        result = engine.detect(window, first_new, START + cycle * STEP)
        told += [cycle for one in result.anomalies if one.status == "open" and cycle >= learned]
        seen = held
    return told


@pytest.mark.parametrize(
    ("is_known", "first_missed"),
    [
        (lambda cell, cycle: cell <= cycle, 70),
        (lambda cell, cycle: cell < cycle, 71),
        (lambda cell, cycle: cell < cycle - 1, 72),
        (lambda cell, cycle: cell < cycle - 3, 74),
    ],
    ids=["scraped", "closed", "a cell late", "three cells late"],
)
def test_it_is_told_in_the_second_cycle_that_misses_it(is_known: Known, first_missed: int) -> None:
    assert told_in(is_known, silent_from=70, until=78, learned=60)[0] == first_missed + 1


def test_what_comes_in_batches_is_not_silent_between_them() -> None:
    told = told_in(lambda cell, cycle: cell < cycle // 6 * 6, silent_from=90, until=102, learned=76)
    assert 96 < told[0] <= 100


def test_two_scrapes_that_are_missed_are_needed() -> None:
    def one_lost(cell: int, cycle: int) -> bool:
        return cell <= cycle and cell != 65

    assert not told_in(one_lost, silent_from=72, until=72, learned=60)


def test_an_outage_does_not_make_a_series_late() -> None:
    def twice(cell: int, cycle: int) -> bool:
        return cell <= cycle and not 60 <= cell < 68

    told = told_in(twice, silent_from=80, until=100, learned=FIRST)
    assert told[0] == 61
    # One long gap is learned a little: it takes somewhat longer, but not for ever.
    assert 81 <= min(cycle for cycle in told if cycle >= 80) <= 95
