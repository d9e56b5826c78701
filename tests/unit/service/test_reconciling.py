"""Judging the past again repeats nothing and finds no old news."""

from datetime import UTC, datetime, timedelta

from domain.anomaly import Anomaly
from service.reconciling import reconciled

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)


def anomaly(start: float, end: float | None, *, series: str = "pnl", rule: str = "pnl-loss") -> Anomaly:
    """An anomaly from `start` to `end` minutes after noon; an open one was seen until 60."""
    ended = None if end is None else NOON + timedelta(minutes=end)
    return Anomaly(
        timestamp=NOON + timedelta(minutes=start),
        detected_at=ended or NOON + timedelta(minutes=60),
        ended_at=ended,
        status="open" if end is None else "resolved",
        anomaly_type="sudden_loss",
        severity="high",
        confidence=0.9,
        rule=rule,
        method="combined",
        score=6.0,
        direction="down",
        affected_metrics=(series,),
    )


def keys(found: list[Anomaly], known: list[Anomaly], judged_until: float | None = None) -> set[str]:
    until = None if judged_until is None else NOON + timedelta(minutes=judged_until)
    return {one.key for one in reconciled(found, known, judged_until=until, tolerance=2 * STEP)}


def test_the_same_event_with_another_onset_keeps_its_identity() -> None:
    known = anomaly(20, None)
    assert keys([anomaly(15, None)], [known]) == {known.key}
    assert keys([anomaly(30, 50)], [known]) == {known.key}


def test_an_event_of_another_series_rule_or_time_is_another_one() -> None:
    for other in (anomaly(20, None, series="cpu"), anomaly(20, None, rule="drawdown"), anomaly(300, 320)):
        assert keys([other], [anomaly(20, 40)]) == {other.key}


def test_after_a_restart_what_ended_in_judged_time_and_was_not_stored_is_no_news() -> None:
    assert keys([anomaly(0, 10)], [], judged_until=30) == set()


def test_after_a_restart_what_is_stored_or_still_goes_on_is_kept() -> None:
    going_on, known = anomaly(35, None), anomaly(0, 10)
    assert keys([going_on, known], [known], judged_until=30) == {going_on.key, known.key}


def test_without_a_restart_late_data_may_find_something_in_the_past() -> None:
    late = anomaly(0, 10)
    assert keys([late], [], judged_until=None) == {late.key}


def test_two_descriptions_of_one_known_event_become_one() -> None:
    known = anomaly(20, 40)
    assert keys([anomaly(15, 25), anomaly(30, 45)], [known]) == {known.key}


def test_the_end_of_an_event_is_the_end_of_all_the_onsets_it_was_told_with() -> None:
    early, late = anomaly(10, None), anomaly(20, None)
    ended = reconciled([anomaly(20, 50)], [early, late], judged_until=None, tolerance=2 * STEP)
    assert {one.key: one.status for one in ended} == {early.key: "resolved", late.key: "resolved"}
    assert {one.ended_at for one in ended} == {NOON + timedelta(minutes=50)}


def test_an_open_event_does_not_open_those_that_were_over() -> None:
    over, going_on = anomaly(10, 40), anomaly(20, None)
    found = reconciled([anomaly(20, None)], [over, going_on], judged_until=None, tolerance=2 * STEP)
    assert {one.key for one in found} == {going_on.key}
