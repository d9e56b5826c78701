"""What a venue keeps a past of, bars and settled funding, read on from where it was read to."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collectors.exchange.bars import Bars, BarSeries, Moment, closed_bars, series_of
from collectors.exchange.clocks import Clocks
from collectors.exchange.contract import Contract
from collectors.exchange.progress import Progress
from collectors.exchange.settings import ExchangeSource
from collectors.exchange.venue import CallFailed, Venue
from collectors.gate import read_number
from collectors.intake import Intake
from domain.errors import SourceError

_HOUR_MS = 3_600_000
_ASK_FUNDING_MS = 900_000
_FUNDING_ROWS = 100
# Share of a bar by which its successor may begin late.
_SLACK = 0.1
_UNITS = {
    "return_bps": "bps",
    "realized_volatility_bps": "bps",
    "volume_ratio": "ratio",
    "bar_gaps": "bars",
    "bar_repeats": "bars",
}


@dataclass(frozen=True, slots=True)
class BarPage:
    """One page of bars was stored up to `end_ms`; `more` where the venue has closed bars beyond it."""

    end_ms: int
    more: bool


class BarHistory:
    """Reads closed bars since the newest stored one.

    Every call asks for as many older bars as the derived series look back on, so that nothing has to be kept.
    """

    def __init__(self, settings: ExchangeSource, venue: Venue) -> None:
        self._settings = settings
        self._venue = venue
        self._lookback = max(settings.volatility_bars, settings.volume_bars) + 1

    def read(
        self, contract: Contract, known_ms: int | None, clocks: Clocks, intake: Intake, deadline: float
    ) -> BarPage:
        """Store the closed bars after `known_ms`, at most one page of them.

        A bar is stamped one millisecond before its end: it measured the time up to then, and nobody knew it
        before.

        Raises:
            CallFailed: the venue has no such bars.
        """
        name, width = self._timeframe()
        over = clocks.over_ms(self._settings.settle_seconds)
        oldest = over - int(self._settings.backfill_hours * _HOUR_MS)
        start = max(oldest, known_ms or 0)
        start -= start % width
        since = start - self._lookback * width
        raw = self._venue.call(
            "bars",
            "fetch_ohlcv",
            contract.symbol,
            name,
            since,
            self._settings.page_bars,
            deadline=deadline,
        )
        if not isinstance(raw, list):
            raise CallFailed(self._settings.name, "bars have an unexpected shape")
        if not raw and known_ms:
            # It was asked for times of which it had bars before.
            raise CallFailed(self._settings.name, "no bars were answered, or none of a known shape")
        bars = closed_bars(raw, width, Moment(over, clocks.venue_ms()), intake.skip)
        new = bars.ends > start
        self._store(contract, bars, new, width, intake)
        reached = int(bars.ends[-1]) if len(bars) else 0
        # Venues cap a page at less than was asked for; the newest bar waits for its successor.
        more = bool(new.any()) and reached + 2 * width <= over
        if not more:
            self._age(contract.symbol, raw, width, clocks, intake)
        return BarPage(max(reached, start), more)

    def _age(self, symbol: str, raw: list[Any], width: int, clocks: Clocks, intake: Intake) -> None:
        """How long a bar is overdue; forming ones count, as they are a sign of life as well.

        A venue begins a bar with its first trade, which takes a while where little is traded: within a tenth
        of a bar nothing is due.
        """
        now = clocks.venue_ms()
        starts = [at for row in raw if row and (at := read_number(row[0])) is not None and at <= now]
        if starts:
            labels = {"venue": self._settings.label, "symbol": symbol, "feed": "bars"}
            age = max(0.0, (now - max(starts) - width * (1 + _SLACK)) / 1_000)
            intake.add(intake.row("feed_age_seconds", labels, unit="s"), clocks.stamp, age)

    def _store(self, contract: Contract, bars: Bars, new: np.ndarray, width: int, intake: Intake) -> None:
        found: BarSeries = series_of(bars, self._settings.volatility_bars, self._settings.volume_bars)
        labels = {"venue": self._settings.label, "symbol": contract.symbol}
        turnover, money = contract.money("volume")
        stored = [("price", contract.quote, found.price), (turnover, money, found.turnover)]
        stored += [(metric, unit, getattr(found, metric)) for metric, unit in _UNITS.items()]
        for metric, unit, values in stored:
            kept = new & np.isfinite(values)
            if kept.any():
                row = intake.row(metric, labels, unit=unit, step_s=width // 1_000)
                stamps = bars.ends[kept] * 1_000 - 1_000
                if row is not None:
                    intake.add_block(np.full(len(stamps), row, dtype=np.int64), stamps, values[kept])

    def _timeframe(self) -> tuple[str, int]:
        """Name and width in milliseconds of the bars; unlike the step, they get a grid of their own."""
        offered = {name: _width_ms(name) for name in self._venue.client.timeframes or {}}
        asked = self._settings.timeframe
        if asked is not None:
            if asked not in offered:
                known = ", ".join(offered)[:100]
                raise CallFailed(
                    self._settings.name, f"has no timeframe {asked}, but {known}", permanent=True
                )
            return asked, _width_ms(asked)
        try:
            return timeframe_within(self._venue.client.timeframes or {}, self._settings.step)
        except ValueError as error:
            raise CallFailed(self._settings.name, str(error), permanent=True) from None


def timeframe_within(offered: Iterable[str], step_s: int) -> tuple[str, int]:
    """Name and milliseconds of the longest bars that fit into a cell; raises ValueError where none do."""
    fitting = {width: name for name in offered if 0 < (width := _width_ms(name)) <= step_s * 1_000}
    if not fitting:
        raise ValueError("has no bars as short as a grid cell")
    return fitting[max(fitting)], max(fitting)


def _width_ms(timeframe: str) -> int:
    """Milliseconds of a timeframe like 5m; 0 for months and weeks, which have no grid since 1970."""
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    return int(timeframe[:-1]) * units.get(timeframe[-1], 0) * 1_000 if timeframe[:-1].isdigit() else 0


class FundingHistory:
    """Reads funding that was settled, a few times an hour at most."""

    def __init__(self, settings: ExchangeSource, venue: Venue) -> None:
        self._settings = settings
        self._venue = venue

    def read(
        self, contract: Contract, progress: Progress, clocks: Clocks, intake: Intake, deadline: float
    ) -> Progress:
        """Store settlements after the newest stored one; returns how far that went."""
        symbol, now = contract.symbol, clocks.ours_ms()
        wanted = "funding" in self._settings.feeds and contract.derivative
        recently = now - progress.asked.get(symbol, 0) < _ASK_FUNDING_MS
        if not wanted or recently or not self._venue.has("fetchFundingRateHistory"):
            return progress
        oldest = now - int(self._settings.backfill_hours * _HOUR_MS)
        since = max(progress.funding.get(symbol, 0) + 1, oldest)
        raw = self._venue.call(
            "settled funding", "fetch_funding_rate_history", symbol, since, _FUNDING_ROWS, deadline=deadline
        )
        if not isinstance(raw, list):
            raise SourceError(self._settings.name, "settled funding has an unexpected shape")
        labels = {"venue": self._settings.label, "symbol": symbol}
        row = intake.row("funding_settled_bps", labels, unit="bps")
        newest = progress.funding.get(symbol, 0)
        for one in raw:
            at, rate = read_number(one.get("timestamp")), read_number(one.get("fundingRate"))
            if at is not None and since <= at <= now:
                intake.add(row, int(at) * 1_000, None if rate is None else rate * 1e4)
                newest = max(newest, int(at))
        funding = {**progress.funding, symbol: newest} if newest else progress.funding
        return replace(progress, funding=funding, asked={**progress.asked, symbol: now})
