"""From fills to money: every book's statement on the grid, carried on from where it was settled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from collectors.fills.records import Fill, Holding
from domain.series import FloatArray, IntArray
from domain.trading import Statement, Trades, drawdown, statement

BookKey = tuple[str, str, str]
MAX_CELLS = 2_000_000
FORGOTTEN_AFTER_US = 30 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Stand:
    """One book when it was settled: units held, their price then (NaN: unknown), time of its last fill."""

    amount: float
    mark: float
    last: int


@dataclass(frozen=True, slots=True)
class Carry:
    """Where the books stood when they were settled.

    Args:
        settled: microseconds since 1970, at the edge of a cell; earlier fills are in the positions.
        books: where each book stood; flat ones are kept for a while, so that their series do not just end.
        equity: strategy -> gains so far and their highest.
    """

    settled: int
    books: Mapping[BookKey, Stand] = field(default_factory=dict)
    equity: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Mapping[str, Any]) -> Self | None:
        """Read it back; None where nothing was settled yet."""
        if "settled" not in cursor:
            return None
        books = {
            (one[0], one[1], one[2]): Stand(
                float(one[3]), np.nan if one[4] is None else float(one[4]), int(one[5])
            )
            for one in cursor.get("books", ())
        }
        equity = {name: (float(pair[0]), float(pair[1])) for name, pair in cursor.get("equity", {}).items()}
        return cls(int(cursor["settled"]), books, equity)

    def held(self, book: BookKey) -> float:
        """Units of a book."""
        return self.books[book].amount if book in self.books else 0.0

    def as_cursor(self) -> dict[str, Any]:
        return {
            "settled": self.settled,
            "books": [
                [*key, one.amount, None if np.isnan(one.mark) else one.mark, one.last]
                for key, one in sorted(self.books.items())
            ],
            "equity": {name: list(pair) for name, pair in sorted(self.equity.items())},
        }


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells from `start` on, of `step` microseconds each."""

    start: int
    step: int
    n: int

    def edges(self) -> IntArray:
        return self.start + self.step * np.arange(self.n + 1, dtype=np.int64)

    def cell_of(self, at: int) -> int:
        return (at - self.start) // self.step


@dataclass(frozen=True, slots=True)
class Account:
    """All books over one grid.

    Args:
        grid: the cells.
        statements: by book.
        marks: by book, shape (n + 1,), NaN where never known.
        carry: what it started from.
        told: books of which a mid price was known at some fill, so that spread and slippage can be told.
    """

    grid: Grid
    statements: Mapping[BookKey, Statement]
    marks: Mapping[BookKey, FloatArray]
    carry: Carry
    told: frozenset[BookKey]

    def strategies(self) -> list[str]:
        return sorted({book[0] for book in self.statements})

    def of(self, strategy: str) -> list[BookKey]:
        return [book for book in self.statements if book[0] == strategy]

    def pnl(self, strategy: str) -> FloatArray:
        """Gains per cell of all books of a strategy, shape (n,)."""
        total: FloatArray = np.sum([self.statements[book].pnl for book in self.of(strategy)], axis=0)
        return total

    def equity(self, strategy: str) -> FloatArray:
        """All gains so far at the end of each cell, shape (n,)."""
        gains: FloatArray = self.carry.equity.get(strategy, (0.0, 0.0))[0] + np.cumsum(self.pnl(strategy))
        return gains

    def drawdown(self, strategy: str) -> FloatArray:
        """How far gains stand below their highest, shape (n,)."""
        return drawdown(self.equity(strategy), self.carry.equity.get(strategy, (0.0, 0.0))[1])

    def exposure(self, book: BookKey) -> FloatArray:
        """Worth of what is held at the end of each cell, shape (n,)."""
        position = self.statements[book].position
        return np.where(position == 0, 0.0, position * self.marks[book][1:])

    def carried(self, at: int) -> Carry:
        """Where the books stand at the edge of a cell; books that are flat for a month are left behind."""
        k = self.grid.cell_of(at)
        if k <= 0:
            return self.carry
        stands = {book: self._stand(book, k) for book in self.statements if self._begun(book, k)}
        books = {
            book: one for book, one in stands.items() if one.amount or at - one.last < FORGOTTEN_AFTER_US
        }
        equity = dict(self.carry.equity)
        for strategy in self.strategies():
            gains = self.equity(strategy)[:k]
            highest = max(float(gains.max()), equity.get(strategy, (0.0, 0.0))[1])
            equity[strategy] = (float(gains[-1]), highest)
        return Carry(at, books, equity)

    def _begun(self, book: BookKey, k: int) -> bool:
        """Whether a book was known before the grid or traded, or was paid, in its first k cells."""
        one = self.statements[book]
        paid = one.parts["funding"][:k].any()
        return book in self.carry.books or bool(one.fills[:k].any() or paid)

    def _stand(self, book: BookKey, k: int) -> Stand:
        one = self.statements[book]
        before = self.carry.books.get(book)
        traded = np.flatnonzero(one.fills[:k])
        last = before.last if before else self.grid.start
        if len(traded):
            last = self.grid.start + int(traded[-1] + 1) * self.grid.step
        return Stand(float(one.position[k - 1]), float(self.marks[book][k]), last)


