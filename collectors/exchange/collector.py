"""Market data of a venue, symbol by symbol: one page each, so that a bad one costs the others nothing."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from collectors.collector import Collected, Position
from collectors.exchange.clocks import Clocks
from collectors.exchange.contract import Contract
from collectors.exchange.history import BarHistory, BarPage, FundingHistory
from collectors.exchange.progress import Progress
from collectors.exchange.quotes import Quotes
from collectors.exchange.settings import ExchangeSource
from collectors.exchange.venue import CallFailed, Venue
from collectors.intake import Intake
from domain.errors import SourceError
from domain.timestamps import from_microseconds, to_microseconds

T = TypeVar("T")


class ExchangeCollector:
    """Reads every configured symbol once per read; bars and settled funding are caught up by watermark."""

    kind = "exchange"

    def __init__(
        self, settings: ExchangeSource, venue: Venue, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._venue = venue
        self._monotonic = monotonic
        self._bars = BarHistory(settings, venue)
        self._funding = FundingHistory(settings, venue)
        self._quotes = Quotes(settings, venue)
        self._clocks = Clocks(settings, venue, monotonic)
        self._brought = 0
        self._failed: CallFailed | None = None
        self._broke: tuple[int, int] | None = None

    @classmethod
    def of(cls, settings: ExchangeSource, environ: Mapping[str, str]) -> Self:  # noqa: ARG003 - public data
        return cls(settings, Venue(settings, settings.symbols))

    def collect(self, since: Position, now: datetime) -> Collected:
        symbols = self._settings.symbols
        progress = self._next(Progress.of(since, symbols, to_microseconds(now)))
        begins = progress.left == len(symbols) and not progress.again
        deadline = self._clocks.begin(now, anew=begins)
        intake = Intake(self._settings)
        if begins:
            self._brought, self._failed = 0, None
            self._clocks.compare(intake, deadline)
        before = len(intake)
        turn = progress.turn
        try:
            progress, newest = self._turn(symbols[turn], progress, intake, deadline)
        except SourceError as error:
            # Whoever asks us to wait is asked for the same symbol later; else the others come first.
            self._broke = None if error.retry_after is not None else (progress.read_at, turn)
            raise
        self._broke = None
        self._brought += len(intake) - before
        if progress.left == 0 and not self._brought and self._failed is not None:
            raise SourceError(self.name, self._failed.reason, permanent=self._failed.permanent)
        return Collected(
            intake.batch(),
            (),
            Position(self._reached(since, newest), progress.as_cursor()),
            intake.notes(),
            more=progress.left > 0,
        )

    def _next(self, progress: Progress) -> Progress:
        """A read does not begin with the symbol at which the last one broke off, but with the one after it.

        Told by what broke off and not by the cursor, which stays where it was while nothing is read.
        """
        broke, n_symbols = self._broke, len(self._settings.symbols)
        if broke is None or progress.again or progress.left < n_symbols:
            return progress
        read_at, turn = broke
        # The same read once more is another try of the same symbol.
        return replace(progress, turn=turn if read_at == progress.read_at else (turn + 1) % n_symbols)

    def _turn(self, symbol: str, progress: Progress, intake: Intake, deadline: float) -> tuple[Progress, int]:
        """All feeds of one symbol; one that is refused is a note and costs the others nothing."""
        failures: list[CallFailed] = []
        visit = _Visit(progress)
        contract = self._tried(lambda: self._contract(symbol, deadline), failures)
        if contract is not None:
            self._read(contract, visit, failures, intake, deadline)
        for failure in failures:
            intake.skip(f"calls failed: {symbol}: {failure.reason}")
            self._failed = failure
        return visit.progress.went_on(len(self._settings.symbols), again=visit.again), visit.newest

    def _contract(self, symbol: str, deadline: float) -> Contract:
        market = self._venue.markets(deadline).get(symbol)
        if market is None:
            raise CallFailed(self.name, f"{symbol} is not listed at {self._settings.venue}", permanent=True)
        contract = Contract.of(market)
        if not contract.active:
            raise CallFailed(self.name, f"{symbol} does not trade at {self._settings.venue}", permanent=True)
        return contract

    def _read(
        self, contract: Contract, visit: "_Visit", failures: list[CallFailed], intake: Intake, deadline: float
    ) -> None:
        clocks, symbol = self._clocks, contract.symbol
        going_on = visit.progress.again
        if "bars" in self._settings.feeds:
            known = visit.progress.bars.get(symbol)
            page = self._tried(lambda: self._bars.read(contract, known, clocks, intake, deadline), failures)
            if page is not None:
                visit.stored(symbol, page)
        if going_on:
            return
        for feed in self._quotes.feeds(contract):
            visit.saw(self._tried(partial(feed, clocks, intake, deadline), failures))
        progress = visit.progress
        read = self._tried(lambda: self._funding.read(contract, progress, clocks, intake, deadline), failures)
        visit.progress = read or progress

    def _tried(self, call: Callable[[], T], failures: list[CallFailed]) -> T | None:
        try:
            return call()
        except CallFailed as error:
            failures.append(error)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            failures.append(CallFailed(self.name, f"unexpected shape of an answer ({type(error).__name__})"))
        return None

    def _reached(self, since: Position, newest_ms: int) -> datetime | None:
        """The time of the newest data so far; never later than our clock."""
        if not newest_ms:
            return since.watermark
        reached = from_microseconds(min(newest_ms, self._clocks.ours_ms()) * 1_000)
        return reached if since.watermark is None else max(since.watermark, reached)


@dataclass(slots=True)
class _Visit:
    """What one turn of a symbol came to."""

    progress: Progress
    newest: int = 0
    again: bool = False

    def stored(self, symbol: str, page: BarPage) -> None:
        self.progress = replace(self.progress, bars={**self.progress.bars, symbol: page.end_ms})
        self.saw(page.end_ms)
        self.again = page.more

    def saw(self, at_ms: int | None) -> None:
        self.newest = max(self.newest, at_ms or 0)
