"""What is drawn of a series: one region where several detectors saw one thing."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.lanes import merged
from api.dashboard.svg import Region
from domain.anomaly import SEVERITIES

START = datetime(2026, 3, 1, tzinfo=UTC)


def _at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_overlapping_regions_are_one_with_the_worst_severity() -> None:
    found = merged(
        [
            Region(_at(5), _at(20), "low", "A-2"),
            Region(_at(0), _at(10), "high", "A-1"),
            Region(_at(30), _at(40), "medium", "A-3"),
        ]
    )
    assert found == (
        Region(_at(0), _at(20), "high", "A-1; A-2"),
        Region(_at(30), _at(40), "medium", "A-3"),
    )


REGIONS = st.builds(
    lambda start, size, severity: Region(_at(start), _at(start + size), severity),
    st.integers(0, 100),
    st.integers(1, 30),
    st.sampled_from(SEVERITIES),
)


@given(st.lists(REGIONS, max_size=12))
def test_merged_regions_cover_the_same_minutes_and_never_overlap(regions: list[Region]) -> None:
    found = merged(regions)
    for minute in range(140):
        instant = _at(minute)
        covered = any(one.start <= instant < one.end for one in regions)
        assert sum(one.start <= instant < one.end for one in found) == int(covered)
