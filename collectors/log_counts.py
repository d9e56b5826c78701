"""Log lines counted per grid cell, component, level and template; cells that are over become samples."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

KEPT_CELLS = 3
MAX_COMPONENTS = 200
OTHER = "other"
MAX_CELLS = 20_000
_ALWAYS = ("ERROR", "WARN")
_SPAN = 48
_WARM_UP = 12
_FEWEST = 5


@dataclass(frozen=True, slots=True, order=True)
class LineKind:
    """What is counted: lines of a component, level and template (by its number)."""

    component: str
    level: str
    template: int

    def as_json(self) -> list[object]:
        return [self.component, self.level, self.template]


@dataclass(slots=True)
class Rate:
    """The usual number of lines per cell: a mean that forgets, learnt up to and including `cell`."""

    mean: float
    cells: int
    cell: int
    bursting: bool = False

    def advance(self, cell: int, count: int, factor: float) -> bool:
        """Take the count of a later cell; true where a burst begins. A burst is not learnt from."""
        for _ in range(min(cell - self.cell - 1, _SPAN)):
            self._learn(0)
        self.cell = cell
        over = count >= max(_FEWEST, factor * self.mean, self.mean + 4 * self.mean**0.5)
        burst = over and self.cells >= _WARM_UP
        begins = burst and not self.bursting
        self.bursting = burst
        # After all, what stays high becomes usual; slowly.
        self._learn(min(count, 2 * self.mean + 1) if burst else count)
        return begins

    def _learn(self, count: float) -> None:
        self.cells += 1
        self.mean += (count - self.mean) / min(self.cells, _SPAN)


@dataclass(frozen=True, slots=True)
class Burst:
    """A kind of line came far more often than usual in a cell."""

    kind: LineKind
    cell: int
    count: int
    usual: float


@dataclass(slots=True)
class LogCounts:
    """Counts of cells that are still open, and of the last few closed ones for lines that come late.

    Args:
        boundary: the first cell that is not closed; None before the first line.
        cells: counts by cell.
        pairs: components and levels that have a value in every cell, zero included: those seen so far,
            and warnings and errors of every component, so that a first error leaves a known zero.
        rates: usual counts by kind of line.
    """

    boundary: int | None = None
    cells: dict[int, dict[LineKind, int]] = field(default_factory=dict)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    rates: dict[LineKind, Rate] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)

    def add(self, cell: int, kind: LineKind) -> bool:
        """Count a line; false where it is too late for its cell."""
        if self.boundary is not None and cell < self.boundary - KEPT_CELLS:
            return False
        counts = self.cells.setdefault(cell, {})
        counts[kind] = counts.get(kind, 0) + 1
        self.changed.add(cell)
        self.pairs.update((kind.component, level) for level in (kind.level, *_ALWAYS))
        return True

    def component(self, name: str) -> str:
        """The name, or `other` where there are too many to tell apart."""
        known = {component for component, _ in self.pairs}
        return name if name in known or len(known) < MAX_COMPONENTS else OTHER

    def close(self, until: int) -> Iterator[tuple[int, Mapping[LineKind, int]]]:
        """Close all cells before `until` and yield the counts of each cell that is new or changed.

        Empty cells between two others are yielded too. Closed cells are kept for a while.
        """
        if not self.cells and self.boundary is None:
            return
        fresh = min(self.cells, default=until) if self.boundary is None else self.boundary
        first = max(min(fresh, *self.changed, until), until - MAX_CELLS)
        for cell in range(first, until):
            if cell >= fresh or cell in self.changed:
                yield cell, self.cells.get(cell, {})
        self.boundary = max(fresh, until)
        self.changed = {cell for cell in self.changed if cell >= until}
        for cell in [one for one in self.cells if one < self.boundary - KEPT_CELLS]:
            del self.cells[cell]

    def bursts(self, cell: int, counts: Mapping[LineKind, int], factor: float) -> list[Burst]:
        """Compare a cell with what is usual, and learn from it; a cell is looked at once."""
        found = []
        for kind, count in counts.items():
            rate = self.rates.get(kind)
            if rate is None:
                self.rates[kind] = Rate(float(count), 1, cell)
            elif cell > rate.cell:
                usual = rate.mean
                if rate.advance(cell, count, factor):
                    found.append(Burst(kind, cell, count, usual))
        return found

    def forget(self, templates: Iterable[int]) -> None:
        """Drop rates of templates that are not among those given."""
        kept = set(templates)
        self.rates = {kind: rate for kind, rate in self.rates.items() if kind.template in kept}

    def as_json(self) -> dict[str, Any]:
        return {
            "boundary": self.boundary,
            "cells": [
                [cell, [[*kind.as_json(), count] for kind, count in counts.items()]]
                for cell, counts in self.cells.items()
            ],
            "changed": sorted(self.changed),
            "pairs": sorted(map(list, self.pairs)),
            "rates": [
                [*kind.as_json(), round(rate.mean, 4), rate.cells, rate.cell, rate.bursting]
                for kind, rate in self.rates.items()
            ],
        }

    @classmethod
    def of_json(cls, state: Mapping[str, Any]) -> Self:
        return cls(
            state.get("boundary"),
            {
                cell: {LineKind(*parts[:3]): parts[3] for parts in counts}
                for cell, counts in state.get("cells", ())
            },
            {(component, level) for component, level in state.get("pairs", ())},
            {LineKind(*parts[:3]): Rate(*parts[3:]) for parts in state.get("rates", ())},
            set(state.get("changed", ())),
        )
