"""Replicas that die all the time: no cycle twice, no slot unrecorded, no alert twice, none lost."""

from pathlib import Path

import pytest
from replica_soak import Soaked, soak


def _holds(seen: Soaked) -> None:
    print(seen.table())  # noqa: T201 - the figures of an endurance run
    assert seen.incidents
    assert seen.doubled_cycles() == []
    assert seen.unrecorded_slots() == 0
    assert seen.lost_alerts() == []
    assert seen.doubled_alerts() == []
    assert seen.inside_retry_after == 0


def test_a_killed_replica_doubles_and_loses_nothing(tmp_path: Path) -> None:
    seen = soak(tmp_path, f"sqlite:///{tmp_path / 'analyst.db'}", seconds=9, kill_every_s=5)
    _holds(seen)
    assert seen.kills >= 1


@pytest.mark.endurance
def test_a_replica_killed_every_twenty_seconds_for_ten_minutes(tmp_path: Path, database_url: str) -> None:
    seen = soak(tmp_path, database_url, seconds=600, kill_every_s=20)
    _holds(seen)
    assert seen.kills >= 5, "hardly anybody died: the machine is too busy to start replicas in time"