class Marks:
    """Prices that positions are valued at: given ones, and those of fills."""

    def __init__(self, given: Iterable[Holding]) -> None:
        self._given: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for one in given:
            self._given.setdefault((one.venue, one.symbol), []).append((one.at, one.price))

    def at(self, edges: IntArray, fills: Sequence[Fill], place: tuple[str, str], before: float) -> FloatArray:
        """The last price known at each edge.

        Args:
            edges: shape (m,), microseconds since 1970, rising.
            fills: of the book.
            place: venue and symbol.
            before: known before the first edge; NaN where none was.

        Returns:
            Shape (m,); what comes before the first known price is that price.
        """
        seen = [
            (one.at, one.mid if np.isfinite(one.mid) else one.price) for one in fills if one.amount
        ] + self._given.get(place, [])
        # Of the same moment, in the order of the fills, and a given mark last.
        seen.sort(key=lambda one: one[0])
        times = np.array([at for at, _ in seen], dtype=np.int64)
        prices = np.array([before, *(price for _, price in seen)], dtype=np.float64)
        found = prices[np.searchsorted(times, edges, side="right")]
        known = np.flatnonzero(np.isfinite(found))
        if len(known) and known[0] > 0:
            found[: known[0]] = found[known[0]]
        elif not len(known) and seen:
            found[:] = seen[0][1]
        return found


def account(fills: Sequence[Fill], marks: Marks, carry: Carry, grid: Grid) -> Account:
    """State every book on the grid.

    Args:
        fills: of all books in the order of time, none before the grid; later ones than the grid are left.
        marks: prices to value at.
        carry: where the books stood at the start of the grid.
        grid: whole cells that are over.
    """
    until = grid.start + grid.step * grid.n
    by_book: dict[BookKey, list[Fill]] = {book: [] for book in carry.books}
    for one in fills:
        if grid.start <= one.at < until:
            by_book.setdefault(one.book, []).append(one)
    edges = grid.edges()
    statements: dict[BookKey, Statement] = {}
    known: dict[BookKey, FloatArray] = {}
    for book, own in by_book.items():
        mark = carry.books[book].mark if book in carry.books else np.nan
        known[book] = marks.at(edges, own, (book[1], book[2]), mark)
        statements[book] = statement(_trades(own, grid), known[book], carry.held(book))
    told = frozenset(
        book
        for book, own in by_book.items()
        if any(np.isfinite(f.mid) or np.isfinite(f.arrival) for f in own)
    )
    return Account(grid, statements, known, carry, told)


def _trades(fills: Sequence[Fill], grid: Grid) -> Trades:
    rows = [
        (grid.cell_of(f.at), f.amount, f.price, f.fee, f.funding, f.mid, f.arrival)
        for f in sorted(fills, key=lambda one: one.at)
    ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 7)
    return Trades(table[:, 0].astype(np.int64), *(table[:, k] for k in range(1, 7)))
