"""What a venue says of now: quotes, book, funding and open interest."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from collectors.exchange.clocks import Clocks
from collectors.exchange.contract import Contract
from collectors.exchange.settings import ExchangeSource
from collectors.exchange.venue import CallFailed, Venue
from collectors.gate import read_number
from collectors.intake import Intake
from domain.market import BPS, book_imbalance

Feed = Callable[[Clocks, Intake, float], int]
# One refusal may be a bad moment of the venue.
_SURE_AFTER = 2


class Quotes:
    """Reads the present of one symbol; every feed returns the venue's own time of what it read, or 0."""

    def __init__(self, settings: ExchangeSource, venue: Venue) -> None:
        self._settings = settings
        self._venue = venue
        self._last: dict[str, float | None] = {}
        self._depth_refused: Counter[str] = Counter()

    def feeds(self, contract: Contract) -> Iterator[Feed]:
        """The configured feeds that this symbol has at this venue."""
        wanted = self._settings.feeds
        if "ticker" in wanted:
            yield partial(self._ticker, contract)
        if "book" in wanted:
            yield partial(self._book, contract)
        if "funding" in wanted and contract.derivative and self._venue.has("fetchFundingRate"):
            yield partial(self._funding, contract)
        if "open_interest" in wanted and contract.derivative and self._venue.has("fetchOpenInterest"):
            yield partial(self._open_interest, contract)

    def _ticker(self, contract: Contract, clocks: Clocks, intake: Intake, deadline: float) -> int:
        found = self._asked("the ticker", "fetch_ticker", contract.symbol, deadline=deadline)
        last = _above_zero(found.get("last"))
        turnover = read_number(found.get("quoteVolume"))
        if turnover is None and last is not None:
            base = read_number(found.get("baseVolume"))
            turnover = None if base is None else base * last
        note = partial(self._note, contract.symbol, clocks, intake)
        if "bars" not in self._settings.feeds:
            note("price", last, contract.quote)
        name, unit = contract.money("volume_24h")
        note(name, turnover, unit)
        self._last[contract.symbol] = last
        if "book" not in self._settings.feeds:
            bid, ask = _above_zero(found.get("bid")), _above_zero(found.get("ask"))
            if bid and ask and ask >= bid:
                note("spread_bps", (ask - bid) / ((ask + bid) / 2) * BPS, "bps")
        return self._age(contract.symbol, "ticker", found, clocks, intake)

    def _book(self, contract: Contract, clocks: Clocks, intake: Intake, deadline: float) -> int:
        found = self._levels_of(contract.symbol, deadline)
        bids, asks = _levels(found.get("bids")), _levels(found.get("asks"))
        if not bids or not asks:
            raise CallFailed(self._settings.name, "the book has an empty side")
        bid, ask = max(bids)[0], min(asks)[0]
        if bid > ask:
            raise CallFailed(self._settings.name, "the book is crossed")
        mid = (bid + ask) / 2
        reach = mid * self._settings.depth_bps / BPS
        below = sum(contract.worth_one(amount, price) for price, amount in bids if price >= mid - reach)
        above = sum(contract.worth_one(amount, price) for price, amount in asks if price <= mid + reach)
        note = partial(self._note, contract.symbol, clocks, intake)
        if not {"bars", "ticker"} & set(self._settings.feeds):
            note("price", mid, contract.quote)
        note("spread_bps", (ask - bid) / mid * BPS, "bps")
        name, unit = contract.money("depth")
        note(name, below + above, unit)
        imbalance = book_imbalance(below, above)
        if math.isfinite(imbalance):
            note("book_imbalance", imbalance, "ratio")
        return self._age(contract.symbol, None, found, clocks, intake)

    def _levels_of(self, symbol: str, deadline: float) -> Mapping[str, Any]:
        """The book; some venues know only certain numbers of levels, and then choose themselves."""
        refused = self._depth_refused
        if refused[symbol] >= _SURE_AFTER:
            return self._asked("the book", "fetch_order_book", symbol, deadline=deadline)
        try:
            levels = self._settings.book_levels
            found = self._asked("the book", "fetch_order_book", symbol, levels, deadline=deadline)
        except CallFailed:
            found = self._asked("the book", "fetch_order_book", symbol, deadline=deadline)
            refused[symbol] += 1
        else:
            refused[symbol] = 0
        return found

    def _funding(self, contract: Contract, clocks: Clocks, intake: Intake, deadline: float) -> int:
        found = self._asked("the funding rate", "fetch_funding_rate", contract.symbol, deadline=deadline)
        rate = read_number(found.get("fundingRate"))
        mark, index = _above_zero(found.get("markPrice")), _above_zero(found.get("indexPrice"))
        note = partial(self._note, contract.symbol, clocks, intake)
        note("funding_rate_bps", None if rate is None else rate * BPS, "bps")
        if mark and index:
            note("basis_bps", (mark / index - 1) * BPS, "bps")
        return 0

    def _open_interest(self, contract: Contract, clocks: Clocks, intake: Intake, deadline: float) -> int:
        found = self._asked("open interest", "fetch_open_interest", contract.symbol, deadline=deadline)
        value = read_number(found.get("openInterestValue"))
        amount = read_number(found.get("openInterestAmount"))
        if value is None and amount is None:
            raise CallFailed(self._settings.name, "open interest holds no number")
        last = self._last.get(contract.symbol)
        if value is None and amount is not None and last is not None:
            value = contract.worth_one(amount, last)
        name, unit = contract.money("open_interest")
        if value is None:
            name, unit = "open_interest_units", ""
        self._note(contract.symbol, clocks, intake, name, amount if value is None else value, unit)
        return 0

    def _asked(self, what: str, method: str, *arguments: Any, deadline: float) -> Mapping[str, Any]:
        found = self._venue.call(what, method, *arguments, deadline=deadline)
        if not isinstance(found, Mapping):
            raise CallFailed(self._settings.name, f"{what} has an unexpected shape")
        return found

    def _note(
        self, symbol: str, clocks: Clocks, intake: Intake, metric: str, value: object, unit: str | None = None
    ) -> None:
        labels = {"venue": self._settings.label, "symbol": symbol}
        intake.add(intake.row(metric, labels, unit=unit), clocks.stamp, value)

    def _age(
        self, symbol: str, feed: str | None, found: Mapping[str, Any], clocks: Clocks, intake: Intake
    ) -> int:
        """Note how old the venue's answer was on the venue's own clock; returns its time."""
        at = _above_zero(found.get("timestamp"))
        if at is None:
            return 0
        labels = {"venue": self._settings.label, "symbol": symbol} | ({"feed": feed} if feed else {})
        age = (clocks.venue_ms() - at) / 1_000
        intake.add(intake.row("feed_age_seconds", labels, unit="s"), clocks.stamp, max(0.0, age))
        return int(at)


def _above_zero(raw: object) -> float | None:
    number = read_number(raw)
    return number if number is not None and number > 0 else None


def _levels(raw: object) -> list[tuple[float, float]]:
    """Price and amount of the levels that hold both."""
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        return []
    found = []
    for level in raw:
        price, amount = _above_zero(level[0]), _above_zero(level[1])
        if price is not None and amount is not None:
            found.append((price, amount))
    return found
