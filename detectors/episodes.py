"""Episodes: from alarmed columns to one anomaly with onset, continuation and end."""

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from detectors.settling import Level

EndReason = Literal["recovered", "new_normal"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One judged cell that matters; plain Python numbers only.

    Args:
        at: start of the cell.
        until: end of the cell.
        score: on the method's own scale.
        surprise: calibrated -log10 of the p-value.
        z: signed size in standard deviations, if the method has one.
        side: "up", "down" or "both".
        value: what was measured, None for a gap.
        low: lower end of the expected band, None where there is none.
        high: upper end of the expected band.
        threshold: what the score had to reach.
        detail: JSON-plain explanation.
    """

    at: datetime
    until: datetime
    score: float
    surprise: float
    z: float | None
    side: str
    value: float | None
    low: float | None
    high: float | None
    threshold: float | None
    detail: dict[str, Any]


@dataclass(slots=True)
class Episode:
    """An anomaly in the making; `ended` is None while it is open, `reason` says why it ended."""

    onset: datetime
    first: Finding
    peak: Finding
    last: datetime
    cells: int = 1
    quiet: int = 0
    ended: datetime | None = None
    changed: bool = True
    since_peak: int = 0
    level: Level | None = None
    reason: EndReason | None = None

    def copy(self) -> "Episode":
        """An independent copy; findings never change."""
        twin = copy.copy(self)
        twin.level = copy.copy(self.level)
        return twin


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things last.

    Args:
        quiet_steps: normal cells that end an episode.
        refractory: silence after an episode for anything weaker.
        merge: a return within this time continues the old episode.
        settled: cells at one level (or without a new peak) that make it the new normal.
    """

    quiet_steps: int
    refractory: timedelta
    merge: timedelta
    settled: int = 24


@dataclass(slots=True)
class Episodes:
    """The last episode of each series of one rule, by row."""

    patience: Patience
    latest: dict[int, Episode] = field(default_factory=dict)
    replaced: list[tuple[int, Episode]] = field(default_factory=list)
    unconfirmed: dict[int, Episode] = field(default_factory=dict)

    def copy(self) -> "Episodes":
        """An independent copy."""
        return Episodes(
            self.patience,
            {row: one.copy() for row, one in self.latest.items()},
            [(row, one.copy()) for row, one in self.replaced],
            {row: one.copy() for row, one in self.unconfirmed.items()},
        )

    def open_rows(self) -> list[int]:
        """Rows with an open episode."""
        return [row for row, one in self.latest.items() if one.ended is None]

    def alarm(self, row: int, finding: Finding, onset: datetime, *, begins: bool = True) -> bool:
        """Take in an alarmed cell; true where it starts a new episode.

        Args:
            row: of the series.
            finding: what is unusual.
            onset: when an episode that it starts began.
            begins: whether it may start one that nobody was told of.
        """
        episode = self.latest.get(row)
        if episode is not None and (
            episode.ended is None or finding.at - episode.last <= self.patience.merge
        ):
            self._continue(episode, finding)
            return False
        told = self.unconfirmed.get(row)
        if not begins and (told is None or finding.until <= told.onset):
            return False
        if episode is None:
            self.latest[row] = Episode(onset, finding, finding, finding.until)
            return True
        silent = finding.at - episode.last < self.patience.refractory
        if silent and finding.surprise <= episode.peak.surprise:
            return False
        start = max(onset, episode.last)
        if episode.changed:
            # Its end was not told yet.
            self.replaced.append((row, episode))
        self.latest[row] = Episode(start, finding, finding, finding.until)
        return True

    def stay(self, row: int, finding: Finding) -> None:
        """A cell still outside its band while the episode is open."""
        episode = self.latest.get(row)
        if episode is not None and episode.ended is None:
            self._continue(episode, finding)

    def calm(self, row: int) -> None:
        """A cell back to normal; ends an open episode after enough of them."""
        episode = self.latest.get(row)
        if episode is None or episode.ended is not None:
            return
        episode.quiet += 1
        if episode.quiet >= self.patience.quiet_steps:
            self._end(episode, "recovered")

    def settle(self, row: int) -> None:
        """What was unusual has become usual; ends an open episode."""
        episode = self.latest.get(row)
        if episode is not None and episode.ended is None:
            self._end(episode, "new_normal")

    def take_over(self, later: "Episodes", *, keep: bool) -> None:
        """Going back from a later state: whoever heard that something began must hear of its end.

        Args:
            later: the state that is left.
            keep: whether its open episodes go on here, as judging the same cells again raises none; else
                they end where judging again does not find them.
        """
        for row in later.open_rows():
            mine, told = self.latest.get(row), later.latest[row].copy()
            if mine is not None and mine.ended is None and told.onset <= mine.last:
                mine.onset = told.onset
            elif keep:
                self.latest[row] = told
            else:
                self.unconfirmed[row] = told

    def _withdraw(self) -> None:
        """End what was told and is not found again; what overlaps with it goes on under its onset."""
        for row, told in self.unconfirmed.items():
            found = self.latest.get(row)
            if found is None or found.last < told.onset:
                self._end(told, "recovered")
                self.replaced.append((row, told))
            else:
                found.onset, found.changed = told.onset, True
        self.unconfirmed = {}

    @staticmethod
    def _end(episode: Episode, reason: EndReason) -> None:
        episode.ended, episode.reason, episode.changed = episode.last, reason, True

    def changed(self) -> list[tuple[int, Episode]]:
        """Episodes that are new, grew or ended since the last call.

        After going back to an earlier state, what was told before is told again; its identity is the same.
        """
        self._withdraw()
        told = [
            *self.replaced,
            *((row, one) for row, one in sorted(self.latest.items()) if one.changed),
        ]
        self.mark_told()
        return told

    def mark_told(self) -> None:
        """Nothing of this is news any more."""
        self.replaced, self.unconfirmed = [], {}
        for one in self.latest.values():
            one.changed = False

    @staticmethod
    def _continue(episode: Episode, finding: Finding) -> None:
        episode.cells += 1
        episode.quiet = 0
        episode.last = max(episode.last, finding.until)
        if episode.ended is not None:
            episode.ended, episode.reason, episode.changed = None, None, True
            episode.since_peak = 0
            if episode.level is not None:
                episode.level.reopen()
        episode.since_peak += 1
        if finding.surprise > episode.peak.surprise:
            episode.peak, episode.since_peak = finding, 0
            episode.changed = True
