"""A number that no tool returned is marked; those that were returned are not, however they are rounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.grounding import UNVERIFIED, marked
from agent.chat.wording import figure, short, short_title

RESULT = {"items": [{"mean": 317.2345, "sum": -41_234.9, "share": 0.3612}], "p_value": 2e-9}


@pytest.mark.parametrize(
    "text", ["317.2 ms", "-$41,235", "36.12 %", "41.23k", "at 11:35 on 2026-03-04 [A-99]"]
)
def test_what_a_tool_returned_may_be_said_rounded(text: str) -> None:
    assert UNVERIFIED not in marked(text, [RESULT])


@pytest.mark.parametrize("text", ["318.9 ms", "-$42,000", "63.1 %", "3172 ms"])
def test_what_no_tool_returned_is_marked(text: str) -> None:
    assert UNVERIFIED in marked(text, [RESULT])


def test_quoted_text_is_not_taken_for_a_claim() -> None:
    assert marked("it wrote “order 98765 rejected”", [RESULT]) == "it wrote “order 98765 rejected”"


@given(st.floats(1e-3, 1e9), st.sampled_from(["", "ms", "USD", "ratio", "%"]))
def test_every_figure_is_found_again_in_the_result_it_was_written_from(value: float, unit: str) -> None:
    assert UNVERIFIED not in marked(f"It is {figure(value, unit)} now.", [{"value": value}])


def test_names_are_short_and_foreign_text_cannot_break_a_line() -> None:
    assert short('pnl{strategy="mm",venue="x"}') == "pnl{mm,x}"
    assert short_title('loss: pnl{a="b",c="d"} and 2 more') == "loss: pnl{b,d} and 2 more"
    assert "\n" not in short("not a series\nat all")
