"""Bars as they can be trusted: closed ones only, in order, each once; with what follows from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from collectors.gate import read_number
from domain.market import ratio_to_usual, realized_volatility_bps, returns_bps
from domain.series import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Bars:
    """Closed bars on a grid without holes; NaN where the venue had none.

    Args:
        ends: shape (n,), milliseconds since 1970 at which each bar ended, one timeframe apart.
        close: shape (n,).
        volume: shape (n,), in units of the base currency, as ccxt gives it for every kind of market.
        repeated: shape (n,), 1 where a bar says the same five numbers as the last one before it although
            something was traded, else 0.
    """

    ends: IntArray
    close: FloatArray
    volume: FloatArray
    repeated: FloatArray

    def __len__(self) -> int:
        return len(self.ends)


@dataclass(frozen=True, slots=True)
class _Row:
    start: int
    close: float
    volume: float
    numbers: tuple[float | None, ...]

    def repeats(self, before: "_Row | None") -> bool:
        # Without trades a bar is the last price again; two with the same trades there are hardly ever.
        return before is not None and self.volume > 0 and self.numbers == before.numbers


@dataclass(frozen=True, slots=True)
class Moment:
    """When an answer was given.

    Args:
        over_ms: what ended by then is over on the venue's clock and on ours.
        now_ms: the venue's clock; no bar can have begun later.
    """

    over_ms: int
    now_ms: int


def closed_bars(raw: Sequence[object], width_ms: int, moment: Moment, skip: Callable[[str], None]) -> Bars:
    """Read the rows that a venue answered.

    A bar that still forms is left out, as its numbers change until it ends. It counts as closed when its end
    is over on both clocks and the venue has begun a later bar: a feed that froze shows its last bar half done
    for ever.

    Args:
        raw: rows of start in milliseconds, open, high, low, close, volume, in any order; of two rows with the
            same start the later one stands.
        width_ms: of a bar.
        moment: of the answer.
        skip: told the reason for every row that cannot be used.
    """
    found: dict[int, _Row] = {}
    for one in raw:
        row = _row(one, width_ms)
        if isinstance(row, str):
            skip(row)
        elif row.start > moment.now_ms:
            skip("bars refused: they begin in the future")
        else:
            found[row.start] = row
    newest = max(found, default=0)
    found = {
        start: row for start, row in found.items() if start + width_ms <= moment.over_ms and start < newest
    }
    if not found:
        empty = np.empty(0)
        return Bars(np.empty(0, dtype=np.int64), empty, empty, empty)
    first, last = min(found), max(found)
    starts = np.arange(first, last + 1, width_ms, dtype=np.int64)
    close, volume, repeated = (np.full(len(starts), np.nan) for _ in range(3))
    before = None
    for start in sorted(found):
        kept, position = found[start], (start - first) // width_ms
        close[position], volume[position] = kept.close, kept.volume
        repeated[position] = kept.repeats(before)
        before = kept
    return Bars(starts + width_ms, close, volume, repeated)


def _row(one: object, width_ms: int) -> _Row | str:
    if not isinstance(one, Sequence) or isinstance(one, str) or len(one) < 6:
        return "bars refused: not a row of six"
    numbers = [read_number(cell) for cell in one[:6]]
    start, opened, high, low, close, volume = numbers
    if start is None or start <= 0 or start % width_ms:
        return "bars refused: the start is not on the timeframe's grid"
    if close is None or close <= 0:
        return "bars refused: no close"
    prices = [price for price in (opened, close) if price is not None]
    if high is not None and low is not None and not all(low <= price <= high for price in prices):
        return "bars refused: prices outside low and high"
    return _Row(int(start), close, np.nan if volume is None or volume < 0 else volume, tuple(numbers[1:]))


@dataclass(frozen=True, slots=True)
class BarSeries:
    """What is stored of bars: arrays of shape (n,), NaN where not known.

    Args:
        price: close.
        return_bps: against the bar before.
        realized_volatility_bps: of the latest returns.
        turnover: volume in money of the quote.
        volume_ratio: volume against the usual one.
        bar_gaps: how many bars are missing between this one and the last before it.
        bar_repeats: 1 where a bar repeats the one before.
    """

    price: FloatArray
    return_bps: FloatArray
    realized_volatility_bps: FloatArray
    turnover: FloatArray
    volume_ratio: FloatArray
    bar_gaps: FloatArray
    bar_repeats: FloatArray


def series_of(bars: Bars, volatility: int, usual: int) -> BarSeries:
    """Derive the series of bars; each value from its bar and those before.

    Args:
        bars: on a grid without holes.
        volatility: bars over which volatility is realised.
        usual: bars whose median is the usual volume.
    """
    returns = returns_bps(bars.close)
    return BarSeries(
        price=bars.close,
        return_bps=returns,
        realized_volatility_bps=realized_volatility_bps(returns, volatility),
        turnover=bars.volume * bars.close,
        volume_ratio=ratio_to_usual(bars.volume, usual),
        bar_gaps=_missing_before(bars.close),
        bar_repeats=bars.repeated,
    )


def _missing_before(close: FloatArray) -> FloatArray:
    """Shape (n,): bars missing since the last one, at every bar that is there; NaN at those that are not."""
    there = np.flatnonzero(np.isfinite(close))
    missing = np.full(len(close), np.nan)
    missing[there] = np.diff(there, prepend=there[:1] - 1) - 1
    return missing
