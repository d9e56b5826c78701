"""Detection on data at hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.default_rules import default_rules
from detectors.infer import infer, what_if
from domain.errors import InvalidInput
from domain.rule import Rule
from domain.series import Series, SeriesKey, Window

START = datetime(2026, 11, 2, tzinfo=UTC)
FAR = START + timedelta(days=400)


def times(n: int) -> list[datetime]:
    return [START + timedelta(minutes=5 * i) for i in range(n)]


def values(n: int = 400, jump: int = 350) -> list[float]:
    x = np.random.default_rng(3).normal(20.0, 1.0, n)
    x[jump:] += 25.0
    return [float(one) for one in x]


def test_a_jump_in_pushed_data_is_found() -> None:
    found = infer({'order_ack_latency_ms{venue="kraken"}': (times(400), values())})
    assert {one.anomaly_type for one in found} >= {"execution_delay"}
    assert min(one.timestamp for one in found) >= START + timedelta(minutes=5 * 340)


def test_times_may_come_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(400)
    at, x = times(400), values()
    shuffled = infer({"price": ([at[i] for i in order], [x[i] for i in order])})
    assert [one.key for one in shuffled] == [one.key for one in infer({"price": (at, x)})]


def test_no_data_is_no_anomaly() -> None:
    assert infer({}) == ()
    assert infer({"price": ([], [])}) == ()


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"price": (times(2), [1.0])}, "2 timestamps for 1 values"),
        ({"price": ([datetime(2026, 1, 1)], [1.0])}, "offset"),  # noqa: DTZ001
        ({"a{b": (times(1), [1.0])}, "labels must read"),
        ({"price": ([*(START + timedelta(seconds=i) for i in range(3)), FAR], [1.0] * 4)}, "cells"),
    ],
)
def test_unusable_data_name_the_field(
    series: dict[str, tuple[list[datetime], list[float]]], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        infer(series)


def test_what_if_shows_what_a_looser_rule_would_add_and_a_disabled_one_remove() -> None:
    window = Window((Series(1, SeriesKey.of("cpu_percent")),), 300, START, np.array([values()]))
    strict = Rule(name="cpu", metric="cpu*", method="threshold", threshold=99.0)
    loose = strict.model_copy(update={"threshold": 40.0})
    added = what_if(loose, window, [strict])
    assert len(added.appear) >= 1
    assert added.vanish == ()
    removed = what_if(strict, window, [loose])
    assert len(removed.vanish) == len(added.appear)


def test_the_default_rules_have_unique_names_and_every_series_has_one() -> None:
    rules = default_rules()
    assert len({rule.name for rule in rules}) == len(rules)
    strange = SeriesKey.of("something_else", {"a": "b"})
    assert any(rule.method == "combined" and rule.matches(strange) for rule in rules)
