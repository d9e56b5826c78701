"""What numpy or the outside world brings is made plain before it is stored."""

import json
from datetime import UTC, datetime
from enum import Enum, IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.documents import canonical, digest, dumps
from db.plain import plain_float, plain_text, to_plain
from domain.anomaly import Expected
from domain.errors import InvalidInput
from domain.series import SeriesKey


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 2


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text()
    | st.builds(np.float64, st.floats())
    | st.builds(np.float32, st.floats(width=32))
    | st.builds(np.int64, st.integers(-(2**63), 2**63 - 1))
    | st.builds(np.bool_, st.booleans())
    | st.datetimes(timezones=st.just(UTC))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@given(values)
def test_anything_that_computes_becomes_json_that_reads_back_the_same(value: object) -> None:
    plain = to_plain(value)
    assert json.loads(dumps(plain)) == plain
    assert to_plain(plain) == plain


def test_numpy_and_domain_values_become_what_they_mean() -> None:
    assert to_plain(
        {
            "array": np.array([[1, 2]]),
            "flag": np.bool_(True),
            "at": datetime(2026, 3, 1, 6, 10, 0, 1, tzinfo=UTC),
            "enum": [Colour.RED, Level.HIGH],
            "model": Expected(low=1.0),
            "key": SeriesKey.of("pnl"),
            "set": {"b", "a"},
            7: "number as key",
        }
    ) == {
        "array": [[1, 2]],
        "flag": True,
        "at": "2026-03-01T06:10:00.000001Z",
        "enum": ["red", 2],
        "model": {"low": 1.0, "high": None},
        "key": {"metric": "pnl", "labels": []},
        "set": ["a", "b"],
        "7": "number as key",
    }


def test_what_is_not_a_number_becomes_nothing_and_infinity_the_largest_number() -> None:
    assert plain_float(np.nan) is None
    assert plain_float(np.float64("-inf")) == -1.7976931348623157e308
    assert to_plain(np.array([np.nan, 1.0])) == [None, 1.0]


def test_text_keeps_all_but_what_databases_refuse() -> None:
    assert plain_text("a\x00b\ud800c'; DROP TABLE x; -- é") == "a\ufffdb\ufffdc'; DROP TABLE x; -- é"


@pytest.mark.parametrize("value", [object(), b"bytes", [lambda: 0]])
def test_what_nobody_could_read_back_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        to_plain(value)


def test_equal_values_have_equal_digests_whatever_their_order() -> None:
    assert digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": np.int64(1)})
    assert digest("a", "b") != digest("ab")
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
