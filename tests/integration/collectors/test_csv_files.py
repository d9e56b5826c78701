"""CSV files on disk: dropped, growing, replaced, compressed."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings import CsvSource
from domain.errors import SourceError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WIDE = 'timestamp,pnl,okx|latency_ms,"spread{venue=""bybit""}"\n'


def collect(folder: Path, since: Position | None = None, **more: object) -> Collected:
    values = {"kind": "csv", "name": "drop", "paths": [str(folder / "*.csv*")], **more}
    return build_collector(CsvSource.model_validate(values), {}).collect(since or Position(), NOW)


def rows(page: Collected) -> list[tuple[str, str, float]]:
    return [(series.name, f"{at:%H:%M}", value) for series, at, value in page.samples]


def test_a_wide_file_has_a_series_per_column_and_gaps_where_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(WIDE + "2026-03-01 10:00:00,1,2,3\n2026-03-01T10:05:00Z,,NaN,4.5\n")
    assert rows(collect(tmp_path)) == [
        ("pnl", "10:00", 1.0),
        ('latency_ms{component="okx"}', "10:00", 2.0),
        ('spread{venue="bybit"}', "10:00", 3.0),
        ('spread{venue="bybit"}', "10:05", 4.5),
    ]


def test_a_long_file_has_a_value_per_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ts;strategy;metric;value\n1772359200;mm;pnl;1.5\n1772359200;arb;pnl;x\n")
    page = collect(tmp_path, layout="long", label_columns=["strategy"], delimiter=";", counters=["pnl"])
    assert rows(page) == [('pnl{strategy="mm"}', "10:00", 1.5)]
    assert page.samples.series[0].kind == "counter"
    assert page.notes == ("1 values are gaps (empty, NaN, infinite or no number)",)


def test_only_new_lines_of_a_growing_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,x\n2026-03-01 10:00:00,1\n2026-03-01 10:0")
    first = collect(tmp_path)
    assert rows(first) == [("x", "10:00", 1.0)]
    with path.open("a") as file:
        file.write("5:00,2\n")
    second = collect(tmp_path, first.position)
    assert rows(second) == [("x", "10:05", 2.0)]
    assert second.position.watermark == datetime(2026, 3, 1, 10, 5, tzinfo=UTC)
    third = collect(tmp_path, second.position)
    assert rows(third) == []
    assert third.position.watermark == second.position.watermark


def test_a_last_line_that_nobody_continues_counts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,x\n2026-03-01 10:00:00,1")
    first = collect(tmp_path)
    assert rows(collect(tmp_path, first.position)) == [("x", "10:00", 1.0)]


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,x\n2026-03-01 10:00:00,1\n2026-03-01 10:05:00,1\n")
    first = collect(tmp_path)
    path.write_text("timestamp,y\n2026-03-01 11:00:00,7\n")
    assert rows(collect(tmp_path, first.position)) == [("y", "11:00", 7.0)]


def test_gzip_is_read_and_a_broken_one_is_named(tmp_path: Path) -> None:
    data = gzip.compress(b"timestamp,x\n2026-03-01 10:00:00,1\n")
    (tmp_path / "good.csv.gz").write_bytes(data)
    (tmp_path / "cut.csv.gz").write_bytes(data[:-10])
    (tmp_path / "fake.csv.gz").write_bytes(b"hello")
    page = collect(tmp_path)
    assert rows(page) == [("x", "10:00", 1.0)]
    assert page.notes[0].startswith("1 files refused: cut.csv.gz")
    assert page.notes[1].startswith("1 files refused: fake.csv.gz")


def test_a_large_file_comes_in_pages(tmp_path: Path) -> None:
    lines = "".join(f"2026-03-01 {k // 60:02}:{k % 60:02}:00,{k}\n" for k in range(700))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"timestamp,{name[0]}\n{lines}")
    position, total, pages, more = Position(), 0, 0, True
    while more:
        page = collect(tmp_path, position, max_bytes=10_000)
        position, total, pages, more = page.position, total + len(page.samples), pages + 1, page.more
    assert (total, pages > 3) == (1400, True)


def test_bad_rows_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,x\nsoon,1\n2026-03-01 10:00:00,1,2\n2026-03-01 10:05:00,3\n")
    page = collect(tmp_path)
    assert rows(page) == [("x", "10:05", 3.0)]
    assert len(page.notes) == 2


@pytest.mark.parametrize(
    ("content", "more", "part"),
    [
        ("a,b\n1,2\n", {"time_column": "when"}, "when: is no column"),
        ("a,b\n1,2\n", {"layout": "long"}, "value: is no column"),
        ("\n1,2\n", {}, "empty"),
    ],
)
def test_a_file_of_another_shape_is_named(
    tmp_path: Path, content: str, more: dict[str, Any], part: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SourceError, match=f"1 files refused: a.csv: .*{part}"):
        collect(tmp_path, **more)


def test_no_file_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file matches"):
        collect(tmp_path)
