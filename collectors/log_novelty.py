"""Templates that are new or burst: which of them are told by a series of their own, and for how long."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from collectors.log_counts import LineKind

# A new template stays one for an hour of five-minute cells; its series goes on that long after its last line.
YOUNG_CELLS = 12
SHOWN_CELLS = 12
GRAVITY: Mapping[str, int] = {"CRITICAL": 3, "ERROR": 2}


@dataclass(slots=True)
class Novelty:
    """A template that is told: its text then, the cell of its first line, and the recent cells with lines."""

    text: str
    first: int
    cells: list[int] = field(default_factory=list)

    def seen(self, cell: int) -> None:
        """Its lines of a cell count as new or bursting."""
        if cell not in self.cells:
            self.cells = sorted([*self.cells, cell])[-2 * SHOWN_CELLS :]


@dataclass(slots=True)
class Novelties:
    """All templates that are told now, bounded in number.

    Args:
        places: how many may be told at once.
    """

    places: int
    told: dict[LineKind, Novelty] = field(default_factory=dict)

    def begin(self, kind: LineKind, text: str, cell: int) -> bool:
        """Tell of a template from a cell on; false where all places are taken."""
        known = self.told.get(kind)
        if known is None and len(self.told) >= self.places:
            return False
        self.told.setdefault(kind, Novelty(text, cell)).seen(cell)
        return True

    def count(self, cell: int, counts: Mapping[LineKind, int]) -> None:
        """Take in the lines of a cell: a young template that recurs is still new."""
        for kind, one in self.told.items():
            if counts.get(kind) and one.first <= cell < one.first + YOUNG_CELLS:
                one.seen(cell)

    def values(self, cell: int) -> Iterator[tuple[LineKind, str, int]]:
        """Each told template with its gravity in a cell: 0 where it was not new or bursting then."""
        for kind, one in self.told.items():
            if one.first <= cell:
                gravity = GRAVITY.get(kind.level, 1)
                yield kind, one.text, gravity if cell in one.cells else 0

    def forget(self, cell: int) -> None:
        """Give places back some time after the last line."""
        self.told = {
            kind: one for kind, one in self.told.items() if max(one.cells, default=0) >= cell - SHOWN_CELLS
        }

    def as_json(self) -> list[list[object]]:
        return [[*kind.as_json(), one.text, one.first, one.cells] for kind, one in self.told.items()]

    @classmethod
    def of_json(cls, places: int, rows: Any) -> Self:
        return cls(places, {LineKind(*row[:3]): Novelty(row[3], row[4], list(row[5])) for row in rows})
