"""A service on a clock of the test's own: history in the store, then one REST push and one cycle a step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from fastapi.testclient import TestClient
from small_desk import START, STRATEGIES, Desk, Key, quiet_desk

from domain.anomaly import Anomaly
from domain.cycle import Cycle
from domain.diagnosis import Diagnosis
from domain.incident import Incident
from domain.series import SampleBatch, SeriesKey
from service.settings import Settings
from service.wiring import Service, build_service

STEP = timedelta(minutes=5)
HISTORY = 288
CALM = 24
COLUMNS = HISTORY + 24


@dataclass
class SilentDesk:
    """A quiet desk behind the real service; `service` is built, but its own clock never runs.

    Args:
        folder: where its database is.
        more: further configuration.
    """

    folder: Path
    more: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1

    def __enter__(self) -> Self:
        self.desk: Desk = quiet_desk(self.seed, columns=COLUMNS)
        self._calm_down()
        self.column = HISTORY
        self.now = START + HISTORY * STEP
        content = {
            "database": {"url": f"sqlite:///{self.folder / 'analyst.db'}"},
            "strategies": [one.model_dump() for one in STRATEGIES],
            **self.more,
        }
        self.service: Service = build_service(Settings.model_validate(content), clock=lambda: self.now)
        self.client = TestClient(self.service.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
        return self

    def _calm_down(self) -> None:
        """Nothing else happens around the failure: what is odd by chance has no place in these tests."""
        for key, values in self.desk.values.items():
            if key[0] != "price":
                usual = float(np.median(values))
                values[HISTORY - CALM :] = usual + 0.6 * (values[HISTORY - CALM :] - usual)

    def __exit__(self, *_: object) -> None:
        self.service.parts.sources.close()
        self.service.parts.investigations.stop()
        self.service.parts.database.close()

    def remember(self) -> None:
        """Store the history and let the service learn from it."""
        rows = [
            (self.desk.series[key], START + t * STEP + timedelta(seconds=30), float(self.desk.values[key][t]))
            for key in self.desk.series
            for t in range(HISTORY)
        ]
        self.service.parts.stores.samples.append(SampleBatch.of(rows))
        self.service.parts.windows.load(self.now)
        self.service.parts.investigations.start()
        self.cycle()

    def silence(self, keys: Iterable[Key], ahead: int) -> int:
        """Make rows say nothing from `ahead` columns on; returns the first silent column."""
        first = self.column + ahead
        for key in keys:
            self.desk.values[key][first:] = np.nan
        return first

    def push(self) -> None:
        """What the desk measured in the next five minutes, over REST."""
        at = START + self.column * STEP + timedelta(seconds=30)
        samples = [
            {
                "metric": one.key.metric,
                "labels": dict(one.key.labels),
                "timestamp": at.isoformat(),
                "value": float(value),
                "source": one.source,
            }
            for key, one in self.desk.series.items()
            if np.isfinite(value := self.desk.values[key][self.column])
        ]
        answer = self.client.post("/api/v1/samples", json={"samples": samples})
        assert answer.json().get("accepted") == len(samples), answer.text[:500]
        self.column += 1

    def step(self) -> Cycle:
        """Five minutes: what was measured in them is pushed, then their cycle runs."""
        self.now += STEP
        self.push()
        return self.cycle()

    def cycle(self) -> Cycle:
        """The cycle of now."""
        slot = self.service.parts.claim(self.now)
        assert slot is not None
        done = self.service.parts.pipeline.run_cycle(slot, self.now)
        assert done.status == "done", done.error
        return done

    def anomalies(self, **wanted: str) -> list[Anomaly]:
        """All anomalies since the first step, as GET /anomalies shows them."""
        answer = self.client.get("/api/v1/anomalies", params={"limit": 500, **wanted})
        found = [Anomaly.model_validate(one) for one in answer.json()["items"]]
        return [one for one in found if one.detected_at > START + HISTORY * STEP]

    def incidents(self) -> list[Incident]:
        """Open incidents that began after the history."""
        items = self.client.get("/api/v1/incidents", params={"limit": 500}).json()["items"]
        found = [Incident.model_validate(one) for one in items]
        return [one for one in found if one.status == "open" and one.started_at >= START + HISTORY * STEP]

    def diagnosis(self, incident: Incident) -> Diagnosis:
        """What the service said about an incident."""
        assert incident.diagnosis_id is not None
        return Diagnosis.model_validate(self.client.get(f"/api/v1/diagnoses/{incident.diagnosis_id}").json())

    def of(self, *labels: str) -> list[Key]:
        """Rows whose labels have these values."""
        return [key for key in self.desk.series if set(labels) <= set(key[1:])]


def metric_of(name: str) -> str:
    """The metric in the name of a series."""
    return SeriesKey.parse(name).metric


def since(first: int) -> datetime:
    """The time of a column."""
    return START + first * STEP
