"""CSV tables as real systems write them."""

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from collectors.csv_table import find_tables, read_table
from domain.errors import InvalidInput


def written(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_keep_their_order_with_duplicates_gaps_and_unsorted_times(tmp_path: Path) -> None:
    text = "timestamp,x,y\n2026-01-01 00:05:00,1,\n2026-01-01 00:00:00,2,nan\n2026-01-01 00:00:00,3,inf\n"
    table = read_table(written(tmp_path, text))
    assert table.columns == ("x", "y")
    assert table.values[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(table.values[:, 1]).all()
    assert np.diff(table.timestamps).tolist() == [-300_000_000, 0]
    assert table.texts[0] == "2026-01-01 00:05:00"


@pytest.mark.parametrize(
    ("text", "zone", "seconds"),
    [
        ("1970-01-01T00:01:00Z", "UTC", 60.0),
        ("1970-01-01T02:01:00+02:00", "UTC", 60.0),
        ("1970-01-01 01:01:00", "Europe/Berlin", 60.0),
        ("60", "Europe/Berlin", 60.0),
        ("60.5", "UTC", 60.5),
    ],
)
def test_times_are_read_with_their_offset_in_the_given_zone_or_as_unix_seconds(
    tmp_path: Path, text: str, zone: str, seconds: float
) -> None:
    table = read_table(written(tmp_path, f"timestamp,x\n{text},1\n"), ZoneInfo(zone))
    assert table.timestamps.tolist() == [round(seconds * 1e6)]


def test_packed_files_are_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"timestamp,x\n0,5\n"))
    assert read_table(path).values.tolist() == [[5.0]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "timestamp"),
        ("time,x\n", "line 1"),
        ("timestamp\n0\n", "no value column"),
        ("timestamp,x,x\n", "same name"),
        ("timestamp,x\n0,1,2\n", "line 2"),
        ("timestamp,x\nyesterday,1\n", "line 2: unusable timestamp"),
        ("timestamp,x\n-5,1\n", "line 2: unusable timestamp"),
        ("timestamp,x\n0,one\n", "line 2: 'one' is not a number"),
    ],
)
def test_an_unusable_file_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read_table(written(tmp_path, text))


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_table(path)


def test_a_folder_is_walked_and_earlier_scores_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep", "timestamp,x\n", "b.csv")
    written(tmp_path, "timestamp,x\n", "a.csv")
    written(tmp_path, "", "a.scores.csv")
    assert [relative.as_posix() for _, relative in find_tables([tmp_path])] == ["a.csv", "deep/b.csv"]


def test_a_path_that_does_not_exist_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        find_tables([tmp_path / "missing"])
    with pytest.raises(InvalidInput, match="holds no"):
        find_tables([tmp_path])
