"""Samples: durable when acknowledged, counted right and read back exactly, whatever compaction does."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import chain

import numpy as np
import pytest

from db import compaction
from db.chunks import groups
from db.database import Database
from db.records import Appended
from db.samples import CursorExpired, SampleStore
from db.series import SeriesStore
from db.settings import DatabaseSettings
from domain.errors import InvalidInput, Overloaded
from domain.series import SampleBatch, Series, SeriesKey
from domain.timestamps import from_microseconds, to_microseconds

NOW = datetime(2026, 3, 1, tzinfo=UTC)
T0 = to_microseconds(NOW)
MINUTE = 60_000_000
DAY = 86_400_000_000
Model = dict[tuple[str, int], float]


def series(n: int = 1, step_s: int = 60, kind: str = "gauge") -> tuple[Series, ...]:
    return tuple(
        Series(
            0,
            SeriesKey.of("pnl", {"n": f"{kind}-{i}"}),
            step_s=step_s,
            kind="counter" if kind == "counter" else "gauge",
        )
        for i in range(n)
    )


def batch(points: Mapping[int, float], of: Series | None = None) -> SampleBatch:
    """Minutes after midnight -> value."""
    one = of or series()[0]
    return SampleBatch.of((one, from_microseconds(T0 + m * MINUTE), value) for m, value in points.items())


def test_acknowledged_samples_are_read_back_exactly(database: Database) -> None:
    values = {0: 0.1 + 0.2, 1: -0.0, 2: 5e-324, 3: 2.0**53 + 2, 4: -1e300, 5: 1.7e300}
    assert SampleStore(database).append(batch(values)) == Appended(6, 0)
    times, read = SampleStore(database).read(1, NOW, NOW + timedelta(hours=1))
    assert times.tolist() == [T0 + m * MINUTE for m in values]
    assert read.tobytes() == np.array(list(values.values())).tobytes()


def test_a_repeated_key_counts_as_replaced_wherever_it_was_before(database: Database) -> None:
    store = SampleStore(database)
    one = series()[0]
    twice = SampleBatch.of([(one, NOW, 1.0), (one, NOW, 2.0), (one, NOW + timedelta(minutes=1), 3.0)])
    assert store.append(twice) == Appended(3, 1)
    assert store.append(batch({0: 4.0, 5: 5.0})) == Appended(2, 1)
    assert store.compact(NOW) == 4
    assert store.append(batch({1: 6.0, 3: 7.0, 9: 8.0})) == Appended(3, 1)
    assert SampleStore(database).append(batch({5: 9.0, 4: 1.0})) == Appended(2, 1)
    _times, values = store.read(1, NOW, NOW + timedelta(hours=1))
    assert values.tolist() == [4.0, 6.0, 7.0, 1.0, 9.0, 8.0]


def test_late_and_reversed_samples_land_in_order(database: Database) -> None:
    store = SampleStore(database)
    store.append(batch({2: 2.0, 1: 1.0, 0: 0.0}))
    store.compact(NOW)
    store.append(batch({-1440: -1440.0, -1: -1.0}))
    for _ in range(2):
        times, values = store.read(1, NOW - timedelta(days=2), NOW + timedelta(days=1))
        assert values.tolist() == [-1440.0, -1.0, 0.0, 1.0, 2.0]
        assert (np.diff(times) > 0).all()
        store.compact(NOW)


@pytest.mark.parametrize("seed", range(3))
def test_any_history_of_writes_and_compactions_reads_like_a_dictionary(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MAX_CHUNK", 7)
    monkeypatch.setattr(compaction, "PAIRS", 3)
    rng = np.random.default_rng(seed)
    stores = [SampleStore(database), SampleStore(database)]
    known = series(4)
    model: Model = {}
    for _ in range(25):
        store = stores[rng.integers(2)]
        if rng.random() < 0.3:
            store.compact(NOW)
        n = int(rng.integers(1, 12))
        index = rng.integers(0, 4, n)
        times = T0 + rng.integers(-40, 40, n) * 37 * MINUTE + rng.integers(0, 2, n)
        values = rng.normal(size=n)
        replaced = 0
        for i, moment, value in zip(index, times, values, strict=True):
            key = (known[i].name, int(moment))
            replaced += key in model
            model[key] = float(value)
        assert store.append(SampleBatch(known, index, times, values)) == Appended(n, replaced)
        name = known[rng.integers(4)].name
        assert read_all(stores[rng.integers(2)], database, name) == expected(model, name)


def read_all(store: SampleStore, database: Database, name: str) -> list[tuple[int, float]]:
    found = SeriesStore(database).named([name])
    if name not in found:
        return []
    times, values = store.read(found[name].id, NOW - timedelta(days=9), NOW + timedelta(days=9))
    return list(zip(times.tolist(), values.tolist(), strict=True))


def expected(model: Model, name: str) -> list[tuple[int, float]]:
    return sorted((moment, value) for (key, moment), value in model.items() if key == name)


@pytest.mark.parametrize("kind", ["gauge", "counter"])
def test_a_window_is_what_a_naive_reading_gives(database: Database, kind: str) -> None:
    rng = np.random.default_rng(7)
    store = SampleStore(database)
    known = series(5, kind=kind)
    model: Model = {}
    for _ in range(6):
        index, times = rng.integers(0, 5, 60), T0 + rng.integers(-90, 90, 60) * 20_000_000
        values = rng.integers(0, 50, 60).astype(float)
        model |= {(known[i].name, int(t)): float(v) for i, t, v in zip(index, times, values, strict=True)}
        store.append(SampleBatch(known, index, times, values))
        if rng.random() < 0.5:
            store.compact(NOW)
        start = NOW - timedelta(minutes=12)
        window = store.window(60, start, NOW + timedelta(minutes=13, seconds=1))
        assert (window.start, window.n_steps) == (start, 26)
        for one in window.series:
            points = expected(model, one.name)
            naive = naive_row(points, to_microseconds(start), 26, counter=kind == "counter")
            np.testing.assert_array_equal(window.row(one.name), naive)


def naive_row(
    points: list[tuple[int, float]], start: int, n: int, *, counter: bool
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    row = np.full(n, np.nan)
    previous: tuple[int, float] | None = None
    for moment, value in points:
        cell = (moment - start) // MINUTE
        if not counter and 0 <= cell < n:
            row[cell] = value
        if counter and previous is not None and 0 <= cell < n and cell - previous[0] <= 1:
            gained = value - previous[1] if value >= previous[1] else value
            row[cell] = gained if np.isnan(row[cell]) else row[cell] + gained
        previous = (cell, value)
    return row


def test_history_gives_the_same_cells_block_by_block(database: Database) -> None:
    store = SampleStore(database)
    known = series(7)
    rows = [(one, NOW + timedelta(minutes=m), float(m)) for one in known for m in range(5)]
    store.append(SampleBatch.of(rows))
    end = NOW + timedelta(minutes=6)
    blocks = list(store.history(60, NOW, end, block=3))
    assert [len(block.series) for block in blocks] == [3, 3, 1]
    whole = store.window(60, NOW, end)
    np.testing.assert_array_equal(np.vstack([block.values for block in blocks]), whole.values)
    assert store.window(300, NOW, end).series == ()
    with pytest.raises(InvalidInput):
        store.window(60, NOW, NOW)


def test_a_window_follows_the_journal_by_cursor(database: Database) -> None:
    store, other = SampleStore(database), SampleStore(database)
    start = store.head()
    assert start == 0
    store.append(batch({0: 1.0}))
    other.append(batch({1: 2.0}))
    store.compact(NOW)
    found, cursor = store.since(start)
    assert found.values.tolist() == [1.0, 2.0]
    assert [one.name for one in found.series] == ['pnl{n="gauge-0"}']
    assert store.since(cursor)[1] == cursor == store.head()
    first, middle = store.since(start, limit=1)
    assert (first.values.tolist(), middle < cursor) == ([1.0], True)


def test_a_cursor_older_than_the_journal_says_so(database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(url=database_url, journal_samples=2))
    store = SampleStore(database)
    for m in range(4):
        store.append(batch({m: float(m)}))
    assert store.pending() == 4
    store.compact(NOW)
    assert store.pending() == 0
    with pytest.raises(CursorExpired):
        store.since(0)
    assert store.head() == 4
    assert store.since(2)[0].values.tolist() == [2.0, 3.0]
    assert SampleStore(database).append(batch({3: 9.0, 1: 9.0})) == Appended(2, 2)
    database.close()


def test_a_bad_sample_is_refused_and_stores_nothing(database: Database) -> None:
    store = SampleStore(database)
    one = (series()[0],)
    at, zero = np.array([T0]), np.array([0])
    for times, values in (
        (at, np.array([np.nan])),
        (at, np.array([np.inf])),
        (np.array([-1]), np.array([1.0])),
    ):
        with pytest.raises(InvalidInput):
            store.append(SampleBatch(one, zero, times, values))
    assert store.append(SampleBatch.of([])) == Appended(0, 0)
    assert store.head() == 0


def test_the_cap_on_series_is_named_and_the_known_ones_go_on(database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(url=database_url, max_series=2))
    store = SampleStore(database)
    store.append(SampleBatch.of([(one, NOW, 1.0) for one in series(2)]))
    with pytest.raises(Overloaded, match="2 series"):
        store.append(SampleBatch.of([(one, NOW, 1.0) for one in series(3)]))
    assert store.append(SampleBatch.of([(one, NOW, 2.0) for one in series(2)])) == Appended(2, 2)
    database.close()


def test_concurrent_writers_and_compactions_lose_and_double_nothing(database: Database) -> None:
    stores = [SampleStore(database), SampleStore(database)]

    def write(writer: int) -> list[Appended]:
        one = Series(0, SeriesKey.of("load", {"writer": str(writer)}), step_s=60)
        store = stores[writer % 2]
        return [store.append(batch({m: float(m), m - 1: float(m - 1)}, one)) for m in range(15)]

    def compact() -> None:
        for _ in range(10):
            stores[0].compact(NOW)

    with ThreadPoolExecutor(9) as pool:
        compacting = pool.submit(compact)
        results = list(chain.from_iterable(pool.map(write, range(8))))
        compacting.result()
    assert sum(one.accepted for one in results) == 8 * 15 * 2
    assert sum(one.replaced for one in results) == 8 * 14
    for store in (*stores, SampleStore(database)):
        for series_id in range(1, 9):
            _times, values = store.read(series_id, NOW - timedelta(days=1), NOW + timedelta(days=1))
            assert values.tolist() == [float(m) for m in range(-1, 15)]


def test_two_compactions_at_once_do_not_undo_each_other(database: Database) -> None:
    """The one that began later wins; the other stops at its next transaction."""
    store = SampleStore(database)
    store.append(batch({0: 1.0}))
    slow = compaction.Compaction(database, store._tail)
    with database.write() as connection:
        epoch = connection.exec_driver_sql(
            "UPDATE sample_state SET epoch = epoch + 1 RETURNING epoch"
        ).scalar_one()
    _start, _up_to, columns = slow._next_round()
    store.append(batch({0: 2.0}))
    assert store.compact(NOW) == 2
    with pytest.raises(Exception, match="another process"):
        slow._fold(int(epoch), groups(columns.latest()))
    assert store.read(1, NOW, NOW + timedelta(days=1))[1].tolist() == [2.0]
