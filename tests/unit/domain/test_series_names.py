"""Each series has one name, from which its metric and labels can be read back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.series import SeriesKey, metric_of

TEXT = st.text(
    alphabet=st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\u2028\u2029"),
    min_size=1,
    max_size=30,
).filter(lambda text: bool(text.strip()))
SPECIAL = st.text(alphabet='{}",\\=a', min_size=1, max_size=12)
LABELS = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), TEXT | SPECIAL, max_size=4
)


@settings(deadline=None)
@given(TEXT | SPECIAL, LABELS)
def test_a_name_is_read_back_as_what_it_names(metric: str, labels: dict[str, str]) -> None:
    key = SeriesKey.of(metric, labels)
    assert SeriesKey.parse(key.name) == key
    assert metric_of(key.name) == metric


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT | SPECIAL, LABELS), min_size=2, max_size=2, unique_by=repr))
def test_two_series_never_share_a_name(two: list[tuple[str, dict[str, str]]]) -> None:
    first, second = (SeriesKey.of(*one) for one in two)
    assert (first.name == second.name) == (first == second)


@pytest.mark.parametrize(
    ("metric", "labels", "name"),
    [
        ("pnl", {}, "pnl"),
        ("pnl", {"venue": "bybit", "a": '"'}, 'pnl{a="\\"",venue="bybit"}'),
        ("{{7*7}}", {}, '{"{{7*7}}"}'),
        ("{{7*7}}", {"a": "{b}"}, '{"{{7*7}}",a="{b}"}'),
        ("a}b", {"a": "x"}, 'a}b{a="x"}'),
    ],
)
def test_an_ordinary_name_reads_as_in_prometheus(metric: str, labels: dict[str, str], name: str) -> None:
    assert SeriesKey.of(metric, labels).name == name


@pytest.mark.parametrize("name", ["a{", "a{b}", '{"a"', '{"a}', "{a}", 'a{b="c}', "{}", '{"a"b="c"}'])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        SeriesKey.parse(name)
    assert isinstance(metric_of(name), str)
