"""How far each symbol of a venue was read, and whose turn it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from collectors.collector import Position
from domain.timestamps import to_microseconds


@dataclass(frozen=True, slots=True)
class Progress:
    """The cursor of an exchange source.

    A read goes once round all symbols, starting where the last one broke off, so that a venue that stops
    answering half way does not starve the same symbols every time.

    Args:
        turn: number of the symbol that is read next.
        left: how many symbols this read still has to visit.
        read_at: time of the read that this belongs to, in microseconds since 1970.
        again: true where this turn only goes on with the symbol's bars.
        bars: symbol -> end of its newest stored bar, milliseconds since 1970.
        funding: symbol -> time of its newest stored settlement.
        asked: symbol -> when settlements were last asked for.
    """

    turn: int
    left: int
    read_at: int
    again: bool
    bars: Mapping[str, int]
    funding: Mapping[str, int]
    asked: Mapping[str, int]

    @classmethod
    def of(cls, since: Position, symbols: Sequence[str], now_micros: int) -> Self:
        """Where to go on; a new read starts its round at the symbol whose turn it is."""
        cursor = since.cursor
        fresh = cursor.get("read_at") != now_micros or not cursor.get("left")
        turn = int(cursor.get("turn", 0)) % len(symbols)
        return cls(
            turn=turn,
            left=len(symbols) if fresh else min(int(cursor["left"]), len(symbols)),
            read_at=now_micros,
            again=not fresh and bool(cursor.get("again")),
            bars=_kept(cursor.get("bars"), symbols) or _all_at(since, symbols),
            funding=_kept(cursor.get("funding"), symbols),
            asked=_kept(cursor.get("asked"), symbols),
        )

    def went_on(self, n_symbols: int, *, again: bool) -> Self:
        """The state after a turn; `again` keeps the symbol for a further page of its bars."""
        if again:
            return replace(self, again=True)
        return replace(self, turn=(self.turn + 1) % n_symbols, left=self.left - 1, again=False)

    def as_cursor(self) -> dict[str, Any]:
        return {
            "turn": self.turn,
            "left": self.left,
            "read_at": self.read_at,
            "again": self.again,
            "bars": dict(self.bars),
            "funding": dict(self.funding),
            "asked": dict(self.asked),
        }


def _all_at(since: Position, symbols: Sequence[str]) -> dict[str, int]:
    """A position of nothing but a time counts for every symbol."""
    if since.watermark is None or since.cursor:
        return {}
    return dict.fromkeys(symbols, to_microseconds(since.watermark) // 1_000)


def _kept(found: Any, symbols: Sequence[str]) -> dict[str, int]:
    """Symbols that are no longer configured are forgotten."""
    known = found if isinstance(found, Mapping) else {}
    return {symbol: int(known[symbol]) for symbol in symbols if symbol in known}
