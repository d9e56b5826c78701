"""Lines that report a failure, and lines that only give the values that belong to one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.alert_lines import is_detail, reports_failure


@pytest.mark.parametrize(
    "message",
    [
        "order rejected: insufficient margin",
        "connection refused: <*>",
        "data TLB error interrupt",
        "HTTP <*>",
        "timed out after: <*>",
        "position above limit: <*>",
        "error: <*>",
        "kernel terminated for reason <*>",
        "margin call",
    ],
)
def test_a_grave_line_that_says_what_happened_is_a_failure(message: str) -> None:
    assert reports_failure("ERROR", message)
    assert reports_failure("CRITICAL", message)
    assert not reports_failure("WARN", message)
    assert not reports_failure("INFO", message)


@pytest.mark.parametrize(
    "message",
    [
        "instruction address: <*>",
        "leverage = 5",
        "wait state enable.................<*>",
        "r24=<*> r25=<*> r26=<*>",
        "special purpose registers:",
        "size of cache...<*> (0M)",
    ],
)
def test_a_line_of_names_and_values_is_a_detail(message: str) -> None:
    assert is_detail(message)
    assert not reports_failure("CRITICAL", message)


@given(st.text(alphabet=":=. a1(<*>)", max_size=300))
def test_no_message_takes_long(message: str) -> None:
    began = time.perf_counter()
    is_detail(message)
    assert time.perf_counter() - began < 0.5
