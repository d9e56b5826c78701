"""What a PnL consists of, where it was recorded: series of its parts, or the fills behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.evidence.book import Book, flows
from agent.vocabulary import kind_of, words
from domain.series import FloatArray, Series, SeriesKey, Window

Labels = tuple[tuple[str, str], ...]
# What the words in the names of parts stand for: `pnl_fees` and `fee_pnl` are the fees in `pnl`.
FACTORS: Mapping[str, str] = {
    **dict.fromkeys(("price", "mark", "inventory", "market"), "price move"),
    **dict.fromkeys(("spread", "edge"), "spread earned"),
    **dict.fromkeys(("fee", "fees", "commission", "commissions"), "fees"),
    "funding": "funding",
    **dict.fromkeys(("slippage", "impact"), "slippage"),
}
_UNITS = frozenset({"usd", "usdt", "usdc"})
# Fills column by column, beside `fees` and `funding`: metric names that a source may use.
_POSITION, _TRADED, _FILL_PRICE = "position_units", "traded_units", "fill_price"
_MID = ("mid_price", "price")


@dataclass(frozen=True, slots=True)
class Part:
    """Gains per column, of shape (n,), of one factor under the labels of the PnL that it is a part of."""

    labels: Labels
    factor: str
    values: FloatArray


def set_apart(window: Window) -> tuple[Window, tuple[Part, ...]]:
    """The window without series that are parts of a PnL which is there too, and those parts.

    A part is an outcome told twice: it explains where the money went, and is neither a cause nor a symptom.
    """
    money = [i for i, one in enumerate(window.series) if kind_of(one.key).name == "pnl"]
    totals: dict[Labels, list[frozenset[str]]] = {}
    for i in money:
        totals.setdefault(window.series[i].key.labels, []).append(_tokens(window.series[i].key))
    parts = {
        i: factor
        for i in money
        if (factor := _factor(window.series[i].key, totals[window.series[i].key.labels])) is not None
    }
    if not parts:
        return window, ()
    rest = window.select([i for i in range(len(window.series)) if i not in parts])
    told = (Part(window.series[i].key.labels, factor, window.values[i]) for i, factor in parts.items())
    return rest, tuple(told)


def _tokens(key: SeriesKey) -> frozenset[str]:
    return frozenset(words(key.metric).split("_")) - _UNITS


def _factor(key: SeriesKey, totals: Sequence[frozenset[str]]) -> str | None:
    """The factor that a metric's name adds to that of a total with the same labels; None for a total."""
    mine = _tokens(key)
    for total in totals:
        added = mine - total
        if total < mine and len(added) == 1 and (word := next(iter(added))) in FACTORS:
            return FACTORS[word]
    return None


def parts_of_fills(window: Window, leaves: Sequence[Series]) -> Iterator[Part]:
    """The parts of each leaf of which position, trades and prices are held, by exact bookkeeping."""
    for leaf in leaves:
        book = _book(window, leaf.key)
        if book is not None:
            for factor, values in flows(book).items():
                yield Part(leaf.key.labels, factor, values)


def _book(window: Window, leaf: SeriesKey) -> Book | None:
    def held(metric: str, labels: Labels) -> FloatArray | None:
        name = SeriesKey(metric, labels).name
        return window.row(name) if name in window.positions else None

    place = tuple(pair for pair in leaf.labels if pair[0] in {"venue", "symbol"})
    position, traded, price = (held(one, leaf.labels) for one in (_POSITION, _TRADED, _FILL_PRICE))
    mid = next((found for one in _MID if (found := held(one, place)) is not None), None)
    if position is None or traded is None or price is None or mid is None:
        return None
    fees, funding = held("fees", leaf.labels), held("funding", leaf.labels)
    nothing = np.zeros(len(mid))
    previous = np.concatenate([[np.nan], mid[:-1]])
    return Book(
        position=np.concatenate([[np.nan], position[:-1]]),
        previous=previous,
        mid=mid,
        traded=traded,
        price=price,
        fees=nothing if fees is None else fees,
        funding=nothing if funding is None else funding,
    )
