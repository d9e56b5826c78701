"""Where a book's money came from, cell by cell and exactly: price move, spread, slippage, fees, funding."""

from dataclasses import dataclass

import numpy as np

from domain.series import FloatArray, IntArray

PARTS = ("price", "spread", "slippage", "fees", "funding")


@dataclass(frozen=True, slots=True)
class Trades:
    """Fills and funding payments of one book in the order of time; all arrays have shape (n,).

    Args:
        cell: number of the grid cell that each falls into, never decreasing.
        amount: units bought (positive) or sold (negative); 0 for a payment of funding.
        price: paid per unit; ignored where nothing was traded.
        fee: paid (positive) or got back (negative).
        funding: received (positive) or paid (negative).
        mid: mid price when it was filled; NaN where unknown.
        arrival: mid price when it was decided or sent; NaN where unknown.
    """

    cell: IntArray
    amount: FloatArray
    price: FloatArray
    fee: FloatArray
    funding: FloatArray
    mid: FloatArray
    arrival: FloatArray

    def __len__(self) -> int:
        return len(self.cell)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a book did in each of n cells.

    Args:
        parts: gains by part, each of shape (n,); together they are the change of equity.
        position: units held at the end of each cell, shape (n,).
        traded: units bought less units sold, shape (n,).
        turnover: money that changed hands, shape (n,).
        cost: paid against the mid price (spread and slippage), shape (n,), over `measured` turnover.
        measured: turnover of the fills whose mid price is known, shape (n,).
        fills: how many there were, shape (n,).
    """

    parts: dict[str, FloatArray]
    position: FloatArray
    traded: FloatArray
    turnover: FloatArray
    cost: FloatArray
    measured: FloatArray
    fills: FloatArray

    @property
    def pnl(self) -> FloatArray:
        """Change of equity per cell, shape (n,)."""
        total: FloatArray = np.sum([self.parts[name] for name in PARTS], axis=0)
        return total


def statement(trades: Trades, marks: FloatArray, opening: float) -> Statement:
    """Split a book's gains.

    Holding q through a move of the mark gains q * (end - start). Of a fill of x units at a price p, with the
    mid at m and at a when it was decided, x * (m - p) is the spread, x * (a - m) the slippage, and what the
    mark moved since the decision, x * (end - a), belongs to the price move. What is unknown is taken to be
    the next known: without a mid price, spread and slippage are nothing and the move counts from the price
    paid.

    Args:
        trades: of one book, cells in [0, n).
        marks: shape (n + 1,), the price at the start of the first cell and at the end of every cell; NaN only
            where nothing is held and nothing traded.
        opening: units held before.

    Returns:
        The parts; they add up to cash plus value at marks, exactly but for rounding.
    """
    n = len(marks) - 1
    price = np.where(trades.amount == 0, 0.0, trades.price)
    mid = np.where(np.isfinite(trades.mid), trades.mid, price)
    arrival = np.where(np.isfinite(trades.arrival), trades.arrival, mid)
    known = np.isfinite(trades.mid) | np.isfinite(trades.arrival)
    end = np.where(trades.amount == 0, 0.0, marks[1:][trades.cell])

    def summed(values: FloatArray) -> FloatArray:
        total: FloatArray = np.bincount(trades.cell, weights=values, minlength=n).astype(np.float64)
        return total

    traded = summed(trades.amount)
    position = opening + np.cumsum(traded)
    held = np.concatenate([[opening], position[:-1]]) if n else np.empty(0)
    moved = np.where(held == 0, 0.0, held * np.diff(marks))
    spread, slippage = trades.amount * (mid - price), trades.amount * (arrival - mid)
    turnover = np.abs(trades.amount) * price
    return Statement(
        parts={
            "price": moved + summed(trades.amount * (end - np.where(trades.amount == 0, 0.0, arrival))),
            "spread": summed(np.where(trades.amount == 0, 0.0, spread)),
            "slippage": summed(np.where(trades.amount == 0, 0.0, slippage)),
            "fees": 0.0 - summed(trades.fee),
            "funding": summed(trades.funding),
        },
        position=position,
        traded=traded,
        turnover=summed(turnover),
        cost=0.0 - summed(np.where(known, spread + slippage, 0.0)),
        measured=summed(np.where(known, turnover, 0.0)),
        fills=summed((trades.amount != 0).astype(np.float64)),
    )


def equity_change(trades: Trades, marks: FloatArray, opening: float) -> float:
    """Change of cash plus change of the position's value at marks: what the parts have to add up to."""
    price = np.where(trades.amount == 0, 0.0, trades.price)
    cash = float((-trades.amount * price - trades.fee + trades.funding).sum())
    closing = opening + float(trades.amount.sum())
    before = opening * float(marks[0]) if opening else 0.0
    return cash + (closing * float(marks[-1]) if closing else 0.0) - before


def drawdown(equity: FloatArray, peak: float) -> FloatArray:
    """How far equity stands below its highest so far.

    Args:
        equity: shape (n,).
        peak: the highest before the first.

    Returns:
        Shape (n,), never negative.
    """
    if len(equity) == 0:
        return equity.copy()
    highest = np.maximum(np.maximum.accumulate(equity), peak)
    below: FloatArray = highest - equity
    return below


def rolling_sharpe(pnl: FloatArray, window: int, cells_per_year: float) -> FloatArray:
    """Mean over deviation of the latest gains, per year; no risk-free rate is taken off.

    Args:
        pnl: shape (n,), gains per cell.
        window: how many of the latest cells count.
        cells_per_year: to annualise.

    Returns:
        Shape (n,); NaN before a whole window, and where gains do not vary.
    """
    found = np.full(len(pnl), np.nan)
    if len(pnl) < window:
        return found
    rows = np.lib.stride_tricks.sliding_window_view(np.asarray(pnl, dtype=np.float64), window)
    spread = rows.std(axis=1, ddof=1)
    # What rounding leaves of equal gains is no deviation.
    varied = spread > 1e-12 * np.abs(rows).max(axis=1)
    mean = rows.mean(axis=1)
    found[window - 1 :] = np.where(
        varied, mean / np.where(varied, spread, 1.0) * np.sqrt(cells_per_year), np.nan
    )
    return found
