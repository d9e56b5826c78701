"""What a webhook was told is taken is still there after kill -9, and its investigation comes to its end."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from service_process import ROOT, ServiceProcess, eventually, write_config

from domain.timestamps import format_rfc3339


def _samples(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "metric": metric,
            "labels": labels,
            "source": source,
            "timestamp": format_rfc3339(now - timedelta(minutes=5 * i)),
            "value": value + i % 5 - (loss if i < 6 else 0),
        }
        for metric, labels, source, value, loss in (
            ("pnl", {"strategy": "mm_btc", "venue": "bybit"}, "pnl_data", 50.0, 900.0),
            ("order_ack_latency_ms", {"venue": "bybit"}, "trading_metrics", 9.0, -110.0),
        )
        for i in range(200)
    ]


def _alert(now: datetime, status: str = "firing") -> dict[str, Any]:
    return {
        "version": "4",
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": "PnlDrop", "severity": "page", "strategy": "mm_btc"},
                "annotations": {"summary": "mm_btc loses money"},
                "startsAt": format_rfc3339(now - timedelta(minutes=20)),
                "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else format_rfc3339(now),
                "fingerprint": "00c0ffee00c0ffee",
            }
        ],
    }


@pytest.mark.parametrize("repeated", [False, True])
def test_an_acknowledged_alert_survives_a_crash_and_is_investigated_once(
    tmp_path: Path, repeated: bool
) -> None:
    config = str(write_config(tmp_path))
    now = datetime.now(UTC).replace(microsecond=0)
    with ServiceProcess("serve", "--config", config, wait_s=180) as service:
        service.post("/api/v1/samples", {"samples": _samples(now)})
        taken = service.post("/hooks/alertmanager", _alert(now))
        service.kill()
    assert taken["stored"] == 1
    assert taken["affected_metrics"] == ['pnl{strategy="mm_btc",venue="bybit"}']
    with ServiceProcess("serve", "--config", config, wait_s=180) as service:
        if repeated:
            again = service.post("/hooks/alertmanager", _alert(now))
            assert (again["stored"], again["known"], again["diagnosis_id"]) == (0, 1, None)
        path = f"/api/v1/diagnoses/{taken['diagnosis_id']}"
        found = eventually(lambda: (one := service.get(path))["status"] == "done" and one, 90)
        assert found["affected_metrics"] == taken["affected_metrics"]
        asked = [
            one
            for one in service.get("/api/v1/diagnoses")["items"]
            if one["incident_id"] is None and one["anomaly_id"] is None
        ]
        assert [one["id"] for one in asked] == [taken["diagnosis_id"]]
        ended = service.post("/hooks/alertmanager", _alert(now, "resolved"))
        assert (ended["stored"], ended["diagnosis_id"]) == (1, None)
        page = httpx2.get(f"{service.url}/diagnoses/{taken['diagnosis_id']}", timeout=30)
        assert page.status_code == 200
        assert service.terminate(60) == 0
    verified = subprocess.run(
        [sys.executable, "-m", "service.cli", "audit", "verify", "--config", config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
