"""Shares come with their n and an interval; durations with their percentiles."""

from api_desk import NOW
from hypothesis import given
from hypothesis import strategies as st

from api.performance import latency, wilson
from api.routes.export import safe_cell
from domain.cycle import Cycle, CycleStatus, StepTime


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_an_interval_holds_its_share_and_stays_within_zero_and_one(n: int, part: float) -> None:
    right = round(n * part)
    low, high = wilson(right, n)
    assert low is not None
    assert high is not None
    assert 0 <= low <= right / n + 1e-9
    assert right / n - 1e-9 <= high <= 1


def test_the_interval_of_a_known_share() -> None:
    low, high = wilson(42, 52)
    assert (round(low or 0, 3), round(high or 0, 3)) == (0.681, 0.892)
    assert wilson(0, 0) == (None, None)


def test_latencies_come_from_cycles_that_ended_well() -> None:
    def cycle(ms: float, status: CycleStatus = "done") -> Cycle:
        return Cycle(scheduled_for=NOW, status=status, steps=(StepTime(name="detect", ms=ms),))

    cycles = [cycle(ms) for ms in range(1, 101)]
    failed = cycle(3_600_000, "failed")
    found = latency([*cycles, failed, Cycle(scheduled_for=NOW)])
    assert (found.n, found.p50_ms, found.p95_ms, found.max_ms) == (100, 50.0, 95.0, 100.0)
    assert latency([]).p50_ms is None


@given(st.text())
def test_no_cell_of_text_begins_as_a_formula(text: str) -> None:
    assert not safe_cell(text).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert safe_cell(text).endswith(text)
