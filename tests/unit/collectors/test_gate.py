"""The gate: what may become a value, a time or a text."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.collector import concatenate
from collectors.gate import check_value, clean_text, quarantine, read_micros, read_number
from domain.errors import InvalidInput, InvalidTimestamp
from domain.series import SampleBatch, Series, SeriesKey
from domain.timestamps import to_microseconds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e300, 1.79e308, True, "1", None, [1], {}, 2**53 + 1, 10**400]
)
def test_a_value_that_cannot_be_stored_exactly_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        check_value(value)


@pytest.mark.parametrize("value", [0, -0.0, 5e-324, 2**53, 2**53 + 2, -1.5, 9.99e299])
def test_a_finite_value_is_kept_as_it_is(value: float) -> None:
    assert check_value(value) == value
    assert math.copysign(1, check_value(value)) == math.copysign(1, value)


@given(st.integers())
def test_an_integer_is_stored_exactly_or_refused(value: int) -> None:
    try:
        assert int(check_value(value)) == value
    except InvalidInput:
        assert abs(value) > 2**53


@pytest.mark.parametrize(
    "raw", [None, "", "NaN", "+Inf", "-inf", "nan", "1e999", "1_000", "\u0661", "x", True, b""]
)
def test_what_is_no_number_is_a_gap_and_not_zero(raw: object) -> None:
    assert read_number(raw) is None


@pytest.mark.parametrize(
    ("raw", "value"), [(" 1.5 ", 1.5), (Decimal("2.25"), 2.25), (3, 3.0), ("-1e3", -1000.0)]
)
def test_a_number_is_read_from_whatever_a_source_sends(raw: object, value: float) -> None:
    assert read_number(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        NOON,
        "2026-03-01T12:00:00Z",
        "2026-03-01T13:00:00+01:00",
        "2026-03-01 12:00:00",
        "2026-03-01 12:00",
        to_microseconds(NOON) / 1e6,
        str(to_microseconds(NOON) // 1_000_000),
        Decimal(to_microseconds(NOON)) / 1_000_000,
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 - what drivers return
    ],
)
def test_one_instant_has_many_spellings(raw: object) -> None:
    assert read_micros(raw) == to_microseconds(NOON)


def test_a_naive_time_is_read_in_the_configured_zone_or_refused() -> None:
    assert read_micros("2026-03-01 13:00", ZoneInfo("Europe/Berlin")) == to_microseconds(NOON)
    with pytest.raises(InvalidTimestamp):
        read_micros("2026-03-01 13:00", None)


@pytest.mark.parametrize(
    "raw", ["", "soon", "2026-02-30", None, True, 1e30, "nan", [], "2026-03-01T25:00:00Z"]
)
def test_what_is_no_time_is_refused(raw: object) -> None:
    with pytest.raises(InvalidTimestamp):
        read_micros(raw)


def test_milliseconds_are_read_as_such() -> None:
    assert read_micros(to_microseconds(NOON) // 1000, unit="ms") == to_microseconds(NOON)


def test_text_loses_escape_sequences_and_direction_marks_and_keeps_lines() -> None:
    assert clean_text("\x1b[31mred\x1b[0m\nnext\u202eline\x00", 100) == "red\nnext\ufffdline\ufffd"
    assert clean_text("x" * 50, 10) == "x" * 9 + "\u2026"


def test_quarantine_leaves_a_good_batch_alone() -> None:
    batch = SampleBatch.of([(Series(0, SeriesKey.of("x")), NOON, 1.0)])
    assert quarantine(batch, NOON) == (batch, ())


def test_joined_batches_keep_every_row_with_its_series() -> None:
    a, b = Series(0, SeriesKey.of("a")), Series(0, SeriesKey.of("b"))
    rows = [(a, NOON, 1.0), (b, NOON, 2.0)]
    more = [(b, NOON, 3.0), (a, NOON, 4.0)]
    joined = concatenate([SampleBatch.of(rows), SampleBatch.of(more)])
    assert list(joined) == [*rows, *more]
    assert joined.series == (a, b)
    assert np.array_equal(joined.index, [0, 1, 1, 0])
