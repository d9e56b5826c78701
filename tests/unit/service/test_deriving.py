"""Derived series are stored once, and judged with the data that they follow from."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from collectors.settings_derived import DerivedSettings
from db.database import Database
from db.samples import SampleStore
from db.series import SeriesStore
from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.series import SampleBatch, Series, SeriesKey, Window
from service.deriving import Deriving, rules_of_derived
from service.windows import Windows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERP = Series(0, SeriesKey.of("price", {"symbol": "BTC", "venue": "bybit"}), step_s=300)
SPOT = Series(0, SeriesKey.of("spot", {"symbol": "BTC"}), step_s=300)
BASIS = DerivedSettings(metric="basis_bps", kind="basis", of="price", against="spot", per=("symbol",))


class Rig:
    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'analyst.db'}")
        self.database.upgrade()
        self.series = SeriesStore(self.database)
        self.samples = SampleStore(self.database, self.series)
        self.windows = self.restarted()

    def restarted(self) -> Windows:
        windows = Windows(self.samples, self.series, timedelta(hours=24), timedelta(days=28))
        windows.load(NOW)
        return windows

    def store(self, first: int, last: int) -> None:
        rows = [
            (one, NOW - timedelta(minutes=5 * k), 100.0 + k % 3 + (one is PERP))
            for k in range(first, last)
            for one in (PERP, SPOT)
        ]
        self.samples.append(SampleBatch.of(rows))

    def stored(self) -> dict[str, int]:
        end = NOW + timedelta(minutes=5)
        return {
            one.name: len(self.samples.read(one.id, NOW - timedelta(days=2), end)[0])
            for one in self.series.all()
        }


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    one = Rig(tmp_path)
    yield one
    one.database.close()


def test_what_follows_from_new_data_is_stored_and_in_the_windows_at_once(rig: Rig) -> None:
    rig.store(1, 30)
    rig.windows.advance(NOW)
    Deriving(rig.windows, rig.samples, (BASIS,))(NOW)
    name = 'basis_bps{symbol="BTC",venue="bybit"}'
    assert rig.stored()[name] == 29
    ((window, _),) = rig.windows.to_score()
    assert window.row(name)[-2] == pytest.approx(1e4 / 101)


def test_nothing_is_stored_twice_not_even_after_a_restart(rig: Rig) -> None:
    rig.store(2, 30)
    rig.windows.advance(NOW)
    Deriving(rig.windows, rig.samples, (BASIS,))(NOW)
    rig.windows.mark_scored()
    head = rig.samples.head()
    Deriving(rig.windows, rig.samples, (BASIS,))(NOW)
    again = rig.restarted()
    Deriving(again, rig.samples, (BASIS,))(NOW)
    assert rig.samples.head() == head
    rig.store(1, 2)
    again.advance(NOW)
    Deriving(again, rig.samples, (BASIS,))(NOW)
    assert rig.stored()['basis_bps{symbol="BTC",venue="bybit"}'] == 29


def test_the_silence_of_what_is_derived_is_told_of_what_it_is_derived_from() -> None:
    names = {"price": "bybit", "basis_bps": "bybit"}
    series = tuple(
        Series(i + 1, SeriesKey.of(name, {"venue": at})) for i, (name, at) in enumerate(names.items())
    )
    values = np.random.default_rng(1).normal(100, 1, (2, 80))
    values[:, 70:] = np.nan
    engine = DetectionEngine([*default_rules(), *rules_of_derived([BASIS, BASIS])], DetectionSettings())
    told: set[str] = set()
    for until in range(60, 80):
        window = Window(series, 300, NOW, values[:, :until])
        found = engine.detect(window, 0 if until == 60 else until - 1, NOW).anomalies
        told |= {one.affected_metrics[0].partition("{")[0] for one in found if one.method == "stale"}
    assert told == {"price"}
