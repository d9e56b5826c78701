"""What is stored of an account: gains and their parts, positions, exposure, costs, drawdown, Sharpe ratio."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from collectors.fills.books import Account, BookKey
from collectors.fills.records import Fill, Holding, Order
from collectors.intake import Intake
from domain.series import FloatArray, SeriesKind, SourceName
from domain.trading import PARTS, rolling_sharpe

_YEAR_US = 365.25 * 86_400 * 1e6
_TOLD = ("spread", "slippage")
_ROUNDING = 1e-9


class Writer:
    """Writes arrays over the cells of an account into an intake, from one cell on.

    Args:
        account: of all books.
        first: number of the first cell that is written.
        intake: takes the samples.
        begins: number of the cell where the record begins; of earlier ones nothing is known, not even a zero.
    """

    def __init__(self, account: Account, first: int, intake: Intake, begins: int = 0) -> None:
        self._account = account
        self._begins = max(0, begins)
        self._first = max(first, self._begins)
        self._intake = intake
        # Within its cell, at the end: what was done in it was not known before.
        self._stamps = account.grid.edges()[1:] - 1_000

    def write(
        self,
        metric: str,
        labels: Mapping[str, str],
        values: FloatArray,
        unit: str = "",
        source: SourceName | None = None,
    ) -> None:
        """Store the finite values of shape (n,)."""
        kept = np.isfinite(values)
        kept[: self._first] = False
        if not kept.any():
            return
        kind: SeriesKind = "gauge"
        row = self._intake.row(metric, labels, kind=kind, unit=unit, source=source)
        if row is not None:
            count = int(kept.sum())
            self._intake.add_block(np.full(count, row, dtype=np.int64), self._stamps[kept], values[kept])

    def books(self) -> None:
        """Gains, position and trades of each book."""
        for book, one in self._account.statements.items():
            labels = dict(zip(("strategy", "venue", "symbol"), book, strict=True))
            self.write("pnl", labels, one.pnl, "USD", "pnl_data")
            for part in PARTS:
                if part not in _TOLD or book in self._account.told:
                    self.write(f"pnl_{part}", labels, one.parts[part], "USD", "pnl_data")
            self.write("position_units", labels, one.position)
            self.write("inventory_usd", labels, self._account.exposure(book), "USD")
            self.write("traded_usd", labels, one.turnover, "USD")
            self.write("fills", labels, one.fills)

    def strategies(self, sharpe_cells: int) -> None:
        """What is said of a strategy over all its books."""
        account = self._account
        for strategy in account.strategies():
            labels = {"strategy": strategy}
            exposures = [account.exposure(book) for book in account.of(strategy)]
            self.write("gross_exposure_usd", labels, np.sum(np.abs(exposures), axis=0), "USD")
            self.write("net_exposure_usd", labels, np.sum(exposures, axis=0), "USD")
            self.write("drawdown_usd", labels, account.drawdown(strategy), "USD", "pnl_data")
            per_year = _YEAR_US / account.grid.step
            sharpe = np.full(account.grid.n, np.nan)
            known = account.pnl(strategy)[self._begins :]
            sharpe[self._begins :] = rolling_sharpe(known, sharpe_cells, per_year)
            self.write("rolling_sharpe", labels, sharpe, "ratio", "pnl_data")

    def slippage(self) -> None:
        """Cost against the mid price per turnover, by strategy and venue, where mid prices are known."""
        places = {(book[0], book[1]) for book in self._account.told}
        for strategy, venue in sorted(places):
            books = [
                self._account.statements[b] for b in self._account.statements if b[:2] == (strategy, venue)
            ]
            cost = np.sum([one.cost for one in books], axis=0)
            measured = np.sum([one.measured for one in books], axis=0)
            ratio = np.where(measured > 0, cost / np.where(measured > 0, measured, 1.0) * 1e4, np.nan)
            self.write("slippage_bps", {"strategy": strategy, "venue": venue}, ratio, "bps")

    def fee_rate(self) -> None:
        """Fees paid per turnover, by strategy and venue: turnover alone does not move it."""
        for place in sorted({book[:2] for book in self._account.statements}):
            own = [one for book, one in self._account.statements.items() if book[:2] == place]
            paid = -np.sum([one.parts["fees"] for one in own], axis=0)
            turnover = np.sum([one.turnover for one in own], axis=0)
            labels = {"strategy": place[0], "venue": place[1]}
            # A constant rate must look like one, whatever rounding leaves of it.
            self.write("fee_bps", labels, np.round(_ratio(paid, turnover) * 1e4, 6), "bps")

    def orders(self, orders: Iterable[Order]) -> None:
        """Numbers and ratios of orders, by the cell in which they were sent."""
        n = self._account.grid.n
        by_place: dict[tuple[str, str], list[Order]] = {}
        by_venue: dict[str, list[Order]] = {}
        for one in orders:
            if 0 <= self._account.grid.cell_of(one.at) < n:
                by_place.setdefault((one.strategy, one.venue), []).append(one)
                by_venue.setdefault(one.venue, []).append(one)
        for (strategy, venue), own in sorted(by_place.items()):
            labels = {"strategy": strategy, "venue": venue}
            self.write("orders", labels, self._summed(own, [1.0] * len(own)))
            asked = self._summed(own, [0.0 if one.rejected else one.amount for one in own])
            filled = self._summed(own, [0.0 if one.rejected else one.filled for one in own])
            self.write("fill_ratio", labels, _ratio(filled, asked), "ratio")
        for venue, own in sorted(by_venue.items()):
            sent = self._summed(own, [1.0] * len(own))
            rejected = self._summed(own, [float(one.rejected) for one in own])
            self.write("order_reject_ratio", {"venue": venue}, _ratio(rejected, sent), "ratio")
            self.write("order_ack_latency_ms", {"venue": venue}, self._medians(own), "ms")

    def mismatches(
        self, holdings: Sequence[Holding], fills: Sequence[Fill], at_latest: int | None = None
    ) -> None:
        """Reported positions against those that the fills add up to, in money at the mark.

        Args:
            holdings: as reported; each is compared with the fills up to its time.
            fills: all since the account's beginning.
            at_latest: a later report is stored at this time.
        """
        grid, carry = self._account.grid, self._account.carry
        for place in sorted({(one.venue, one.symbol) for one in holdings}):
            reported = [one for one in holdings if (one.venue, one.symbol) == place]
            books = [book for book in self._account.statements if book[1:] == place]
            opening = sum(carry.held(book) for book in books)
            own = sorted((f.at, f.amount) for f in fills if f.book[1:] == place)
            times = np.array([at for at, _ in own], dtype=np.int64)
            held = opening + np.concatenate([[0.0], np.cumsum([amount for _, amount in own])])
            values = np.full(grid.n, np.nan)
            for one in sorted(reported, key=lambda each: each.at):
                cell = grid.cell_of(one.at if at_latest is None else min(one.at, at_latest))
                if 0 <= cell < grid.n:
                    due = held[np.searchsorted(times, one.at, side="right")]
                    off = one.amount - due
                    # What rounding leaves of a long sum is no difference.
                    same = abs(off) <= _ROUNDING * max(1.0, abs(one.amount), abs(due))
                    values[cell] = 0.0 if same else off * self._price(one, books, cell)
            self.write("position_mismatch_usd", {"venue": place[0], "symbol": place[1]}, values, "USD")

    def _price(self, one: Holding, books: Sequence[BookKey], cell: int) -> float:
        if np.isfinite(one.price):
            return one.price
        marks = [float(self._account.marks[book][cell + 1]) for book in books]
        return next((mark for mark in marks if np.isfinite(mark)), np.nan)

    def _summed(self, orders: Sequence[Order], values: Sequence[float]) -> FloatArray:
        cells = np.array([self._account.grid.cell_of(one.at) for one in orders], dtype=np.int64)
        total: FloatArray = np.bincount(
            cells, weights=np.array(values), minlength=self._account.grid.n
        ).astype(np.float64)
        return total

    def _medians(self, orders: Sequence[Order]) -> FloatArray:
        by_cell: dict[int, list[float]] = {}
        for one in orders:
            if np.isfinite(one.ack_ms):
                by_cell.setdefault(self._account.grid.cell_of(one.at), []).append(one.ack_ms)
        found = np.full(self._account.grid.n, np.nan)
        for cell, delays in by_cell.items():
            found[cell] = float(np.median(delays))
        return found


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)
