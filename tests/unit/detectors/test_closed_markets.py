"""A market that is closed at night and at weekends is not silent then; in its hours it is, as any other."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly
from domain.rule import Rule
from domain.series import FloatArray, Series, SeriesKey, Window

NEW_YORK = ZoneInfo("America/New_York")
# A Monday in New York; the clocks change on Sunday the 8th.
START = datetime(2026, 2, 23, 5, tzinfo=UTC)
STEP_S = 1_800
DAY = 48
# The judging begins on a Friday.
HISTORY = 11 * DAY
STALE = Rule(name="stale", metric="*", method="stale", threshold=3.0)
SERIES = (
    Series(1, SeriesKey.of("cpu_percent", {"host": "a"}), step_s=STEP_S),
    Series(2, SeriesKey.of("price", {"symbol": "AAPL", "venue": "nyse"}), step_s=STEP_S),
)
SETTINGS = DetectionSettings(timezone="America/New_York")


def at(cell: int) -> datetime:
    return START + timedelta(seconds=cell * STEP_S)


def is_open(cell: int) -> bool:
    local = at(cell).astimezone(NEW_YORK)
    return local.weekday() < 5 and (9, 30) <= (local.hour, local.minute) < (16, 0)


def three_weeks(cells: int) -> FloatArray:
    """A host that always reports, and a share that is traded in New York's hours."""
    rng = np.random.default_rng(3)
    values = rng.normal(100, 1, (2, cells))
    values[1, [cell for cell in range(cells) if not is_open(cell)]] = np.nan
    return values


def told(values: FloatArray) -> list[Anomaly]:
    """What is first told in the cycles after the history, each with the cell that has begun empty."""
    engine = DetectionEngine([STALE], SETTINGS)
    engine.learn(Window(SERIES, STEP_S, START, values[:, : HISTORY - DAY]))
    found: dict[str, Anomaly] = {}
    first = HISTORY - DAY
    for until in range(HISTORY, values.shape[1]):
        seen = np.append(values[:, first:until], np.full((2, 1), np.nan), axis=1)
        new = 0 if until == HISTORY else until - 1 - first
        result = engine.detect(Window(SERIES, STEP_S, at(first), seen), new, at(until))
        for one in result.anomalies:
            found.setdefault(one.key, one)
    return sorted(found.values(), key=lambda one: one.timestamp)


def test_nights_a_weekend_and_a_change_of_clocks_are_no_silence() -> None:
    assert not told(three_weeks(HISTORY + 4 * DAY))


def test_a_share_that_stops_in_its_hours_is_told_within_two_cells() -> None:
    values = three_weeks(HISTORY + DAY)
    # Eleven in the morning.
    stopped = HISTORY + 22
    assert is_open(stopped)
    values[1, stopped:] = np.nan
    (one,) = told(values)
    assert one.affected_metrics == (SERIES[1].name,)
    assert one.timestamp == at(stopped)
    assert one.detected_at == at(stopped + 2)


def test_a_share_that_does_not_open_is_told() -> None:
    values = three_weeks(HISTORY + DAY)
    values[1, HISTORY:] = np.nan
    (one,) = told(values)
    assert one.affected_metrics == (SERIES[1].name,)
    assert at(HISTORY + 19) <= one.detected_at <= at(HISTORY + 22)


def test_a_host_that_stops_at_night_is_told() -> None:
    values = three_weeks(HISTORY + DAY)
    values[0, HISTORY + 6 :] = np.nan
    (one,) = told(values)
    assert one.affected_metrics == (SERIES[0].name,)
    assert one.detected_at == at(HISTORY + 8)
