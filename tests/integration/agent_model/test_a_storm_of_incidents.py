"""Fifty incidents in one cycle: so many are looked at as fit, and the model is asked within its budget."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from api_desk import LATENCY, NOW, PNL, anomaly
from chat_rig import section, serving

from db.detections import CycleWriter
from db.records import IncidentPlan
from domain.anomaly import Anomaly
from evaluation.fake_model.server import FakeModelServer

COUNT = 50
PER_CYCLE = 6


def _each_its_own(found: Sequence[Anomaly], _open: object) -> Sequence[IncidentPlan]:
    return [IncidentPlan(None, (one.id,), f"Incident {one.rule}") for one in found]


def test_fifty_incidents_cost_no_more_than_the_budget_and_no_more_looks_than_fit(tmp_path: Path) -> None:
    with (
        FakeModelServer() as server,
        serving(tmp_path, section("honest", server, budget_usd_per_day=0.02)) as talk,
    ):
        parts = talk.service.parts
        parts.windows.load(NOW)
        parts.investigations._parts = replace(parts.investigations._parts, per_cycle=PER_CYCLE)
        anomalies = [
            anomaly(f"storm-{i}", (LATENCY if i % 2 else PNL,), NOW - timedelta(minutes=5 + i))
            for i in range(COUNT)
        ]
        CycleWriter(parts.database).save_detections(anomalies, NOW, _each_its_own, lambda *_: [])
        incidents = [one for one in parts.stores.incidents.list(limit=500).items if one.diagnosis_id is None]
        assert len(incidents) == COUNT
        before = len(parts.stores.diagnoses.list(limit=500).items)
        began = time.monotonic()
        parts.investigations.of_cycle(incidents, NOW)
        assert time.monotonic() - began < 30
        deadline = time.monotonic() + 30
        while parts.stores.diagnoses.unfinished() and time.monotonic() < deadline:
            time.sleep(0.05)
        made = parts.stores.diagnoses.list(limit=500).items[: -before or None]
        looks = [one for one in made if one.prompt_versions or one.usage.input_tokens]
        assert PER_CYCLE <= len(made) <= 2 * PER_CYCLE
        assert {one.status for one in made} == {"done"}
        assert 0 < len(looks) <= PER_CYCLE
        assert parts.stores.usage.spent(NOW.replace(hour=0, minute=0)) <= 0.02
        assert len(server.requests) <= 3 * PER_CYCLE
