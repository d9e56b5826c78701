"""A market that is closed is no silence to an investigation, and a feed that stopped is."""

from datetime import UTC, datetime

import numpy as np

from domain.series import Series, SeriesKey, Window
from service.punctuality import with_rest

START = datetime(2026, 3, 1, tzinfo=UTC)
PRICE = Series(1, SeriesKey.of("price", {"venue": "NMS", "symbol": "COIN"}))


def window(missing: int) -> Window:
    values = np.ones((1, 40))
    values[0, 40 - missing :] = np.nan
    return Window((PRICE,), 300, START, values)


def test_what_is_missing_for_long_without_a_word_of_detection_is_at_rest() -> None:
    assert with_rest({}, window(20), frozenset()) == {PRICE.name: 20}


def test_a_silence_that_detection_told_of_is_one_however_long() -> None:
    assert with_rest({PRICE.name: 1}, window(20), {PRICE.name}) == {PRICE.name: 1}


def test_a_silence_that_is_too_young_to_be_told_of_may_be_one() -> None:
    assert with_rest({PRICE.name: 1}, window(2), frozenset()) == {PRICE.name: 1}
    assert with_rest({}, window(0), frozenset()) == {}
