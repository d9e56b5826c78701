"""Counting of log lines per cell."""

import json

from collectors.log_counts import KEPT_CELLS, MAX_CELLS, MAX_COMPONENTS, OTHER, LineKind, LogCounts

ERROR = LineKind("gateway:okx", "ERROR", 1)


def closed(counts: LogCounts, until: int) -> list[tuple[int, int]]:
    return [(cell, found.get(ERROR, 0)) for cell, found in counts.close(until)]


def test_a_cell_is_given_out_once_it_is_over_and_empty_cells_are_zero() -> None:
    counts = LogCounts()
    for cell in (10, 10, 12, 14):
        counts.add(cell, ERROR)
    assert closed(counts, 14) == [(10, 2), (11, 0), (12, 1), (13, 0)]
    assert closed(counts, 14) == []
    assert closed(counts, 16) == [(14, 1), (15, 0)]


def test_a_late_line_corrects_its_cell_while_that_is_kept() -> None:
    counts = LogCounts()
    counts.add(10, ERROR)
    list(counts.close(11))
    assert counts.add(10, ERROR)
    assert closed(counts, 11) == [(10, 2)]
    list(counts.close(30))
    assert not counts.add(30 - KEPT_CELLS - 1, ERROR)


def test_a_component_has_warnings_and_errors_from_the_start() -> None:
    counts = LogCounts()
    counts.add(1, LineKind("risk", "INFO", 1))
    assert counts.pairs == {("risk", "INFO"), ("risk", "WARN"), ("risk", "ERROR")}


def test_a_burst_is_told_once_when_it_begins() -> None:
    counts = LogCounts()
    told = []
    for cell in range(60):
        told += counts.bursts(cell, {ERROR: 60 if cell in {40, 41, 42} else 2}, 6)
    assert [(burst.cell, burst.count, round(burst.usual)) for burst in told] == [(40, 60, 2)]


def test_a_rare_line_is_no_burst_when_it_comes_as_usual() -> None:
    counts = LogCounts()
    assert not [one for cell in range(0, 600, 20) for one in counts.bursts(cell, {ERROR: 3}, 6)]


def test_the_state_survives_a_restart() -> None:
    counts = LogCounts()
    for cell in range(20):
        counts.add(cell, ERROR)
        counts.bursts(cell, {ERROR: 1}, 6)
    list(counts.close(15))
    assert LogCounts.of_json(json.loads(json.dumps(counts.as_json()))) == counts


def test_a_line_of_1970_does_not_fill_the_memory_with_zeros() -> None:
    counts = LogCounts()
    counts.add(0, ERROR)
    counts.add(5_000_000, ERROR)
    assert len(closed(counts, 5_000_001)) == MAX_CELLS


def test_components_beyond_the_cap_are_counted_together() -> None:
    counts = LogCounts()
    for k in range(MAX_COMPONENTS + 5):
        counts.add(1, LineKind(counts.component(f"c{k}"), "INFO", 1))
    assert (OTHER, "INFO") in counts.pairs
    assert counts.component("c1") == "c1"
