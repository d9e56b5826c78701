"""An account at a venue: its fills as gains and positions, its orders, balances and what does not match."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Self

from collectors.collector import Collected, Position
from collectors.exchange.account import AccountReader
from collectors.exchange.bars import Moment, closed_bars
from collectors.exchange.clocks import Clocks
from collectors.exchange.contract import DOLLARS, Contract
from collectors.exchange.history import timeframe_within
from collectors.exchange.venue import CallFailed, Venue
from collectors.fills.books import Account, Carry, Marks, Stand, account
from collectors.fills.fees import in_dollars, market_of
from collectors.fills.records import Fill, Holding, Order
from collectors.fills.series import Writer
from collectors.fills.settings import AccountSource
from collectors.fills.stretch import Untold, first_cell, grid_of, settled_at, sharpe_cells
from collectors.intake import Intake
from collectors.secret import read_secret
from domain.series import floor_to_step
from domain.timestamps import from_microseconds, to_microseconds

_LATE_MS = 900_000
_BARS = 500
_MOST_PAGES = 20


class AccountCollector:
    """Asks for what is new since the last read; after a restart for everything since the last settlement."""

    kind = "account"

    def __init__(
        self, settings: AccountSource, venue: Venue, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._venue = venue
        self._reader = AccountReader(settings, venue)
        self._clocks = Clocks(settings, venue, monotonic)
        self._warned = False
        self._floor: int | None = None
        self._untold = Untold()
        self._forget()

    @classmethod
    def of(cls, settings: AccountSource, environ: Mapping[str, str]) -> Self:
        names = {
            "apiKey": settings.api_key_env,
            "secret": settings.secret_env,
            "password": settings.password_env,
        }
        keys = {
            field: read_secret(environ, variable, settings.name)
            for field, variable in names.items()
            if variable
        }
        return cls(settings, Venue(settings, settings.symbols, keys))

    def collect(self, since: Position, now: datetime) -> Collected:
        intake = Intake(self._settings)
        deadline = self._clocks.begin(now, anew=True)
        self._warn(intake, deadline)
        until = to_microseconds(floor_to_step(now, self._settings.step))
        carry = Carry.of(since.cursor)
        start = settled_at(self._settings, 0, until) if carry is None else carry.settled
        if self._floor is None or start < self._floor:
            self._forget()
        self._floor = start
        contracts = self._contracts(intake, deadline)
        changed = [self._catch_up(one, start, intake, deadline) for one in contracts]
        if carry is None:
            carry = Carry(start, self._opening())
        self._trim(start)
        self._value_fees(start, intake, deadline)
        held = sorted(self._fills.values(), key=lambda one: (one.at, one.id))
        fills = in_dollars(held, self._marks.values(), intake.skip)
        found = account(
            fills, Marks(self._marks.values()), carry, grid_of(self.name, start, until, self._settings.step)
        )
        times = self._untold.add(since, [at for at in changed if at is not None], until)
        first = first_cell(self._settings, since, times, found.grid, until)
        self._write(found, first, fills, intake)
        self._balances(intake, deadline)
        settled = settled_at(self._settings, carry.settled, until)
        return Collected(
            intake.batch(),
            (),
            Position(from_microseconds(until), found.carried(settled).as_cursor()),
            intake.notes(),
        )

    def _forget(self) -> None:
        self._fills: dict[str, Fill] = {}
        self._orders: dict[str, Order] = {}
        self._marks: dict[tuple[str, int], Holding] = {}
        self._holdings: dict[str, Holding] = {}
        self._read_to: dict[str, int] = {}

    def _trim(self, start: int) -> None:
        self._fills = {key: one for key, one in self._fills.items() if one.at >= start}
        self._orders = {key: one for key, one in self._orders.items() if one.at >= start}
        self._marks = {key: one for key, one in self._marks.items() if one.at >= start}
        self._holdings = {key: one for key, one in self._holdings.items() if one.at >= start}
        self._reader.forget()

    def _warn(self, intake: Intake, deadline: float) -> None:
        if not self._warned:
            warning = self._reader.warning(deadline)
            if warning:
                intake.skip(f"warning: {warning}")
            self._warned = True

    def _contracts(self, intake: Intake, deadline: float) -> list[Contract]:
        markets = self._venue.markets(deadline)
        found = []
        for symbol in self._settings.symbols:
            market = markets.get(symbol)
            contract = None if market is None else Contract.of(market)
            if contract is None:
                intake.skip(f"symbols left out: {symbol} is not listed at {self._settings.venue}")
            elif contract.inverse or contract.quote not in DOLLARS:
                intake.skip(f"symbols left out: {symbol} is not settled in dollars")
            else:
                found.append(contract)
        return found

    def _catch_up(self, contract: Contract, start: int, intake: Intake, deadline: float) -> int | None:
        """Ask for one symbol's news; returns the time of the earliest new fill, microseconds since 1970.

        A symbol that is refused stays as it was and is asked for the same stretch again.
        """
        symbol, now_ms = contract.symbol, self._clocks.ours_ms()
        # Fills may be reported late, and orders change after they were sent.
        low = max(start // 1_000, self._read_to.get(symbol, 0) - _LATE_MS)
        try:
            for order in self._reader.orders(symbol, low, now_ms, deadline, intake.skip):
                self._orders[order.id] = order
            fills = self._reader.fills(contract, low, now_ms, deadline, intake.skip)
            self._value(symbol, low, deadline)
            holding = self._reader.holding(contract, now_ms, deadline)
        except CallFailed as error:
            intake.skip(f"calls failed: {symbol}: {error.reason}")
            return None
        if holding is not None:
            self._holdings[symbol] = holding
        new = [one for one in fills if one.id not in self._fills and one.at >= start]
        self._fills.update((one.id, one) for one in new)
        self._read_to[symbol] = now_ms
        return min((one.at for one in new), default=None)

    def _value(self, symbol: str, low: int, deadline: float) -> None:
        """Closes of bars as marks at the end of each cell."""
        try:
            name, width = timeframe_within(self._venue.client.timeframes or {}, self._settings.step)
        except ValueError:
            # Some venues have no bars: positions are then valued at the last fill.
            return
        moment = Moment(self._clocks.over_ms(1), self._clocks.venue_ms())
        begin = low - low % width - width
        for _ in range(_MOST_PAGES):
            rows = self._venue.call("bars", "fetch_ohlcv", symbol, name, begin, _BARS, deadline=deadline)
            bars = closed_bars(rows, width, moment, lambda _: None)
            for end, close in zip(bars.ends.tolist(), bars.close.tolist(), strict=True):
                if math.isfinite(close):
                    mark = Holding("", end * 1_000, self._settings.label, symbol, 0.0, close)
                    self._marks[symbol, end] = mark
            if len(bars) < _BARS // 2:
                return
            begin = int(bars.ends[-1])

    def _value_fees(self, start: int, intake: Intake, deadline: float) -> None:
        """Closes of the assets that fees were paid in besides dollars and the traded unit."""
        for asset in sorted({one.fee_asset for one in self._fills.values()} - {""}):
            symbol = market_of(asset, self._venue.markets(deadline))
            if symbol is None or symbol in self._settings.symbols:
                continue
            now_ms = self._clocks.ours_ms()
            low = max(start // 1_000, self._read_to.get(symbol, 0) - _LATE_MS)
            try:
                self._value(symbol, low, deadline)
            except CallFailed as error:
                intake.skip(f"calls failed: {symbol}: {error.reason}")
            else:
                self._read_to[symbol] = now_ms

    def _opening(self) -> dict[tuple[str, str, str], Stand]:
        """What was held before the first fill that was read: the position now less the fills since."""
        books = {}
        for symbol, held in self._holdings.items():
            traded = sum(one.amount for one in self._fills.values() if one.book[2] == symbol)
            before = held.amount - traded
            if abs(before) > 1e-9 * max(1.0, abs(held.amount)):
                books[self._settings.strategy, self._settings.label, symbol] = Stand(before, math.nan, 0)
        return books

    def _write(self, found: Account, first: int, fills: list[Fill], intake: Intake) -> None:
        writer = Writer(found, first, intake)
        writer.books()
        writer.strategies(sharpe_cells(self._settings))
        writer.fee_rate()
        writer.orders(self._orders.values())
        if found.grid.n:
            # The position is of now; it is compared with the fills of now and stands in the last whole cell.
            last = found.grid.start + found.grid.n * found.grid.step - 1
            writer.mismatches(list(self._holdings.values()), fills, at_latest=last)

    def _balances(self, intake: Intake, deadline: float) -> None:
        try:
            held = self._reader.balances(deadline)
        except CallFailed as error:
            intake.skip(f"calls failed: {error.reason}")
            return
        for asset, amount in sorted(held.items()):
            labels = {"venue": self._settings.label, "asset": asset}
            intake.add(intake.row("balance", labels, unit=asset), self._clocks.stamp, amount)
        dollars = sum(amount for asset, amount in held.items() if asset in DOLLARS)
        if held:
            row = intake.row("cash_usd", {"venue": self._settings.label}, unit="USD")
            intake.add(row, self._clocks.stamp, dollars)
