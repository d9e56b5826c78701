"""Cells that come late in every cycle, as bars do, are judged again and change nothing of what was judged."""

from datetime import UTC, datetime, timedelta

import numpy as np

from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly
from domain.series import FloatArray, Series, SeriesKey, Window

START = datetime(2026, 3, 1, 18, 5, tzinfo=UTC)
STEP = timedelta(minutes=5)
PAST = 140


class Desk:
    """An engine that sees one series grow; its newest cell has only begun, the one before came just now."""

    def __init__(self, metric: str, values: FloatArray) -> None:
        self.series = (Series(1, SeriesKey.of(metric, {"venue": "bybit", "symbol": "X"})),)
        self.values = values
        rules = [one for one in default_rules() if one.matches(self.series[0].key) and one.metric != "*"]
        self.engine = DetectionEngine(rules, DetectionSettings())

    def look(self, until: int, first_new: int) -> tuple[Anomaly, ...]:
        seen = np.append(self.values[: until - 1], np.nan)[None, :]
        window = Window(self.series, 300, START, seen)
        return self.engine.detect(window, first_new, window.end).anomalies

    def live(self, until: int) -> dict[str, Anomaly]:
        """The last word on every anomaly, cycle by cycle."""
        told = {one.key: one for one in self.look(PAST, 0)}
        for now in range(PAST + 1, until + 1):
            told |= {one.key: one for one in self.look(now, now - 2)}
        return told


def test_what_later_cells_taught_makes_no_anomaly_of_earlier_ones() -> None:
    values = np.zeros(PAST + 30)
    values[PAST + 4 :] = 1.0
    told = Desk("bar_gaps", values).live(PAST + 24)
    assert {one.timestamp for one in told.values()} == {START + (PAST + 4) * STEP}


def test_data_that_come_hours_late_accuse_no_cell_before_them() -> None:
    values = np.zeros(PAST + 30)
    values[PAST + 4] = 1.0
    desk = Desk("bar_gaps", values)
    desk.live(PAST + 6)
    desk.values[PAST - 60] = 1.0
    late = desk.look(PAST + 7, PAST - 60)
    peaks = {datetime.fromisoformat(one.raw_data["peak_at"]) for one in late}
    assert peaks == {START + (PAST - 60) * STEP, START + (PAST + 4) * STEP}


def test_a_cell_teaches_the_time_of_its_day_once() -> None:
    values = 100.0 + np.random.default_rng(3).normal(size=PAST + 60)
    often, once = Desk("queue_depth", values), Desk("queue_depth", values)
    often.live(PAST + 60)
    once.look(PAST + 60, 0)
    tables = [desk.engine._grids[300].state.monitor.table for desk in (often, once)]
    assert int(tables[0].visits.sum()) == int(tables[1].visits.sum()) > PAST
    np.testing.assert_array_equal(tables[0].level, tables[1].level)
    np.testing.assert_array_equal(tables[0].weekly, tables[1].weekly)
