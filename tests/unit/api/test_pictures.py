"""Pictures are valid, bounded and inert, whatever the data and the names."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from api.dashboard.svg import Lane, Mark, Region, bar, chart, sparkline, thinned, ticks

START = datetime(2026, 3, 1, tzinfo=UTC)
NASTY = "<script>alert(1)</script>\"'&"
FLOATS = st.floats(min_value=-1e15, max_value=1e15, allow_nan=False) | st.just(float("nan"))


def _lane(values: np.ndarray, title: str = "pnl") -> Lane:
    low = np.full(len(values), np.nan)
    high = np.full(len(values), np.nan)
    low[1:3], high[1:3] = -1.0, 1.0
    region = Region(START + timedelta(minutes=5), START + timedelta(minutes=15), "critical", NASTY)
    mark = Mark(START + timedelta(minutes=7), NASTY)
    return Lane(title, "USD", START, 300, values, low, high, (region,), (mark,))


@given(arrays(np.float64, st.integers(4, 60), elements=FLOATS))
def test_a_chart_is_well_formed_for_any_values(values: np.ndarray) -> None:
    text = str(chart(_lane(values, NASTY)))
    root = ET.fromstring(text)
    assert "nan" not in text.lower().replace(NASTY, "")
    assert "<script" not in text
    if root.tag == "svg":
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"]


@given(arrays(np.float64, st.integers(0, 60), elements=FLOATS), st.integers(0, 80))
def test_a_sparkline_is_well_formed_for_any_values(values: np.ndarray, odd: int) -> None:
    assert ET.fromstring(str(sparkline(values, odd))).tag == "svg"


def test_a_chart_shows_the_line_the_band_the_region_and_the_mark() -> None:
    classes = {
        element.attrib.get("class") for element in ET.fromstring(str(chart(_lane(np.arange(9.0))))).iter()
    }
    assert {"line", "band", "region critical", "mark", "tick", "grid"} <= classes


def test_a_long_series_is_thinned_and_keeps_its_extremes() -> None:
    values = np.sin(np.arange(100_000) / 500)
    values[77_777], values[12_345] = 9.0, -9.0
    drawn = thinned(Lane("pnl", "", START, 300, values))
    assert len(drawn.values) <= 1_602
    assert (np.max(drawn.values), np.min(drawn.values)) == (9.0, -9.0)
    assert len(str(chart(Lane("pnl", "", START, 300, values)))) < 60_000


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_few_and_inside(low: float, width: float) -> None:
    high = low + width
    if high - low < abs(low) * 1e-9:
        return
    found = ticks(low, high)
    assert len(found) <= 7
    assert all(low - width * 0.01 <= tick <= high + width * 0.01 for tick in found)


def test_a_bar_stays_within_its_track() -> None:
    for share in (-1.0, 0.0, 0.5, 1.0, 7.0):
        width = float(ET.fromstring(str(bar(share, NASTY)))[1].attrib["width"])
        assert 0 <= width <= 100
