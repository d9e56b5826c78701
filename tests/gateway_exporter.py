"""An exporter of an order gateway: a histogram of acknowledgements and a counter of feed messages."""

import math
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from raw_server import reply

BOUNDS = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, math.inf)
FAMILIES = ("order_ack_seconds", "feed_messages")


class GatewayExporter:
    """Counts on by the wall clock with every scrape.

    Args:
        seed: of the orders and messages.
        venue: the label.
    """

    def __init__(self, seed: int = 1, venue: str = "bybit") -> None:
        self._rng = np.random.default_rng(seed)
        self._venue = venue
        self._in_bucket = np.zeros(len(BOUNDS), dtype=np.int64)
        self._sum = 0.0
        self.messages = 0
        self.slowness = 1.0
        self.scrapes = 0
        self._last: float | None = None

    def advance(self, seconds: float) -> None:
        """Let this much time pass: 20 orders and 50 messages a second."""
        acks = self._rng.lognormal(math.log(0.012), 0.35, self._rng.poisson(20 * seconds)) * self.slowness
        self._in_bucket += np.histogram(acks, (0.0, *BOUNDS))[0]
        self._sum += float(acks.sum())
        self.messages += int(self._rng.poisson(50 * seconds))

    def lines(self, family: str, labels: str = "", at: int | None = None) -> Iterator[str]:
        """The samples of one family; with a time where one is given."""
        end = "" if at is None else f" {at}"
        own = f'venue="{self._venue}"' + labels
        if family == "feed_messages":
            yield f"feed_messages_total{{{own}}} {self.messages}{end}"
            return
        for bound, count in zip(BOUNDS, self._in_bucket.cumsum(), strict=True):
            le = "+Inf" if math.isinf(bound) else repr(bound)
            yield f'order_ack_seconds_bucket{{{own},le="{le}"}} {count}{end}'
        yield f"order_ack_seconds_count{{{own}}} {self._in_bucket.sum()}{end}"
        yield f"order_ack_seconds_sum{{{own}}} {self._sum}{end}"

    def respond(self, connection: socket.socket, head: str) -> None:
        """Answer a scrape."""
        now = time.monotonic()
        self.advance(0.0 if self._last is None else now - self._last)
        self._last = now
        self.scrapes += 1
        text = "".join(
            f"# TYPE {name} {kind}\n" + "".join(f"{line}\n" for line in self.lines(family))
            for family, name, kind in (
                ("order_ack_seconds", "order_ack_seconds", "histogram"),
                ("feed_messages", "feed_messages_total", "counter"),
            )
        )
        reply(text.encode())(connection, head)

    def past(
        self, start: int, end: int, instance: str, *, step: int = 15, slow_from: int | None = None
    ) -> str:
        """What scrapes every `step` seconds up to now would have seen, in OpenMetrics with times."""
        labels = f',instance="{instance}",job="desk"'
        found: dict[str, list[str]] = {family: [] for family in FAMILIES}
        for at in range(start, end + 1, step):
            if slow_from is not None and at >= slow_from:
                self.slowness = 8.0
            self.advance(step)
            for family in FAMILIES:
                found[family] += self.lines(family, labels, at)
        self._last = time.monotonic()
        kinds = {"order_ack_seconds": "histogram", "feed_messages": "counter"}
        return (
            "".join(
                f"# TYPE {family} {kind}\n" + "\n".join(found[family]) + "\n"
                for family, kind in kinds.items()
            )
            + "# EOF\n"
        )


def write_blocks(promtool: str, text: str, folder: Path) -> None:
    """Make blocks of a server's store from OpenMetrics with times; the server has to start after that."""
    source = folder / "past.om"
    source.write_text(text, encoding="utf-8")
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", source, folder / "data"],
        check=True,
        capture_output=True,
    )
