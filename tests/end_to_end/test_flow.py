"""From pushed samples to a stored diagnosis and a message in Slack, on both databases."""

from datetime import UTC, datetime
from pathlib import Path

import httpx2
from desk_history import LATENCY_RULE, STRATEGY, day
from fake_slack import fake_slack
from service_process import ServiceProcess, eventually, write_config

ALERTS = """
[alerts]
allow_hosts = ["127.0.0.1"]
[alerts.slack]
buttons = false
"""


def test_a_loss_is_detected_explained_and_told(tmp_path: Path, database_url: str) -> None:
    with fake_slack() as slack:
        config = write_config(tmp_path, [LATENCY_RULE, STRATEGY, ALERTS], url=database_url)
        environ = {"ANALYST_ALERTS__SLACK__WEBHOOK_URL": slack.hook_url}
        with ServiceProcess("serve", "--config", str(config), environ=environ) as process:
            _flow(process)
            eventually(slack.posts, 30, "no message reached Slack")
            text = str(slack.posts())
            assert "order_ack_latency_ms" in text or "pnl" in text
            assert slack.hook_url not in process.output()


def test_what_is_pushed_is_told_without_waiting_for_a_cycle(tmp_path: Path, database_url: str) -> None:
    with fake_slack() as slack:
        config = write_config(tmp_path, [LATENCY_RULE, STRATEGY, ALERTS], url=database_url)
        environ = {"ANALYST_ALERTS__SLACK__WEBHOOK_URL": slack.hook_url}
        with ServiceProcess("serve", "--config", str(config), environ=environ) as process:
            samples = day(datetime.now(UTC).replace(microsecond=0))
            assert process.post("/api/v1/samples", {"samples": samples})["accepted"] == len(samples)
            eventually(slack.posts, 60, "no message reached Slack")
            # One cycle at the start, and none for what was pushed.
            assert len(process.get("/api/v1/cycles")["items"]) <= 1 + _slots_since(process)


def _slots_since(process: ServiceProcess) -> int:
    """How many slots began after the first one: one, where the test ran across a boundary."""
    first = min(one["scheduled_for"] for one in process.get("/api/v1/cycles")["items"])
    return int((datetime.now(UTC) - datetime.fromisoformat(first)).total_seconds() // 300)


def _flow(process: ServiceProcess) -> None:
    samples = day(datetime.now(UTC).replace(microsecond=0))
    assert process.post("/api/v1/samples", {"samples": samples})["accepted"] == len(samples)
    process.post("/api/v1/cycles")
    incident = next(one for one in process.get("/api/v1/incidents")["items"] if one["status"] == "open")
    diagnosis = process.get(f"/api/v1/diagnoses/{incident['diagnosis_id']}")
    assert diagnosis["status"] == "done"
    assert diagnosis["primary_hypothesis"]["component"] == "gateway:bybit", diagnosis["executive_summary"]
    assert diagnosis["impact"]["amount"] < -1_500
    assert next(step["name"] for step in diagnosis["steps"]) == "data_examination"
    assert len(diagnosis["steps"]) == 6
    cited = {one["id"] for one in diagnosis["evidence"]}
    for step in diagnosis["steps"]:
        assert set(step["evidence_ids"]) <= cited
    _stream_is_replayed(process, diagnosis["id"])
    _report_reads_well(process, diagnosis["id"])


def _stream_is_replayed(process: ServiceProcess, diagnosis_id: str) -> None:
    url = f"{process.url}/api/v1/diagnoses/{diagnosis_id}/events"
    whole = httpx2.get(url, timeout=30).text
    names = [line.removeprefix("event: ") for line in whole.splitlines() if line.startswith("event: ")]
    assert names[0] == "run.started"
    assert names.count("step.finished") == 6
    assert names[-1] == "run.finished"
    rest = httpx2.get(url, headers={"Last-Event-ID": "5"}, timeout=30).text
    assert rest.count("event: ") == len(names) - 5


def _report_reads_well(process: ServiceProcess, diagnosis_id: str) -> None:
    url = f"{process.url}/api/v1/diagnoses/{diagnosis_id}"
    report = httpx2.get(url, headers={"Accept": "text/markdown"}, timeout=30).text
    assert report.startswith("# ")
    assert "bybit" in report
