"""Two replicas on one database: one runs the cycles, the other takes over when it dies."""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service_process import ServiceProcess, eventually, write_config

INTERVAL_S = 1


def _cycles(process: ServiceProcess) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = process.get("/api/v1/cycles", limit=500)["items"]
    return items


def test_no_slot_runs_twice_and_the_survivor_takes_over(tmp_path: Path, database_url: str) -> None:
    config = str(write_config(tmp_path, url=database_url, interval_s=INTERVAL_S))
    with (
        ServiceProcess("serve", "--config", config) as first,
        ServiceProcess("serve", "--config", config) as second,
    ):
        eventually(lambda: len(_done(first)) >= 2, 30, "the leader ran no cycles")
        before = max(one["id"] for one in _cycles(second))
        first.kill()
        eventually(
            lambda: [one for one in _done(second) if one["id"] > before], 30, "the survivor did not take over"
        )
        eventually(lambda: len(_done(second)) >= 5, 30)
        _each_slot_once(_cycles(second))


def _done(process: ServiceProcess) -> list[dict[str, Any]]:
    return [one for one in _cycles(process) if one["status"] == "done"]


def _each_slot_once(cycles: list[dict[str, Any]]) -> None:
    slots = sorted(datetime.fromisoformat(one["scheduled_for"]) for one in cycles)
    assert not [slot for slot, count in Counter(slots).items() if count > 1]
    gaps = {late - early for early, late in itertools.pairwise(slots)}
    assert gaps == {timedelta(seconds=INTERVAL_S)}, "a slot is missing from the record"
