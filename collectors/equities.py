"""Bars of equities and indices, symbol by symbol; only what is over is stored."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from collectors.collector import Collected, Position
from collectors.exchange.progress import Progress
from collectors.intake import Intake
from collectors.quotes_client import Chart, NoBars, Quote, QuotesClient
from collectors.settings_equities import EquitiesSource
from domain.errors import SourceError
from domain.market import ratio_to_usual, realized_volatility_bps, returns_bps
from domain.series import FloatArray
from domain.timestamps import from_microseconds, to_microseconds


class EquitiesCollector:
    """Reads one symbol per page; one that is refused is a note and costs the others nothing."""

    kind = "equities"

    def __init__(self, settings: EquitiesSource, client: QuotesClient) -> None:
        self.name = settings.name
        self._settings = settings
        self._client = client
        self._brought = 0
        self._failed: NoBars | None = None

    @classmethod
    def of(cls, settings: EquitiesSource) -> "EquitiesCollector":
        return cls(settings, QuotesClient(settings))

    def collect(self, since: Position, now: datetime) -> Collected:
        symbols = self._settings.symbols
        progress = Progress.of(since, symbols, to_microseconds(now))
        if progress.left == len(symbols):
            self._brought, self._failed = 0, None
        intake = Intake(self._settings)
        symbol = symbols[progress.turn]
        try:
            reached = self._read(symbol, progress.bars.get(symbol), now, intake)
            progress = replace(progress, bars={**progress.bars, symbol: reached})
            self._brought += 1
        except NoBars as error:
            intake.skip(f"calls failed: {error.reason}")
            self._failed = error
        progress = progress.went_on(len(symbols), again=False)
        if progress.left == 0 and not self._brought and self._failed is not None:
            raise SourceError(self.name, self._failed.reason)
        newest = max(progress.bars.values(), default=0)
        watermark = from_microseconds(newest * 1_000) if newest else since.watermark
        return Collected(
            intake.batch(),
            (),
            Position(watermark, progress.as_cursor()),
            intake.notes(),
            more=progress.left > 0,
        )

    def _read(self, symbol: str, known_ms: int | None, now: datetime, intake: Intake) -> int:
        """Store the closed bars after the newest stored one; returns the end of the newest now."""
        settings = self._settings
        oldest = now - timedelta(days=settings.backfill_days)
        start = oldest if known_ms is None else max(oldest, from_microseconds(known_ms * 1_000))
        deadline = time.monotonic() + settings.deadline_seconds
        chart = self._client.bars(symbol, start - self._lookback(), now, deadline)
        closed = closed_quotes(chart.quotes, now, timedelta(minutes=settings.delay_minutes))
        missing = len(chart.quotes) - len(closed)
        if not closed:
            raise NoBars(self.name, f"{symbol}: none of {missing} bars is closed and has a price")
        self._store(symbol, chart, closed, start, intake)
        return to_microseconds(closed[-1].end) // 1_000

    def _lookback(self) -> timedelta:
        """Time that surely holds the bars which derived series look back on: nights and weekends are long."""
        bars = max(self._settings.volatility_bars, self._settings.volume_bars) + 1
        if self._settings.interval == "1d":
            return timedelta(days=bars * 1.6 + 5)
        return timedelta(seconds=bars * self._settings.width_s) + timedelta(days=5)

    def _store(
        self, symbol: str, chart: Chart, closed: Sequence[Quote], start: datetime, intake: Intake
    ) -> None:
        price = np.array([one.close for one in closed], dtype=np.float64)
        volume = np.array([np.nan if one.volume is None else one.volume for one in closed], dtype=np.float64)
        returns = returns_bps(price)
        dollars = chart.currency in {"", "USD"}
        series: tuple[tuple[str, str, FloatArray], ...] = (
            ("price", chart.currency, price),
            ("return_bps", "bps", returns),
            (
                "realized_volatility_bps",
                "bps",
                realized_volatility_bps(returns, self._settings.volatility_bars),
            ),
            ("volume_usd" if dollars else "volume_quote", chart.currency or "USD", volume * price),
            ("volume_ratio", "ratio", ratio_to_usual(volume, self._settings.volume_bars)),
        )
        labels = {"symbol": symbol, "venue": self._settings.venue_label or chart.exchange or "equities"}
        # Within its own time, and after its last trade: nobody knew the bar before.
        stamps = np.array([to_microseconds(one.end) - 1_000 for one in closed], dtype=np.int64)
        new = np.array([one.end > start for one in closed])
        for metric, unit, values in series:
            kept = new & np.isfinite(values)
            row = intake.row(metric, labels, unit=unit, step_s=self._settings.width_s)
            if row is not None and kept.any():
                count = int(kept.sum())
                intake.add_block(np.full(count, row, dtype=np.int64), stamps[kept], values[kept])


def closed_quotes(quotes: Sequence[Quote], now: datetime, delay: timedelta) -> list[Quote]:
    """Bars that cannot change any more, each start once.

    A bar is over when a later one has begun and its end has passed; the last one, after its end and the delay
    of the prices. The service also answers the latest trade as a row of its own, off the grid: no bar.

    Args:
        quotes: in the order of time; of two with the same start the later one stands.
        now: our clock.
        delay: how late prices come.
    """
    by_start = {one.start: one for one in quotes if not (one.start.second or one.start.microsecond)}
    rows = sorted(by_start.values(), key=lambda one: one.start)
    kept = []
    for i, one in enumerate(rows):
        followed = i + 1 < len(rows) and rows[i + 1].start <= now
        over = one.end <= now and (followed or one.end + delay <= now)
        # A bar that the next one overlaps is not what it says it is.
        whole = i + 1 == len(rows) or rows[i + 1].start >= one.end
        if over and whole and one.close is not None and one.close > 0:
            kept.append(one)
    return kept
