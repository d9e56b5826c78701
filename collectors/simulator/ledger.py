"""The desk's own database: PnL with its parts and fills, in SQLite."""

import sqlite3
from pathlib import Path
from typing import Final

import numpy as np

from collectors.simulator.books import PARTS
from collectors.simulator.desk import Block
from collectors.simulator.exposition import rfc3339_column
from collectors.simulator.layout import (
    CELL_BOOK,
    CELL_LINK,
    CELL_STRATEGY,
    CELL_SYMBOL,
    CELL_VENUE,
    CELLS,
    plan_column,
)
from domain.series import FloatArray

_SCHEMA: Final = """
CREATE TABLE pnl (
    ts TEXT NOT NULL, strategy TEXT NOT NULL, venue TEXT NOT NULL, symbol TEXT NOT NULL, pnl REAL NOT NULL,
    price_pnl REAL NOT NULL, spread_pnl REAL NOT NULL, fees REAL NOT NULL, funding REAL NOT NULL,
    slippage REAL NOT NULL, PRIMARY KEY (ts, strategy, venue, symbol)
) WITHOUT ROWID;
CREATE TABLE fills (
    ts TEXT NOT NULL, strategy TEXT NOT NULL, venue TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
    price REAL NOT NULL, quantity REAL NOT NULL, notional REAL NOT NULL, fee REAL NOT NULL,
    orders INTEGER NOT NULL, PRIMARY KEY (ts, strategy, venue, symbol, side)
) WITHOUT ROWID;
"""
_SIDES: Final = ("buy", "sell")


class DeskDatabase:
    """Writes blocks of the desk; readers see whole steps only. Used by one thread."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._connection = sqlite3.connect(path)
        # A simulated desk can be made again: speed counts, a power cut does not.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_SCHEMA)

    def append(self, block: Block, fills_from_row: int = 0) -> None:
        """Write PnL of all steps and fills of the steps from `fills_from_row` on, in one transaction."""
        stamps = rfc3339_column(block.seconds)
        with self._connection:
            self._connection.executemany(
                f"INSERT INTO pnl VALUES ({','.join('?' * 10)})",  # noqa: S608 - placeholders only
                _pnl_rows(block, stamps),
            )
            self._connection.executemany(
                f"INSERT INTO fills VALUES ({','.join('?' * 10)})",  # noqa: S608 - placeholders only
                _fill_rows(block, stamps, fills_from_row),
            )

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in."""
        self._connection.close()


def _pnl_rows(block: Block, stamps: list[str]) -> list[tuple[object, ...]]:
    money = np.stack([block.books.pnl, *(block.books.parts[name] for name in PARTS)], axis=2).tolist()
    return [
        (stamp, *cell, *amounts)
        for stamp, row in zip(stamps, money, strict=True)
        for cell, amounts in zip(CELLS, row, strict=True)
    ]


def _fill_rows(block: Block, stamps: list[str], first: int) -> list[tuple[object, ...]]:
    notional = block.trades.notional[first:]
    venues = np.bincount(CELL_BOOK)[CELL_BOOK]
    net = np.clip(block.books.traded[first:, CELL_BOOK] / venues, -notional, notional)
    middle = block.market.prices[first:, CELL_VENUE, CELL_SYMBOL]
    cost = block.trades.slippage_bps[first:, CELL_LINK] * 1e-4
    orders = np.ceil(notional / np.maximum(block.trades.order_size[first:, CELL_BOOK], 1) / 2)
    fee = plan_column("fee_bps", CELL_STRATEGY) * 1e-4
    rows: list[tuple[object, ...]] = []
    for sign, side in ((1, _SIDES[0]), (-1, _SIDES[1])):
        amount = np.round((notional + sign * net) / 2, 2)
        price = np.round(middle * (1 + sign * cost), 4)
        columns = (price, np.round(amount / price, 8), amount, np.round(amount * fee, 4), orders)
        rows += _side_rows(stamps[first:], side, columns)
    return rows


def _side_rows(stamps: list[str], side: str, columns: tuple[FloatArray, ...]) -> list[tuple[object, ...]]:
    cells = np.stack(columns, axis=2).tolist()
    return [
        (stamp, *cell, side, price, quantity, amount, fee, int(orders))
        for stamp, row in zip(stamps, cells, strict=True)
        for cell, (price, quantity, amount, fee, orders) in zip(CELLS, row, strict=True)
        if amount > 0
    ]
