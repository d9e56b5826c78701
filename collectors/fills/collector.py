"""Fills, orders and positions from files that are dropped into a folder."""

from datetime import datetime

from collectors.collector import NO_SAMPLES, Collected, Position
from collectors.fills.books import Account, Carry, Marks, account
from collectors.fills.drops import Drops, none_match
from collectors.fills.fees import in_dollars
from collectors.fills.records import RowReader
from collectors.fills.series import Writer
from collectors.fills.settings import FillsSource
from collectors.fills.stretch import Untold, first_cell, grid_of, settled_at, sharpe_cells
from collectors.intake import Intake
from domain.errors import SourceError
from domain.series import floor_to_step
from domain.timestamps import from_microseconds, to_microseconds

_HOUR_US = 3_600_000_000


class FillsCollector:
    """Reads what was dropped, and writes the cells that it changed.

    The files of the last `settle_hours` are the record: they are held in memory and, after a restart, read
    again. What is older was folded into positions and gains, which are part of the source's position.
    """

    kind = "fills"

    def __init__(self, settings: FillsSource) -> None:
        self.name = settings.name
        self._settings = settings
        limit, mark = settings.max_fills, settings.delimiter
        self._fills = Drops(
            self.name, settings.paths, RowReader.of(settings, settings.columns).fill, mark, limit
        )
        self._orders = Drops(
            self.name, settings.order_paths, RowReader.of(settings, settings.order_columns).order, mark, limit
        )
        self._holdings = Drops(
            self.name,
            settings.position_paths,
            RowReader.of(settings, settings.position_columns).holding,
            mark,
            limit,
        )
        self._marks = Drops(
            self.name, settings.mark_paths, RowReader.of(settings, settings.mark_columns).mark, mark, limit
        )
        self._all = (self._fills, self._orders, self._holdings, self._marks)
        self._floor: int | None = None
        self._untold = Untold()

    def collect(self, since: Position, now: datetime) -> Collected:
        if none_match(self._settings.paths) and self._floor is None:
            raise SourceError(self.name, f"no file matches {', '.join(self._settings.paths)}")
        intake = Intake(self._settings)
        carry = Carry.of(since.cursor)
        self._hold_since(0 if carry is None else carry.settled)
        if not self._read(intake):
            # Half of the fills would give wrong positions: nothing is said before all are there.
            return Collected(NO_SAMPLES, (), since, intake.notes(), more=True)
        if self._fills.useless:
            raise SourceError(self.name, f"no fill can be used: {self._fills.useless}", permanent=True)
        until = to_microseconds(floor_to_step(now, self._settings.step))
        carry = carry or self._beginning(until)
        grid = grid_of(self.name, carry.settled, until, self._settings.step)
        changed = [at for one in self._all if (at := one.changed()) is not None]
        changed = self._untold.add(since, changed, until)
        first = first_cell(self._settings, since, changed, grid, until)
        marks = self._marks.rows()
        fills = in_dollars(self._fills.rows(), marks, intake.skip)
        found = account(fills, Marks(marks), carry, grid)
        self._write(found, first, intake)
        settled = settled_at(self._settings, carry.settled, until)
        return Collected(
            intake.batch(),
            (),
            Position(from_microseconds(until), found.carried(settled).as_cursor()),
            intake.notes(),
        )

    def _hold_since(self, settled: int) -> None:
        """Hold the rows since the last settlement; read all files again where some are missing."""
        if self._floor is None or settled < self._floor:
            for one in self._all:
                one.restart(settled)
        elif settled > self._floor:
            for one in self._all:
                one.settle(settled)
        self._floor = settled

    def _read(self, intake: Intake) -> bool:
        budget = self._settings.max_bytes
        for one in self._all:
            budget = one.refresh(budget, intake.skip)
        return all(one.complete for one in self._all)

    def _beginning(self, until: int) -> Carry:
        first = min([one.at for one in self._fills.rows()[:1]], default=until)
        late = until - int(self._settings.settle_hours * _HOUR_US)
        start = to_microseconds(floor_to_step(from_microseconds(min(first, late)), self._settings.step))
        return Carry(start)

    def _begins(self, found: Account) -> int:
        """The cell of the first record, where nothing was settled before it."""
        if found.carry.books:
            return 0
        times = [rows[0].at for rows in (self._fills.rows(), self._orders.rows()) if rows]
        return found.grid.cell_of(min(times, default=found.grid.start))

    def _write(self, found: Account, first: int, intake: Intake) -> None:
        writer = Writer(found, first, intake, self._begins(found))
        writer.books()
        writer.strategies(sharpe_cells(self._settings))
        writer.slippage()
        writer.fee_rate()
        writer.orders(self._orders.rows())
        writer.mismatches(self._holdings.rows(), self._fills.rows())
