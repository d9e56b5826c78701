"""What a venue tells the owner of a key: fills, funding, orders, positions, balances, the key's rights."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from collectors.exchange.contract import DOLLARS, Contract
from collectors.exchange.venue import CallFailed, Venue
from collectors.fills.records import Fill, Holding, Order
from collectors.fills.settings import AccountSource
from collectors.gate import clean_text, read_number

# These venues count funding as a cost: positive is paid.
_FUNDING_IS_COST = frozenset({"bybit"})
_MAX_CALLS = 400
_SHORTEST_MS = 1
# Venues bring fewer rows than they are asked for without a word: pages of 50, 100, 200, ... but none of less.
_LEAST_CAP = 50
_OPEN_ORDERS = "fetch_open_orders"
_LONGEST_SLICE_MS = 86_400_000
Skip = Callable[[str], None]


class AccountReader:
    """Reads an account's records of a stretch of time, whole, whatever the venue's page size and order.

    Args:
        settings: of the source.
        venue: with the keys.
    """

    def __init__(self, settings: AccountSource, venue: Venue) -> None:
        self._settings = settings
        self._venue = venue
        self._clients: dict[str, str] = {}
        self._longest: Counter[str] = Counter()

    def orders(self, symbol: str, start: int, end: int, deadline: float, skip: Skip) -> list[Order]:
        """Orders that were sent or changed in [start, end), milliseconds since 1970; raises SourceError."""
        found: dict[str, Order] = {}
        rows: Iterable[Mapping[str, Any]]
        for method in self._order_methods():
            if method == _OPEN_ORDERS:
                rows = self._open(symbol, start, end, deadline, skip)
            else:
                rows = self._whole("orders", method, symbol, start, end, deadline)
            for raw in rows:
                order = self._order(raw)
                if order is not None:
                    found[order.id] = order
        return list(found.values())

    def fills(self, contract: Contract, start: int, end: int, deadline: float, skip: Skip) -> list[Fill]:
        """Fills and funding payments in [start, end), milliseconds since 1970; raises SourceError."""
        symbol = contract.symbol
        raw = self._whole("fills", "fetch_my_trades", symbol, start, end, deadline)
        found = [fill for one in raw if (fill := self._fill(one, contract, skip)) is not None]
        if contract.derivative and self._venue.has("fetchFundingHistory"):
            raw = self._whole("funding payments", "fetch_funding_history", symbol, start, end, deadline)
            found += [fill for one in raw if (fill := self._funding(one, symbol)) is not None]
        return found

    def holding(self, contract: Contract, at_ms: int, deadline: float) -> Holding | None:
        """The reported position of a derivative now, in units of the base; None for spot markets."""
        if not contract.derivative or not self._venue.has("fetchPositions"):
            return None
        symbol = contract.symbol
        rows = self._venue.call("positions", "fetch_positions", [symbol], deadline=deadline)
        amount, mark = 0.0, math.nan
        for one in rows:
            if one.get("symbol") == symbol:
                sign = -1.0 if one.get("side") == "short" else 1.0
                amount += sign * abs(read_number(one.get("contracts")) or 0.0) * contract.size
                mark = read_number(one.get("markPrice")) or mark
        return Holding(f"{at_ms} {symbol}", at_ms * 1_000, self._settings.label, symbol, amount, mark)

    def balances(self, deadline: float) -> dict[str, float]:
        """What the account holds of each asset, without those it holds none of."""
        if not self._venue.has("fetchBalance"):
            return {}
        found = self._venue.call("balances", "fetch_balance", deadline=deadline)
        totals = found.get("total") if isinstance(found, Mapping) else None
        if not isinstance(totals, Mapping):
            raise CallFailed(self._settings.name, "balances have an unexpected shape")
        amounts = {str(name): read_number(amount) for name, amount in totals.items()}
        return {name: amount for name, amount in amounts.items() if amount}

    def warning(self, deadline: float) -> str | None:
        """What a key may do that it should not, where the venue tells."""
        probe = _PROBES.get(self._settings.venue)
        if probe is None:
            return None
        method, read = probe
        try:
            may = read(self._venue.call("the key's permissions", method, deadline=deadline))
        except (CallFailed, LookupError, TypeError, AttributeError):
            return None
        if not may:
            return None
        return f"the key may {' and '.join(may)}: a key that may only read is enough"

    def _order_methods(self) -> list[str]:
        if not self._settings.orders:
            return []
        if self._venue.has("fetchOrders"):
            return ["fetch_orders"]
        closed = "fetchCanceledAndClosedOrders"
        done = "fetch_canceled_and_closed_orders" if self._venue.has(closed) else "fetch_closed_orders"
        return [done, _OPEN_ORDERS]

    def _whole(
        self, what: str, method: str, symbol: str, start: int, end: int, deadline: float
    ) -> Iterator[Mapping[str, Any]]:
        """All rows of a stretch: a page that is full is asked for again in halves.

        Venues cut pages at either end, so that going on after the last row would lose some.
        """
        stretches = [
            (one, min(one + _LONGEST_SLICE_MS, end)) for one in range(start, end, _LONGEST_SLICE_MS)
        ][::-1]
        for _ in range(_MAX_CALLS):
            if not stretches:
                return
            low, high = stretches.pop()
            rows = self._page(what, method, symbol, low, high, deadline)
            if self._may_be_cut(method, len(rows)):
                if any((read_number(row.get("timestamp")) or 0) > high for row in rows):
                    raise CallFailed(self._settings.name, f"{what} cannot be asked for up to a time")
                if high - low > _SHORTEST_MS:
                    middle = (low + high) // 2
                    stretches += [(middle, high), (low, middle)]
                    continue
                if len(rows) >= self._settings.page_rows or len(rows) % _LEAST_CAP == 0:
                    raise CallFailed(self._settings.name, f"{what} of one moment are more than a page holds")
            yield from rows
        raise CallFailed(self._settings.name, f"{what} are more than {_MAX_CALLS} calls bring")

    def _open(
        self, symbol: str, start: int, end: int, deadline: float, skip: Skip
    ) -> list[Mapping[str, Any]]:
        """Orders that are open now: most venues tell them whatever the time, so that halves would not end."""
        rows = self._page("open orders", _OPEN_ORDERS, symbol, start, end, deadline)
        if self._may_be_cut(_OPEN_ORDERS, len(rows)):
            skip(f"open orders left out: {symbol} may have more of them than a page holds")
        return rows

    def _page(
        self, what: str, method: str, symbol: str, low: int, high: int, deadline: float
    ) -> list[Mapping[str, Any]]:
        limit = self._settings.page_rows
        rows = self._venue.call(what, method, symbol, low, limit, {"until": high}, deadline=deadline)
        if not isinstance(rows, list):
            raise CallFailed(self._settings.name, f"{what} have an unexpected shape")
        return [row for row in rows if isinstance(row, Mapping)]

    def _may_be_cut(self, method: str, n_rows: int) -> bool:
        """Whether there may be more rows than these: neither fewer than asked for nor than on other pages."""
        self._longest[method] = max(self._longest[method], n_rows)
        return n_rows >= min(self._settings.page_rows, max(_LEAST_CAP, self._longest[method]))

    def _fill(self, raw: Mapping[str, Any], contract: Contract, skip: Skip) -> Fill | None:
        at, amount, price = (read_number(raw.get(name)) for name in ("timestamp", "amount", "price"))
        if not raw.get("id") or not at or not amount or not price or price <= 0:
            skip("fills refused: without id, time, amount or price")
            return None
        return Fill(
            id=f"{contract.symbol} {raw['id']}",
            at=int(at) * 1_000,
            book=(self._strategy(raw), self._settings.label, contract.symbol),
            amount=(-1 if raw.get("side") == "sell" else 1) * abs(amount) * contract.size,
            price=price,
            **self._fee(raw, contract, price, skip),
        )

    def _fee(self, raw: Mapping[str, Any], contract: Contract, price: float, skip: Skip) -> dict[str, Any]:
        """Dollars, and units of another asset where the venue took some, such as BNB."""
        fees = raw.get("fees") or [raw.get("fee")]
        paid = 0.0
        others: dict[str, float] = {}
        for fee in fees if isinstance(fees, Sequence) else []:
            cost = read_number(fee.get("cost")) if isinstance(fee, Mapping) else None
            if not cost:
                continue
            currency = clean_text(str(fee.get("currency")), 20)
            if currency in DOLLARS or currency == contract.quote:
                paid += cost
            elif currency == contract.symbol.partition("/")[0]:
                paid += cost * price
            else:
                others[currency] = others.get(currency, 0.0) + cost
        asset, units = next(iter(others.items()), ("", 0.0))
        if len(others) > 1:
            skip("fees left out: paid in more than one asset beside dollars")
        return {"fee": paid, "fee_units": units, "fee_asset": asset}

    def _funding(self, raw: Mapping[str, Any], symbol: str) -> Fill | None:
        at, amount = read_number(raw.get("timestamp")), read_number(raw.get("amount"))
        if not at or not amount:
            return None
        received = -amount if self._settings.venue in _FUNDING_IS_COST else amount
        book = (self._settings.strategy, self._settings.label, symbol)
        name = f"{symbol} funding {raw.get('id') or int(at)}"
        return Fill(name, int(at) * 1_000, book, 0.0, 0.0, funding=received)

    def _order(self, raw: Mapping[str, Any]) -> Order | None:
        at = read_number(raw.get("timestamp"))
        if not raw.get("id") or not at:
            return None
        own = str(raw.get("clientOrderId") or "")
        self._clients[str(raw["id"])] = own
        return Order(
            id=str(raw["id"]),
            at=int(at) * 1_000,
            strategy=self._by_prefix(own),
            venue=self._settings.label,
            rejected=raw.get("status") == "rejected",
            amount=abs(read_number(raw.get("amount")) or 0.0),
            filled=abs(read_number(raw.get("filled")) or 0.0),
            ack_ms=math.nan,
        )

    def _strategy(self, raw: Mapping[str, Any]) -> str:
        info = raw.get("info")
        own = info.get("orderLinkId") or info.get("clientOrderId") if isinstance(info, Mapping) else None
        return self._by_prefix(str(own or self._clients.get(str(raw.get("order")), "")))

    def _by_prefix(self, own_id: str) -> str:
        fitting = [one for one in self._settings.strategies if own_id.startswith(one)]
        return self._settings.strategies[max(fitting, key=len)] if fitting else self._settings.strategy

    def forget(self) -> None:
        """Let go of order ids that fills may no longer come for."""
        if len(self._clients) > self._settings.max_fills:
            self._clients.clear()


def _bybit(answer: Mapping[str, Any]) -> list[str]:
    result = answer["result"]
    rights = {right for granted in result.get("permissions", {}).values() for right in granted or ()}
    trades = str(result.get("readOnly")) != "1"
    return [word for word, given in (("trade", trades), ("withdraw", "Withdraw" in rights)) if given]


def _binance(answer: Mapping[str, Any]) -> list[str]:
    trading = ("enableSpotAndMarginTrading", "enableFutures", "enableMargin", "enableVanillaOptions")
    trades = any(answer.get(name) for name in trading)
    return [
        word for word, given in (("trade", trades), ("withdraw", answer.get("enableWithdrawals"))) if given
    ]


def _okx(answer: Mapping[str, Any]) -> list[str]:
    rights = str(answer["data"][0].get("perm", "")).split(",")
    return [word for word in ("trade", "withdraw") if word in rights]


_PROBES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], list[str]]]] = {
    "bybit": ("privateGetV5UserQueryApi", _bybit),
    "binance": ("sapiGetAccountApiRestrictions", _binance),
    "binanceusdm": ("sapiGetAccountApiRestrictions", _binance),
    "binancecoinm": ("sapiGetAccountApiRestrictions", _binance),
    "okx": ("privateGetAccountConfig", _okx),
}
