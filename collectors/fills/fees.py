"""Fees that were paid in another asset, such as BNB, in dollars at its price then."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from collectors.exchange.contract import DOLLARS
from collectors.fills.records import Fill, Holding

Skip = Callable[[str], None]


def priced_asset(symbol: str) -> str:
    """The asset that a price in dollars is of (`BNB`, `BNB/USDT`, `BNB/USDT:USDT`); empty: of none."""
    asset, _, against = symbol.partition("/")
    return asset if not against or against.partition(":")[0] in DOLLARS else ""


def market_of(asset: str, listed: Iterable[str]) -> str | None:
    """The listed market that tells the price of an asset in dollars, spot before perpetual."""
    names = set(listed)
    wanted = [f"{asset}/{one}" for one in ("USDT", "USDC", "USD")]
    return next((one for one in [*wanted, f"{asset}/USDT:USDT", f"{asset}/USDC:USDC"] if one in names), None)


def in_dollars(fills: Sequence[Fill], marks: Iterable[Holding], skip: Skip) -> list[Fill]:
    """The fills with all fees in dollars.

    A fee in an asset counts at the last price known when it was paid, else at the first one known. Where no
    price is known the fee is left out with a note, as an amount of something else is none of dollars.
    """
    assets = {one.fee_asset for one in fills} - {""}
    prices = _prices(marks, assets) if assets else {}
    return list(_valued(fills, prices, skip))


def _valued(
    fills: Iterable[Fill], prices: Mapping[str, list[tuple[int, float]]], skip: Skip
) -> Iterator[Fill]:
    times = {asset: np.array([at for at, _ in known]) for asset, known in prices.items()}
    for one in fills:
        if not one.fee_asset:
            yield one
        elif one.fee_asset not in prices:
            skip(f"fees left out: paid in {one.fee_asset}, whose price is not known")
            yield replace(one, fee_units=0.0, fee_asset="")
        else:
            last = int(np.searchsorted(times[one.fee_asset], one.at, side="right")) - 1
            price = prices[one.fee_asset][max(0, last)][1]
            yield replace(one, fee=one.fee + one.fee_units * price, fee_units=0.0, fee_asset="")


def _prices(marks: Iterable[Holding], assets: set[str]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for one in marks:
        asset = priced_asset(one.symbol)
        if asset in assets:
            found.setdefault(asset, []).append((one.at, one.price))
    return {asset: sorted(known) for asset, known in found.items()}
