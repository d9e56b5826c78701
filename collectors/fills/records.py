"""Rows of files as fills, orders, positions and marks; a row that cannot be used says why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from collectors.exchange.contract import DOLLARS
from collectors.fills.settings import FillsSource
from collectors.gate import OLDEST, TimeUnit, clean_text, read_micros, read_number
from domain.errors import InvalidTimestamp

_BUYS = frozenset({"buy", "b", "bid", "long", "1"})
_SELLS = frozenset({"sell", "s", "ask", "short", "-1"})
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill, or a payment of funding where the amount is 0.

    Args:
        id: unique within the source.
        at: microseconds since 1970.
        book: strategy, venue and symbol.
        amount: units bought (positive) or sold.
        price: per unit; ignored for funding.
        fee: paid, in dollars.
        funding: received (positive) or paid.
        mid: mid price then; NaN where unknown.
        arrival: mid price when it was decided; NaN where unknown.
        fee_units: paid beside it in `fee_asset`, in units of that.
        fee_asset: neither dollars nor what was traded; empty: all is in `fee`.
    """

    id: str
    at: int
    book: tuple[str, str, str]
    amount: float
    price: float
    fee: float = 0.0
    funding: float = 0.0
    mid: float = math.nan
    arrival: float = math.nan
    fee_units: float = 0.0
    fee_asset: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands now; `at` is when it was sent."""

    id: str
    at: int
    strategy: str
    venue: str
    rejected: bool
    amount: float
    filled: float
    ack_ms: float


@dataclass(frozen=True, slots=True)
class Holding:
    """A reported position, or a mark (a price without an amount)."""

    id: str
    at: int
    venue: str
    symbol: str
    amount: float
    price: float


class Unusable(Exception):
    """A row that is left out; the message is for the notes."""


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads rows by their column names.

    Args:
        columns: our name -> the file's.
        strategy: of rows that name none.
        venue: of rows that name none.
        zone: of times without an offset.
        unit: of numeric times.
    """

    columns: Mapping[str, str]
    strategy: str
    venue: str
    zone: ZoneInfo
    unit: TimeUnit

    @classmethod
    def of(cls, settings: FillsSource, columns: Mapping[str, str]) -> "RowReader":
        return cls(
            columns, settings.strategy, settings.venue, ZoneInfo(settings.timezone), settings.time_unit
        )

    def fill(self, row: Row) -> Fill:
        """A row of fills; raises Unusable."""
        amount, funding = self._number(row, "amount", 0.0), self._number(row, "funding", 0.0)
        price = self._number(row, "price", math.nan)
        if amount and not price > 0:
            raise Unusable("rows refused: a fill without a price")
        if not amount and not funding:
            raise Unusable("rows refused: neither amount nor funding")
        fee, fee_units, asset = self._fee(row, price)
        return Fill(
            id=self._text(row, "id"),
            at=self._time(row, "timestamp"),
            book=(
                self._text(row, "strategy", self.strategy),
                self._text(row, "venue", self.venue),
                self._text(row, "symbol"),
            ),
            amount=self._signed(row, amount),
            price=price if amount else 0.0,
            fee=fee,
            funding=funding,
            mid=self._price(row, "mid"),
            arrival=self._price(row, "arrival_mid"),
            fee_units=fee_units,
            fee_asset=asset,
        )

    def _fee(self, row: Row, price: float) -> tuple[float, float, str]:
        """Dollars; and units of another asset with its name, where the fee was paid in one."""
        fee = self._number(row, "fee", 0.0)
        asset = self._text(row, "fee_currency", "").upper()
        if not fee or not asset or asset in DOLLARS:
            return fee, 0.0, ""
        if asset == self._text(row, "symbol").partition("/")[0].upper() and price > 0:
            return fee * price, 0.0, ""
        return 0.0, fee, asset

    def order(self, row: Row) -> Order:
        """A row of orders; raises Unusable."""
        sent = self._time(row, "timestamp")
        ack = self._number(row, "ack_ms", math.nan)
        if math.isnan(ack) and self._given(row, "acknowledged"):
            ack = (self._time(row, "acknowledged") - sent) / 1_000
        return Order(
            id=self._text(row, "id"),
            at=sent,
            strategy=self._text(row, "strategy", self.strategy),
            venue=self._text(row, "venue", self.venue),
            rejected=self._text(row, "status", "").lower().startswith("reject"),
            amount=abs(self._number(row, "amount", 0.0)),
            filled=abs(self._number(row, "filled", 0.0)),
            ack_ms=ack if ack >= 0 else math.nan,
        )

    def holding(self, row: Row) -> Holding:
        """A row of positions; raises Unusable."""
        if not self._given(row, "amount"):
            raise Unusable("rows refused: a position without an amount")
        return self._held(row, self._number(row, "amount", 0.0))

    def mark(self, row: Row) -> Holding:
        """A row of marks; raises Unusable."""
        found = self._held(row, 0.0)
        if not found.price > 0:
            raise Unusable("rows refused: a mark without a price")
        return found

    def _held(self, row: Row, amount: float) -> Holding:
        at, symbol = self._time(row, "timestamp"), self._text(row, "symbol")
        venue = self._text(row, "venue", self.venue)
        return Holding(f"{at} {venue} {symbol}", at, venue, symbol, amount, self._price(row, "price"))

    def _raw(self, row: Row, field: str) -> Any:
        return row.get(self.columns.get(field, field))

    def _given(self, row: Row, field: str) -> bool:
        return self._raw(row, field) not in (None, "")

    def _text(self, row: Row, field: str, default: str | None = None) -> str:
        raw = self._raw(row, field)
        text = "" if raw is None else clean_text(str(raw), _LONGEST)
        if text:
            return text
        if default is None:
            raise Unusable(f"rows refused: no {field}")
        return default

    def _time(self, row: Row, field: str) -> int:
        try:
            found = read_micros(self._raw(row, field), self.zone, self.unit)
        except InvalidTimestamp:
            raise Unusable(f"rows refused: {field} is not a time") from None
        if found < OLDEST:
            raise Unusable(f"rows refused: {field} is in 1970 or before; is time_unit right?")
        return found

    def _number(self, row: Row, field: str, default: float) -> float:
        if not self._given(row, field):
            return default
        found = read_number(self._raw(row, field))
        if found is None:
            # An unknown fee or amount must not pass for nothing.
            raise Unusable(f"rows refused: {field} is no number")
        return found

    def _price(self, row: Row, field: str) -> float:
        found = read_number(self._raw(row, field))
        return found if found is not None and found > 0 else math.nan

    def _signed(self, row: Row, amount: float) -> float:
        side = self._text(row, "side", "").lower()
        if not amount or not side:
            return amount
        if side in _BUYS:
            return abs(amount)
        if side in _SELLS:
            return -abs(amount)
        raise Unusable("rows refused: side is neither buy nor sell")
