"""Times in questions: what people write, and what can never happen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.times import read_spans

NOW = datetime(2026, 3, 4, 12, 5, tzinfo=UTC)  # a Wednesday
DAY = NOW.replace(hour=0, minute=0)


def at(day: int, clock: str) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("since 09:00", at(4, "09:00"), NOW),
        ("since 22:00", at(3, "22:00"), NOW),
        ("since yesterday", at(3, "00:00"), NOW),
        ("since Monday 10:00", at(2, "10:00"), NOW),
        ("since two hours ago", NOW - timedelta(hours=2), NOW),
        ("yesterday afternoon", at(3, "12:00"), at(3, "18:00")),
        ("this morning", at(4, "06:00"), at(4, "12:00")),
        ("last night", at(3, "18:00"), at(4, "06:00")),
        ("overnight", at(4, "00:00"), at(4, "06:00")),
        ("last 30 minutes", NOW - timedelta(minutes=30), NOW),
        ("over the past two days", NOW - timedelta(days=2), NOW),
        ("over the last half an hour", NOW - timedelta(minutes=30), NOW),
        ("between 9 and 10", at(4, "09:00"), at(4, "10:00")),
        ("between 9 and 10 yesterday", at(3, "09:00"), at(3, "10:00")),
        ("yesterday between 14:00 and 15:30", at(3, "14:00"), at(3, "15:30")),
        ("between 23:00 and 1:00", at(3, "23:00"), at(4, "01:00")),
        ("from 9am to 11am", at(4, "09:00"), at(4, "11:00")),
        ("on Tuesday", at(3, "00:00"), at(4, "00:00")),
        ("last Wednesday", DAY - timedelta(days=7), DAY - timedelta(days=6)),
        ("on 3 March", at(3, "00:00"), at(4, "00:00")),
        ("today", at(4, "00:00"), NOW),
        ("before noon", at(4, "00:00"), at(4, "12:00")),
        ("from 2026-03-01T10:00:00Z to 2026-03-01T11:00:00+00:00", at(1, "10:00"), at(1, "11:00")),
        ("on 2026-03-02", at(2, "00:00"), at(3, "00:00")),
    ],
)
def test_a_stretch_is_read_as_people_mean_it(words: str, start: datetime, end: datetime) -> None:
    spans, rest = read_spans(f"pnl {words}", NOW)
    assert [(one.start, one.end) for one in spans] == [(start, end)]
    assert rest.split() == ["pnl"]


def test_a_moment_is_told_from_a_stretch() -> None:
    spans, _ = read_spans("price at 9:15", NOW)
    assert spans[0].instant
    assert spans[0].start == at(4, "09:15")


def test_two_times_keep_the_order_of_the_words() -> None:
    spans, _ = read_spans("compare yesterday with today", NOW)
    assert [one.start for one in spans] == [at(3, "00:00"), at(4, "00:00")]


@pytest.mark.parametrize("words", ["since 25:00", "A-12", "p95", "3 series", "9.5 bps", "on 31 February 31"])
def test_what_is_no_time_is_left_alone(words: str) -> None:
    spans, _ = read_spans(words, NOW)
    assert [one for one in spans if not one.day] == []


@given(st.text(max_size=300))
def test_any_text_is_read_without_failing_and_spans_are_not_empty(text: str) -> None:
    spans, rest = read_spans(text, NOW)
    assert all(one.start < one.end for one in spans)
    assert len(rest) == len(text.lower())


@given(st.integers(1, 9_999), st.sampled_from(["minutes", "hours", "days"]))
def test_the_last_n_units_end_now_and_are_n_units_long(n: int, unit: str) -> None:
    spans, _ = read_spans(f"in the last {n} {unit}", NOW)
    assert [(one.end, one.length) for one in spans] == [(NOW, timedelta(**{unit: n}))]


def test_long_hostile_texts_are_read_in_time() -> None:
    for text in ("since " * 200, "between " * 150, "1 " * 500, "on monday " * 100):
        read_spans(text[:1_000], NOW)
