"""A cycle that fails says so, and what it could not learn is learned by the next one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.runner import SourceRunner
from db.database import Database
from db.records import SavedDetections
from db.samples import SampleStore
from db.series import SeriesStore
from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine, DetectionResult
from detectors.settings import DetectionSettings
from domain.cycle import Cycle
from domain.errors import StoreUnavailable
from domain.series import SampleBatch, Series, SeriesKey, Window
from service.pipeline import Pipeline, Stages
from service.windows import Windows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Forgetful(DetectionEngine):
    """An engine that cannot learn the first time."""

    failures = 1
    learned: list[int]

    def __init__(self) -> None:
        super().__init__(default_rules(), DetectionSettings())
        self.learned = []

    def learn(self, history: Window) -> None:
        if Forgetful.failures:
            Forgetful.failures -= 1
            raise StoreUnavailable("locked")
        self.learned.append(history.n_steps)
        super().learn(history)


class Engines:
    """Builds engines as the service does: anew after a change, which teaches everything again."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.engine: Forgetful | None = None

    def __call__(self) -> Forgetful:
        if self.engine is None:
            self.engine = Forgetful()
            self.windows.relearn()
        return self.engine

    def changed(self) -> None:
        self.engine = None


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Windows]:
    database = Database(f"sqlite:///{tmp_path / 'analyst.db'}")
    database.upgrade()
    series = SeriesStore(database)
    samples = SampleStore(database, series)
    load = Series(0, SeriesKey.of("load"), step_s=300)
    rows = [(load, NOW - timedelta(minutes=5 * i), float(i % 5)) for i in range(2 * 288)]
    samples.append(SampleBatch.of(rows))
    windows = Windows(samples, series, timedelta(hours=24), timedelta(days=28))
    windows.load(NOW)
    yield windows
    database.close()


def test_what_a_cycle_could_not_learn_is_learned_by_the_next_one(windows: Windows) -> None:
    engines = Engines(windows)
    Forgetful.failures = 1
    pipeline = Pipeline(_stages(windows, engines))
    assert pipeline.run_cycle(Cycle(id=1, scheduled_for=NOW), NOW).status == "failed"
    assert pipeline.run_cycle(Cycle(id=2, scheduled_for=NOW), NOW).status == "done"
    assert engines.engine is not None
    assert engines.engine.learned == [288]


class Attentive(Forgetful):
    """An engine that notes when it is told nobody collected."""

    told: Sequence[tuple[datetime, datetime]] = ()

    def detect(
        self,
        window: Window,
        first_new: int,
        now: datetime,
        absences: Sequence[tuple[datetime, datetime]] = (),
    ) -> DetectionResult:
        self.told = absences
        return super().detect(window, first_new, now, absences)


def test_only_the_time_in_which_no_process_collected_is_an_absence(windows: Windows) -> None:
    Forgetful.failures = 0
    engine = Attentive()
    others: list[datetime] = []
    stages = _stages(windows, Engines(windows))
    pipeline = Pipeline(replace(stages, engine=lambda: engine, last_cycle=lambda: max(others, default=None)))
    minute = timedelta(minutes=1)

    def cycle(number: int, minutes: float) -> None:
        at = NOW + minutes * minute
        assert pipeline.run_cycle(Cycle(id=number, scheduled_for=at), at).status == "done"

    cycle(1, 0)
    cycle(2, 5)
    assert not engine.told
    others.append(NOW + 60 * minute)
    cycle(3, 65)
    assert not engine.told
    cycle(4, 95)
    assert engine.told == ((NOW + 65 * minute, NOW + 95 * minute),)


def _stages(windows: Windows, engines: Engines) -> Stages:
    class Nothing:
        def __call__(self, result: Any) -> None: ...

        def health(self, healths: Any, now: datetime, step_s: int) -> None: ...

    return Stages(
        sources=SourceRunner([]),
        ingest=Nothing(),
        windows=windows,
        engine=engines,
        learn_anew=engines.changed,
        save=lambda _anomalies, _now: SavedDetections((), (), (), 0),
        diagnose=lambda _incidents, _now: None,
        finish=lambda cycle: cycle,
        clock=lambda: NOW,
        step_s=300,
    )
