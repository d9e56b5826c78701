"""Search words, cursors and identifiers take anything a person can type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.fulltext import matches, search_text, tokens
from db.identifiers import inside, outside
from db.paging import check_limit, decode_cursor, encode_cursor
from domain.errors import InvalidInput, NotFound


def test_words_are_letters_and_digits_only() -> None:
    assert tokens('Gateway:bybit latency_p99 "OR" 100% Straße; -- DROP') == [
        "gateway", "bybit", "latency", "p99", "or", "100", "strasse", "drop",
    ]  # fmt: skip
    assert search_text("A b", None, "B c") == "a b c"


@given(st.text())
def test_no_query_can_say_anything_but_words(query: str) -> None:
    for dialect in ("sqlite", "postgresql"):
        compiled = matches(dialect, query).compile()
        bound = str(compiled.params.get("words", ""))
        assert not set(bound) & set("();\\")


@given(st.lists(st.integers(-(2**61), 2**61), min_size=1, max_size=3))
def test_a_cursor_leads_back_to_its_place(place: list[int]) -> None:
    assert decode_cursor(encode_cursor(*place), len(place)) == tuple(place)


@given(st.text())
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(text, 7)


@pytest.mark.parametrize("limit", [-1, 0, 501, 10**30])
def test_a_limit_is_from_1_to_500(limit: int) -> None:
    with pytest.raises(InvalidInput):
        check_limit(limit)


@given(st.integers(1, 10**18 - 1))
def test_an_identifier_leads_back_to_its_number(number: int) -> None:
    assert inside("anomaly", outside("anomaly", number)) == number


@pytest.mark.parametrize(
    "text", ["", "A", "A-", "A--1", "A-1 ", "D-1", "A-\u0661", "A-" + "9" * 30, "a-1", "A-1;"]
)
def test_any_other_text_is_an_unknown_identifier(text: str) -> None:
    with pytest.raises(NotFound):
        inside("anomaly", text)
