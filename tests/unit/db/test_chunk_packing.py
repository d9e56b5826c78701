"""A chunk gives back exactly the times and values that went in."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from db.chunks import ChunkKey, groups, merged, packed, unpacked
from db.columns import DAY, Columns, contains, repeats

DAY_NUMBER = 20_513
offsets = st.lists(st.integers(0, DAY - 1), min_size=1, max_size=40, unique=True).map(sorted)
seconds = st.lists(st.integers(0, 86_399), min_size=1, max_size=40, unique=True).map(
    lambda found: sorted(one * 1_000_000 for one in found)
)
finite = st.floats(allow_nan=False, allow_infinity=False)


class Packed(NamedTuple):
    """A database row: a tuple with named parts."""

    day: int
    series_id: int
    start: int
    samples: int
    unit: int
    width: int
    ticks: bytes
    data: bytes


def row(values: dict[str, Any]) -> Packed:
    return Packed(**{name: values[name] for name in Packed._fields})


@given(st.lists(offsets | seconds, min_size=1, max_size=5), st.randoms())
def test_packing_is_lossless_for_any_times_of_a_day(chunks: list[list[int]], random: Any) -> None:
    rows, expected = [], []
    for series_id, times in enumerate(chunks, start=1):
        values = np.array([random.uniform(-1e300, 1e300) for _ in times])
        key = ChunkKey(DAY_NUMBER, series_id, DAY_NUMBER * DAY)
        micros = np.array(times) + DAY_NUMBER * DAY
        rows.append(row(packed(key, micros, values)))
        expected += [(series_id, int(t), v) for t, v in zip(micros, values.tolist(), strict=True)]
    found = Columns.joined(unpacked(rows)).latest()
    assert list(zip(found.ids.tolist(), found.times.tolist(), found.values.tolist(), strict=True)) == expected


def test_a_five_minute_grid_takes_ten_bytes_per_sample() -> None:
    times = DAY_NUMBER * DAY + np.arange(288) * 300_000_000
    stored = packed(ChunkKey(DAY_NUMBER, 1, DAY_NUMBER * DAY), times, np.zeros(288))
    assert (len(stored["ticks"]) + len(stored["data"])) / 288 == 10


keys = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3 * DAY)), max_size=30)


def columns(pairs: list[tuple[int, int]]) -> Columns:
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Columns(array[:, 0], array[:, 1], np.arange(len(pairs), dtype=np.float64))


@given(keys, keys)
def test_searches_and_merges_agree_with_dictionaries(
    old: list[tuple[int, int]], new: list[tuple[int, int]]
) -> None:
    ordered = columns(old).latest()
    latest = {pair: i for i, pair in enumerate(old)}
    assert list(zip(ordered.ids.tolist(), ordered.times.tolist(), strict=True)) == sorted(latest)
    assert ordered.values.tolist() == [latest[pair] for pair in sorted(latest)]
    wanted = columns(new)
    assert contains(ordered, wanted.ids, wanted.times).tolist() == [pair in latest for pair in new]
    assert repeats(wanted.ids, wanted.times).tolist() == [pair in new[:i] for i, pair in enumerate(new)]


@given(keys)
def test_groups_are_the_pairs_of_series_and_day(pairs: list[tuple[int, int]]) -> None:
    pieces = groups(columns(pairs).latest())
    assert [piece[:2] for piece in pieces] == sorted({(moment // DAY, one) for one, moment in pairs})
    assert sum(len(piece[2]) for piece in pieces) == len(set(pairs))


def test_new_samples_replace_and_extend_a_chunk() -> None:
    old = Columns(np.ones(2, np.int64), np.array([10, 20]), np.array([1.0, 2.0]))
    new = Columns(np.ones(2, np.int64), np.array([20, 30]), np.array([9.0, 3.0]))
    found = merged(old, new)
    assert (found.times.tolist(), found.values.tolist()) == ([10, 20, 30], [1.0, 9.0, 3.0])
    assert len(merged(Columns.empty(), new)) == 2
