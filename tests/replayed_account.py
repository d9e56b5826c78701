"""Bybit's recorded public answers over HTTP, and answers written by hand for what nobody recorded.

Every recorded answer says when it was given (`time`). That moment is moved to the moment of asking, and all
times in the answer move along by the same amount; every other number stays as it was recorded.
"""

import itertools
import json
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fake_account import FakeAccount
from raw_server import reply_json

_KLINE, _INSTRUMENTS = "/v5/market/kline", "/v5/market/instruments-info"
# Times in seconds, milliseconds and nanoseconds are told by their number of digits.
_PER_MS = {10: 1e-3, 13: 1, 19: 1_000_000}
_FIRST_YEAR_MS, _LAST_YEAR_MS = 1_400_000_000_000, 2_000_000_000_000


class ReplayedAccount(FakeAccount):
    """Recorded routes first, then routes by hand; counts which of them answered.

    Args:
        routes: of `{"path", "query", "body"}`; the query names what a request must ask for.
        clock: the venue's clock in milliseconds.
    """

    def __init__(self, routes: Sequence[Mapping[str, Any]], clock: Callable[[], int]) -> None:
        self._clock = clock
        self.routes = routes
        self.answered: Counter[tuple[str, str]] = Counter()
        super().__init__(clock())

    @property
    def now_ms(self) -> int:
        """The venue's clock; setting it has no effect."""
        return self._clock()

    @now_ms.setter
    def now_ms(self, at: int) -> None:
        del at

    def count(self, by: str) -> int:
        """Requests that were answered by `recording`, `hand` or `nobody`."""
        return sum(n for (_, who), n in self.answered.items() if who.startswith(by))

    def _respond(self, connection: socket.socket, head: str) -> None:
        target = urlsplit(head.split(" ", 2)[1])
        path, query = target.path, dict(parse_qsl(target.query))
        route = next((one for one in self.routes if _answers(one, path, query)), None)
        if route is None:
            self.answered[path, "hand" if path in self.answers else "nobody"] += 1
            super()._respond(connection, head)
            return
        body = moved(route["body"], self.now_ms - int(route["body"]["time"]))
        by = "recording"
        if path == _INSTRUMENTS and query.get("category") == "linear":
            by = "recording, other symbols by hand"
            known = {one["symbol"] for one in body["result"]["list"]}
            more = [one for one in self._instruments(query)["list"] if one["symbol"] not in known]
            body["result"]["list"] += more
        self.answered[path, by] += 1
        reply_json(body)(connection, head)

    def _instruments(self, query: Mapping[str, str]) -> dict[str, Any]:
        found = super()._instruments(query)
        assert isinstance(found, dict)
        return found

    def _positions(self, query: Mapping[str, str]) -> object:
        """Only one symbol is ever traded."""
        found = super()._positions(query)
        assert isinstance(found, dict)
        for one in found["list"]:
            if one["symbol"] != "BTCUSDT":
                one |= {"side": "", "size": "0", "positionValue": "0"}
        return found


def _answers(route: Mapping[str, Any], path: str, query: Mapping[str, str]) -> bool:
    if route["path"] != path or not route["query"].items() <= query.items():
        return False
    # Bars answer only whoever asks for bars of their width.
    return path != _KLINE or _minutes(route["body"]) == query.get("interval")


def _minutes(body: Mapping[str, Any]) -> str:
    starts = sorted(int(row[0]) for row in body["result"]["list"])
    return str(min((later - one) // 60_000 for one, later in itertools.pairwise(starts)))


def moved(value: Any, shift_ms: int) -> Any:
    """A copy in which every time is later by `shift_ms`; what is no time stays as it is."""
    if isinstance(value, dict):
        return {name: moved(one, shift_ms) for name, one in value.items()}
    if isinstance(value, list):
        return [moved(one, shift_ms) for one in value]
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdigit():
        return value
    scale = _PER_MS.get(len(str(value)), 0)
    if not scale or not _FIRST_YEAR_MS < int(value) / scale < _LAST_YEAR_MS:
        return value
    later = int(value) + round(shift_ms * scale)
    return later if isinstance(value, int) else str(later)


def load_routes(text: str) -> list[dict[str, Any]]:
    """The routes of a recording."""
    found: list[dict[str, Any]] = json.loads(text)["routes"]
    return found
