"""Rows of a CSV file, line by line: a line that is broken costs nothing but itself."""

import csv
from collections.abc import Callable, Iterable, Iterator


def csv_rows(
    lines: Iterable[str], delimiter: str, width: int, skip: Callable[[str], None]
) -> Iterator[list[str]]:
    """The cells of every line that has as many as the header.

    A row is a line: files are read while they grow, and an open quote would swallow all that follows.

    Args:
        lines: without their ends.
        delimiter: between two cells.
        width: how many cells the header has.
        skip: told the reason for every line that is left out.
    """
    for line in lines:
        cells = _cells(line, delimiter)
        if cells is None:
            skip("rows refused: a quote is not closed, or a cell is too long")
        elif len(cells) == width:
            yield cells
        elif cells:
            skip("rows refused: another number of columns than the header")


def _cells(line: str, delimiter: str) -> list[str] | None:
    if '"' not in line:
        return line.split(delimiter)
    if line.count('"') % 2:
        return None
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return None
