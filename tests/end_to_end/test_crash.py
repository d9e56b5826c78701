"""kill -9 at any moment: nothing acknowledged is lost, nothing is doubled, investigations end."""

import random
import sqlite3
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from desk_history import LATENCY_RULE, day
from service_process import ServiceProcess, eventually, write_config


def _push(url: str, acknowledged: list[tuple[str, str, float]], stop: threading.Event, seed: int) -> None:
    """Push samples until told to stop; keep only those that were acknowledged."""
    dice = random.Random(seed)
    start = datetime.now(UTC) - timedelta(hours=6)
    number = 0
    with httpx2.Client(timeout=10) as client:
        while not stop.is_set():
            body: list[dict[str, Any]] = []
            for _ in range(20):
                number += 1
                at = (start + timedelta(seconds=number)).isoformat()
                body.append({"metric": f"load_{seed}", "timestamp": at, "value": dice.random()})
            try:
                answer = client.post(f"{url}/api/v1/samples", json={"samples": body})
            except httpx2.HTTPError:
                return
            if answer.status_code == 200 and answer.json()["accepted"] == len(body):
                acknowledged += [(one["metric"], one["timestamp"], one["value"]) for one in body]


def _stored(process: ServiceProcess, metric: str) -> dict[datetime, float]:
    found: dict[datetime, float] = {}
    window = {"start": (datetime.now(UTC) - timedelta(hours=12)).isoformat(), "limit": 500}
    for one in process.get("/api/v1/series", metric=metric)["items"]:
        cursor: dict[str, str] = {}
        while True:
            page = process.get(f"/api/v1/series/{one['id']}/samples", **window, **cursor)
            found |= {datetime.fromisoformat(item["timestamp"]): item["value"] for item in page["items"]}
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    return found


def _rounds(folder: Path, url: str, rounds: int) -> None:
    config = write_config(folder, url=url)
    acknowledged: list[tuple[str, str, float]] = []
    dice = random.Random(7)
    for number in range(rounds):
        with ServiceProcess("serve", "--config", str(config)) as process:
            stop = threading.Event()
            writer = threading.Thread(target=_push, args=(process.url, acknowledged, stop, number))
            writer.start()
            time.sleep(dice.uniform(0.2, 1.5))
            process.kill()
            stop.set()
            writer.join()
    assert acknowledged
    with ServiceProcess("serve", "--config", str(config)) as process:
        for metric in {one[0] for one in acknowledged}:
            stored = _stored(process, metric)
            for name, timestamp, value in acknowledged:
                if name == metric:
                    assert stored.get(datetime.fromisoformat(timestamp)) == value, (name, timestamp)
    if url.startswith("sqlite"):
        with sqlite3.connect(folder / "analyst.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_killed_during_ingest_no_acknowledged_sample_is_lost(tmp_path: Path, database_url: str) -> None:
    _rounds(tmp_path, database_url, 3)


@pytest.mark.endurance
def test_killed_during_ingest_many_times_no_acknowledged_sample_is_lost(
    tmp_path: Path, database_url: str
) -> None:
    _rounds(tmp_path, database_url, 100)


def _push_day(process: ServiceProcess) -> None:
    samples = day(datetime.now(UTC).replace(microsecond=0))
    assert process.post("/api/v1/samples", {"samples": samples})["accepted"] == len(samples)


def _no_doubles(process: ServiceProcess) -> None:
    anomalies = process.get("/api/v1/anomalies", limit=500)["items"]
    keys = Counter((one["rule"], one["affected_metrics"][0], one["timestamp"]) for one in anomalies)
    assert anomalies
    assert not [key for key, count in keys.items() if count > 1]


def _crash_in_cycle(folder: Path, url: str, rounds: int) -> None:
    """Kill at a random moment after a cycle was asked for; afterwards everything is there once."""
    config = write_config(folder, [LATENCY_RULE], url=url)
    dice = random.Random(3)
    with ServiceProcess("serve", "--config", str(config)) as process:
        _push_day(process)
    for _ in range(rounds):
        with ServiceProcess("serve", "--config", str(config)) as process:
            asked = threading.Thread(target=_ask_for_cycle, args=(process.url,))
            asked.start()
            time.sleep(dice.uniform(0.0, 1.0))
            process.kill()
            asked.join()
    with ServiceProcess("serve", "--config", str(config)) as process:
        eventually(lambda: process.get("/api/v1/cycles")["items"], 30)
        process.post("/api/v1/cycles")
        process.post("/api/v1/cycles")
        _no_doubles(process)
        eventually(lambda: _all_ended(process), 60, "an investigation did not end after the restart")


def _ask_for_cycle(url: str) -> None:
    try:
        httpx2.post(f"{url}/api/v1/cycles", timeout=30)
    except httpx2.HTTPError:
        return


def _all_ended(process: ServiceProcess) -> bool:
    diagnoses = process.get("/api/v1/diagnoses", limit=100)["items"]
    return bool(diagnoses) and all(one["status"] in {"done", "failed", "cancelled"} for one in diagnoses)


def test_killed_during_cycles_nothing_is_doubled_and_investigations_end(
    tmp_path: Path, database_url: str
) -> None:
    _crash_in_cycle(tmp_path, database_url, 3)


@pytest.mark.endurance
def test_killed_during_many_cycles_nothing_is_doubled_and_investigations_end(
    tmp_path: Path, database_url: str
) -> None:
    _crash_in_cycle(tmp_path, database_url, 60)


def test_sigterm_drains_and_the_next_start_goes_on(tmp_path: Path, database_url: str) -> None:
    config = write_config(tmp_path, [LATENCY_RULE], url=database_url)
    with ServiceProcess("serve", "--config", str(config)) as process:
        _push_day(process)
        process.post("/api/v1/cycles")
        assert process.terminate() == 0
    with ServiceProcess("serve", "--config", str(config)) as process:
        _no_doubles(process)


def test_restarts_find_nothing_new_in_old_data(tmp_path: Path, database_url: str) -> None:
    config = write_config(tmp_path, [LATENCY_RULE], url=database_url)
    with ServiceProcess("serve", "--config", str(config)) as process:
        _push_day(process)
        process.post("/api/v1/cycles")
        before = _told(process)
    for _ in range(2):
        with ServiceProcess("serve", "--config", str(config)) as process:
            process.post("/api/v1/cycles")
            assert _told(process) == before


def _told(process: ServiceProcess) -> set[tuple[str, str]]:
    anomalies = process.get("/api/v1/anomalies", limit=500)["items"]
    incidents = process.get("/api/v1/incidents", limit=500)["items"]
    assert anomalies
    return {(one["id"], one["timestamp"]) for one in anomalies} | {
        (one["id"], one["started_at"]) for one in incidents
    }
