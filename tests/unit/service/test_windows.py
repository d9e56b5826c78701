"""The windows of the service: bounded whatever is pushed, and nothing old is taught twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.database import Database
from db.samples import SampleStore
from db.series import SeriesStore
from domain.series import SampleBatch, Series, SeriesKey
from service.windows import MAX_LEARN_CELLS, Windows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[SampleStore, SeriesStore]]:
    database = Database(f"sqlite:///{tmp_path / 'analyst.db'}")
    database.upgrade()
    series = SeriesStore(database)
    yield SampleStore(database, series), series
    database.close()


def windows_of(stores: tuple[SampleStore, SeriesStore]) -> Windows:
    windows = Windows(*stores, timedelta(hours=24), timedelta(days=28))
    windows.load(NOW)
    list(windows.history_to_learn(NOW))
    windows.mark_scored()
    return windows


def push(samples: SampleStore, at: datetime, step_s: int = 300) -> None:
    series = Series(0, SeriesKey.of(f"load_{step_s}"), step_s=step_s)
    samples.append(SampleBatch.of([(series, at, 1.0), (series, NOW, 2.0)]))


def test_a_sample_from_1970_is_stored_but_costs_no_history(stores: tuple[SampleStore, SeriesStore]) -> None:
    windows = windows_of(stores)
    push(stores[0], datetime(1970, 1, 1, tzinfo=UTC))
    windows.advance(NOW)
    assert list(windows.history_to_learn(NOW)) == []
    assert [window.n_steps for window, _ in windows.to_score()] == [1]


@pytest.mark.parametrize("step_s", [5, 300])
def test_what_is_taught_is_bounded_on_every_grid(
    stores: tuple[SampleStore, SeriesStore], step_s: int
) -> None:
    windows = windows_of(stores)
    for hours in (25, 30, 200, 24 * 27):
        push(stores[0], NOW - timedelta(hours=hours), step_s)
    windows.advance(NOW)
    taught = list(windows.history_to_learn(NOW))
    assert taught
    assert all(window.n_steps <= MAX_LEARN_CELLS for window in taught)
    assert list(windows.history_to_learn(NOW)) == []


def test_what_arrived_after_the_last_judgement_is_news_to_the_next_process(
    stores: tuple[SampleStore, SeriesStore],
) -> None:
    before = windows_of(stores)
    push(stores[0], NOW - timedelta(hours=3))
    assert before.unread()
    before.advance(NOW)
    before.mark_scored()
    restarted = windows_of(stores)
    assert restarted.unjudged_from is None
    push(stores[0], NOW - timedelta(hours=2))
    killed = Windows(*stores, timedelta(hours=24), timedelta(days=28))
    killed.load(NOW)
    assert killed.unjudged_from == NOW - timedelta(hours=2)
    assert not killed.unread()
