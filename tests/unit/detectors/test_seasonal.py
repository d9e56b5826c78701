"""What is usual at this time of the day, on this day of the week, in this session."""

import math
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import ValidationError

from detectors.engine import DetectionEngine
from detectors.monitor import Monitor
from detectors.seasonal import Calendar, Moment, SeasonalTable, calendar_for, slots_for
from detectors.settings import DetectionSettings, Session
from domain.rule import Rule
from domain.series import FloatArray, Series, SeriesKey, Window

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
EVERYONE = np.ones(1, dtype=bool)


def taught(days: int, value_at: object, calendar: Calendar) -> SeasonalTable:
    table = SeasonalTable(calendar.slots)
    table.grow(1)
    for i in range(days * 288):
        at = MONDAY + i * STEP
        value = np.array([value_at(at)])  # type: ignore[operator]
        table.learn(calendar.moment(at), value, np.array([50.0]), EVERYONE)
    return table


def utc(**more: object) -> Calendar:
    return calendar_for(DetectionSettings.model_validate(more), 48)


def daily(at: datetime) -> float:
    return 100.0 + 20.0 * math.sin(2 * math.pi * (at.hour * 60 + at.minute) / 1_440)


def test_one_day_is_enough_for_a_baseline() -> None:
    calendar = utc()
    table = taught(1, daily, calendar)
    tomorrow = MONDAY + timedelta(days=1, hours=6)
    assert table.expected(calendar.moment(tomorrow))[0] == pytest.approx(daily(tomorrow), abs=2.0)


def test_before_a_day_has_passed_nothing_is_expected() -> None:
    calendar = utc()
    table = taught(1, daily, calendar)
    fresh = SeasonalTable(48)
    fresh.grow(1)
    assert np.isnan(fresh.expected(calendar.moment(MONDAY))[0])
    assert np.isfinite(table.expected(calendar.moment(MONDAY))[0])


def test_weeks_tell_the_days_of_the_week_apart() -> None:
    def value(at: datetime) -> float:
        return daily(at) + (30.0 if at.weekday() == 1 else 0.0)

    calendar = utc()
    tuesday = MONDAY + timedelta(days=1, hours=12)
    misses = []
    for weeks in (1, 2, 4, 8):
        at = tuesday + timedelta(weeks=weeks)
        table = taught(7 * weeks, value, calendar)
        misses.append(abs(float(table.expected(calendar.moment(at))[0]) - value(at)))
    assert misses == sorted(misses, reverse=True)
    assert misses[-1] < 0.5 * misses[0]


def test_a_holiday_is_read_like_a_day_off() -> None:
    calendar = utc(holidays=[date(2026, 3, 3)])
    assert calendar.moment(datetime(2026, 3, 3, 12, tzinfo=UTC)).off
    assert not calendar.moment(datetime(2026, 3, 4, 12, tzinfo=UTC)).off
    assert calendar.moment(datetime(2026, 3, 7, 12, tzinfo=UTC)).off


def test_time_outside_the_session_has_its_own_baseline() -> None:
    session = {"opens": "09:30", "closes": "16:00"}
    calendar = utc(timezone="America/New_York", sessions=[session], holidays=["2026-03-05"])

    def off(day: int, hour: int, minute: int = 0) -> bool | np.ndarray:
        zone = ZoneInfo("America/New_York")
        return calendar.moment(datetime(2026, 3, day, hour, minute, tzinfo=zone)).off

    assert not off(4, 9, 30)
    assert off(4, 9, 29)
    assert off(4, 16)
    assert off(5, 12)
    assert off(7, 12)


def test_a_session_on_a_sunday_evening_is_no_weekend() -> None:
    calendar = utc(sessions=[Session(days=(6,), opens=time(22), closes=time(23, 30))])
    assert not calendar.moment(datetime(2026, 3, 8, 22, 30, tzinfo=UTC)).off
    assert calendar.moment(datetime(2026, 3, 9, 22, 30, tzinfo=UTC)).off


@pytest.mark.parametrize(
    "session",
    [{"opens": "16:00", "closes": "09:00"}, {"opens": "09:00", "closes": "10:00", "days": [7]}],
)
def test_an_impossible_session_is_refused(session: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DetectionSettings.model_validate({"sessions": [session]})


def test_a_clock_change_moves_no_pattern() -> None:
    calendar = utc(timezone="Europe/Berlin")
    zone = ZoneInfo("Europe/Berlin")
    before = calendar.moment(datetime(2026, 3, 27, 9, tzinfo=zone))
    after = calendar.moment(datetime(2026, 3, 30, 9, tzinfo=zone))
    assert (before.slot, before.share) == (after.slot, after.share)


def test_series_with_moments_of_their_own_learn_what_they_learn_alone() -> None:
    rng = np.random.default_rng(2)
    together, alone = Monitor(48), [Monitor(48), Monitor(48)]
    together.grow(2)
    for one in alone:
        one.grow(1)
    with np.errstate(all="ignore"):
        for t in range(400):
            x = rng.normal(size=2)
            slots, off = np.array([t // 6 % 48, t // 12 % 48]), np.array([0, t // 200 % 2])
            share = np.array([0.25, 0.5])
            both = together.step(x, Moment(slots, share, off))
            for i, one in enumerate(alone):
                moment = Moment(int(slots[i]), float(share[i]), bool(off[i]))
                np.testing.assert_array_equal(one.step(x[i : i + 1], moment).strength, both.strength[[i]])


def found(values: FloatArray, settings: DetectionSettings) -> int:
    series = (Series(1, SeriesKey.of("volume_usd")),)
    window = Window(series, 300, MONDAY, values[None])
    cut = MONDAY + timedelta(days=26)
    engine = DetectionEngine((Rule(name="r", metric="*", method="seasonal"),), settings)
    engine.learn(window.between(MONDAY, cut))
    recent = window.between(cut, window.end)
    return len(engine.detect(recent, 0, recent.end).anomalies)


def test_a_weekend_raises_no_storm() -> None:
    times = [MONDAY + i * STEP for i in range(28 * 288)]
    rng = np.random.default_rng(8)
    values = np.array([daily(at) * (0.4 if at.weekday() >= 5 else 1.0) for at in times])
    assert found(values + rng.normal(size=len(values)), DetectionSettings()) <= 2


def test_slots_are_never_finer_than_the_step() -> None:
    assert [slots_for(step) for step in (60, 300, 3_600, 86_400, 700_000)] == [48, 48, 24, 1, 1]
