"""Where the money of a book came from, exactly: price move, trading costs, fees and funding."""

from dataclasses import dataclass

import numpy as np

from domain.money import ImpactPart
from domain.series import FloatArray


@dataclass(frozen=True, slots=True)
class Book:
    """Fills of one symbol on one venue, column by column; all arrays have shape (n,).

    Args:
        position: units held before the column's trades.
        previous: mid price at the end of the column before.
        mid: mid price at the end of the column.
        traded: units bought (positive) or sold (negative).
        price: average price of these trades; ignored where nothing was traded.
        fees: paid for them.
        funding: received (positive) or paid (negative).
    """

    position: FloatArray
    previous: FloatArray
    mid: FloatArray
    traded: FloatArray
    price: FloatArray
    fees: FloatArray
    funding: FloatArray

    def equity_change(self) -> float:
        """Change of cash plus change of the position's value at mid prices."""
        cash = -self.traded * np.where(self.traded != 0, self.price, 0.0) - self.fees + self.funding
        value = (self.position + self.traded) * self.mid - self.position * self.previous
        return float((cash + value).sum())


def flows(book: Book) -> dict[str, FloatArray]:
    """Gains per column by factor; together they are the equity change of that column.

    Holding q through a move of the mid gains q * (mid - previous); trading x at a price p instead of the mid
    gains x * (mid - p), which is the spread and slippage paid.
    """
    cost = np.where(book.traded != 0, book.traded * (book.mid - book.price), 0.0)
    return {
        "price move": book.position * (book.mid - book.previous),
        "spread and slippage": cost,
        "fees": -book.fees,
        "funding": book.funding,
    }


def decompose(book: Book) -> tuple[ImpactPart, ...]:
    """Parts that add up to the equity change: what was held moved, what was traded cost, fees, funding."""
    amounts = flows(book)
    return tuple(
        ImpactPart(label="factor", value=name, amount=float(amount.sum())) for name, amount in amounts.items()
    )
