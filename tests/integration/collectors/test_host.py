"""This host, read for real."""

from datetime import UTC, datetime

from collectors.build import build_collector
from collectors.collector import Position
from collectors.settings import HostSource

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_this_host_is_read_with_plausible_numbers() -> None:
    settings = HostSource(kind="host", name="here", host="box", disks=("/", "/nowhere"))
    page = build_collector(settings, {}, default_step_s=60).collect(Position(), NOW)
    found = {series.key.metric: value for series, _, value in page.samples}
    assert {"cpu_percent", "memory_percent", "disk_percent", "load_per_cpu", "network_errors"} <= set(found)
    assert 0 <= found["cpu_percent"] <= 100
    assert 0 < found["memory_percent"] <= 100
    assert {series.key.label("host") for series in page.samples.series} == {"box"}
    assert {series.step_s for series in page.samples.series} == {60}
    assert page.notes == ("1 disks: /nowhere does not exist",)
