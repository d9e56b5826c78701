"""Reads CSV tables of numbers as they are: every row, in its order, with duplicate and unsorted times."""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import numpy as np

from domain.errors import InvalidInput
from domain.series import MAX_MAGNITUDE, FloatArray, IntArray
from domain.timestamps import EPOCH, parse_rfc3339, to_microseconds

SUFFIXES = (".csv", ".csv.gz")
OUTPUT_SUFFIX = ".scores.csv"
MISSING = frozenset({"", "nan", "null", "none", "na"})
MAX_SECONDS = 253_402_300_799


@dataclass(frozen=True, slots=True)
class CsvTable:
    """One file.

    Args:
        columns: names of the value columns.
        texts: the time of each row as it stands in the file.
        timestamps: shape (n_rows,), microseconds since 1970, in the order of the file.
        values: shape (n_rows, n_columns), NaN where missing.
    """

    columns: tuple[str, ...]
    texts: tuple[str, ...]
    timestamps: IntArray
    values: FloatArray


def find_tables(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Files to read with their path relative to what was asked for, in a stable order.

    Args:
        paths: files, or folders that are walked; score files written earlier are left out.

    Raises:
        InvalidInput: a path does not exist, or a folder holds no table.
    """
    found: list[tuple[Path, Path]] = []
    for path in paths:
        if path.is_file():
            found.append((path, Path(path.name)))
            continue
        if not path.is_dir():
            raise InvalidInput(str(path), "no such file or folder")
        inside = sorted(one for one in path.rglob("*.csv*") if one.is_file() and _is_table(one))
        if not inside:
            raise InvalidInput(str(path), "holds no .csv or .csv.gz file")
        found += [(one, one.relative_to(path)) for one in inside]
    return found


def _is_table(path: Path) -> bool:
    return path.name.endswith(SUFFIXES) and not path.name.endswith(OUTPUT_SUFFIX)


def read_table(path: Path, zone: tzinfo = UTC) -> CsvTable:
    """Read one table.

    Args:
        path: `.csv`, or `.csv.gz` (recognised by its content); first column `timestamp`, all others numbers.
        zone: how times without an offset are read.

    Raises:
        InvalidInput: the file cannot be read as such a table; names the file and the line.
    """
    try:
        with _open(path) as lines:
            return _parse(path, csv.reader(lines), zone)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(str(path), f"cannot be read: {error}") from error


def _open(path: Path):  # type: ignore[no-untyped-def]
    with path.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("r", encoding="utf-8-sig", newline="")


def _parse(path: Path, rows: Iterator[list[str]], zone: tzinfo) -> CsvTable:
    header = [name.strip() for name in next(rows, [])]
    if not header or header[0].lower() != "timestamp":
        raise InvalidInput(str(path), "line 1: the first column must be `timestamp`")
    if len(header) < 2:
        raise InvalidInput(str(path), "line 1: there is no value column")
    if len(set(header)) < len(header):
        raise InvalidInput(str(path), "line 1: two columns have the same name")
    texts: list[str] = []
    times: list[int] = []
    numbers: list[list[float]] = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise InvalidInput(str(path), f"line {number}: {len(row)} cells, the header has {len(header)}")
        texts.append(row[0])
        times.append(_time(row[0].strip(), zone, path, number))
        numbers.append([_number(cell, path, number) for cell in row[1:]])
    values = np.array(numbers, dtype=np.float64).reshape(len(numbers), len(header) - 1)
    return CsvTable(tuple(header[1:]), tuple(texts), np.array(times, dtype=np.int64), values)


def _time(text: str, zone: tzinfo, path: Path, number: int) -> int:
    try:
        if text[:1].isdigit() and "-" not in text:
            return _unix(float(text))
        if text[-1:] in "Zz" or "+" in text[10:] or "-" in text[10:]:
            return to_microseconds(parse_rfc3339(text))
        naive = datetime.fromisoformat(text)
        return (naive.replace(tzinfo=zone).astimezone(UTC) - EPOCH) // (EPOCH.resolution)
    except (ValueError, OverflowError, InvalidInput) as error:
        raise InvalidInput(str(path), f"line {number}: unusable timestamp {text[:40]!r}") from error


def _unix(seconds: float) -> int:
    if not 0 <= seconds <= MAX_SECONDS:
        raise ValueError
    return round(seconds * 1e6)


def _number(cell: str, path: Path, number: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        if cell.strip().lower() in MISSING:
            return math.nan
        raise InvalidInput(str(path), f"line {number}: {cell[:40]!r} is not a number") from None
    return value if abs(value) < MAX_MAGNITUDE else math.nan
