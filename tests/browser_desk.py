"""More on a desk than it is seeded with: further incidents, further series."""

import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from api_desk import NOW, PNL, Desk, anomaly, finished
from playwright.sync_api import Page, expect

from db.database import Database
from db.detections import CycleWriter
from db.records import IncidentPlan
from domain.anomaly import Anomaly
from domain.diagnosis import DiagnosisRequest
from domain.series import SampleBatch, Series, SeriesKey

FILLS = 'fill_ratio{strategy="mm_btc",venue="bybit"}'
INVENTORY = 'inventory_usd{strategy="mm_btc",symbol="BTC"}'
CPU = 'cpu_percent{host="edge-1"}'
PRICE = 'price{symbol="BTC",venue="okx"}'


def ready(page: Page, desk: Desk, path: str) -> None:
    """Open a page and wait until it is live."""
    page.goto(f"{desk.url}{path}")
    expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")


def save(folder: Path, found: Sequence[Anomaly], incident: str | None, title: str = "") -> None:
    """Store anomalies as an incident of their own, or as more of a known one."""
    database = Database(f"sqlite:///{folder / 'desk.db'}")

    def group(new: Sequence[Anomaly], _open: object) -> Sequence[IncidentPlan]:
        return [IncidentPlan(incident, tuple(one.id for one in new), title or None)]

    CycleWriter(database).save_detections(list(found), NOW, group, lambda *_: [])
    database.close()


def more_incidents(folder: Path, n: int) -> None:
    """Older incidents under the seeded one."""
    for i in range(n):
        onset = NOW - timedelta(hours=3 + 2 * i)
        save(folder, [anomaly(f"rule_{i}", (PNL,), onset)], None, f"Loss number {i}")


def same_again(desk: Desk, folder: Path) -> None:
    """An earlier incident that looks like the first one, was explained alike, and cost more."""
    onset = NOW - timedelta(hours=5)
    save(folder, [anomaly("pnl_drop", (PNL,), onset)], None, "Loss of mm_btc")
    request = DiagnosisRequest(
        incident_id="I-2", start_time=onset, end_time=onset + timedelta(hours=1), affected_metrics=(PNL,)
    )
    done = finished(desk.stores.diagnoses.create(request, now=NOW - timedelta(hours=4)).diagnosis)
    assert done.impact is not None
    desk.stores.diagnoses.save(
        done.model_copy(update={"impact": done.impact.model_copy(update={"amount": -60_000.0, "by": ()})})
    )


def more_series(desk: Desk, folder: Path) -> None:
    """A day of four further series: two join the incident, one is restless but innocent, one is a price."""
    series = [Series(0, SeriesKey.parse(name)) for name in (FILLS, INVENTORY, CPU, PRICE)]
    rows = []
    for i in range(288):
        at, odd = NOW - timedelta(minutes=5 * (288 - i)), i >= 280
        values = (
            0.94 + 0.01 * math.sin(i / 5) - (0.2 if odd else 0.0),
            1_000 + 50 * math.sin(i / 9) + (300 if odd else 0),
            40 + 5 * math.sin(i / 3) + (9 if i == 282 else 0),
            60_000 + 200 * math.sin(i / 30) + 40 * math.sin(i),
        )
        rows += [(one, at, value) for one, value in zip(series, values, strict=True)]
    desk.stores.samples.append(SampleBatch.of(rows))
    found = [
        anomaly("fills", (FILLS,)).model_copy(update={"severity": "high"}),
        anomaly("inventory", (INVENTORY,)).model_copy(update={"severity": "medium"}),
    ]
    save(folder, found, "I-1")
