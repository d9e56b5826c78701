"""How long from a pushed sample to the message in Slack, on the push path and on the cycle path.

The service runs in a process of its own before a Slack on loopback. Each event is one sample above a limit,
on a component of its own, so that each is an incident with its own message. Between cycles it is judged on
the push path; with `push_seconds = 0` it waits for the next slot, and the time counts from the slot. Around
the events stands a desk of `--series` calm series, a day old, that pushes all of them every five seconds. The
raw round trip is that of a message posted to the same Slack by a bare client.

    python benchmarks/delivery.py --events 60 --series 300
"""

import argparse
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from fake_slack import CHANNEL, TOKEN, FakeSlack, fake_slack  # noqa: E402
from service_process import ServiceProcess, write_config  # noqa: E402

METRIC = "probe_delay_ms"
RULE = f"""
[[rules]]
name = "probe-limit"
metric = "{METRIC}"
method = "threshold"
threshold = 100
direction = "up"
anomaly_type = "execution_delay"
"""
PATIENCE_S = 90.0
STEP_S = 300
PUSH_EVERY_S = 5.0
VENUES = ("bybit", "binance", "okx")
SYMBOLS = ("BTC", "ETH", "SOL", "XRP", "DOGE")
FLOWS = frozenset({"pnl", "orders"})
METRICS = ("pnl", "orders", "fill_ratio", "slippage_bps", "inventory_usd", "hedge_lag_ms")


def calm_desk(n_series: int) -> list[dict[str, Any]]:
    """So many series of strategies, venues and symbols, without values."""
    kinds = [*itertools.product(VENUES, SYMBOLS, METRICS)]
    return [
        {
            "metric": kinds[n % len(kinds)][2],
            "labels": {
                "strategy": f"mm{n // len(kinds)}",
                "venue": kinds[n % len(kinds)][0],
                "symbol": kinds[n % len(kinds)][1],
            },
        }
        for n in range(n_series)
    ]


def valued(
    desk: Sequence[dict[str, Any]], at: datetime, dice: np.random.Generator, seconds: float = STEP_S
) -> Iterator[dict[str, Any]]:
    """A calm sample of each series; flows bring what falls into so many seconds."""
    for one in desk:
        share = seconds / STEP_S if one["metric"] in FLOWS else 1.0
        value = float(dice.normal(20, 5)) * share
        yield {**one, "timestamp": at.isoformat(), "value": value}


def sections(slack: FakeSlack, events: int, push_s: float) -> list[str]:
    alerts = f"""
[alerts]
allow_hosts = ["127.0.0.1"]
max_alerts_per_hour = 10000
[alerts.slack]
channel = "{CHANNEL}"
api_url = "{slack.api_url}"
"""
    edges = "".join(
        f'[[edges]]\ncause = "service:probe{n}"\neffect = "service:after{n}"\n' for n in range(events)
    )
    return [f"push_seconds = {push_s}", RULE, alerts, edges]


def sample(n: int, at: datetime, value: float) -> dict[str, Any]:
    return {
        "metric": METRIC,
        "labels": {"component": f"service:probe{n}"},
        "timestamp": at.isoformat(),
        "value": value,
    }


def arrival(slack: FakeSlack, n: int, since: float) -> float:
    """When the first message about an event came, on the monotonic clock."""
    wanted = f'service:probe{n}\\"'
    deadline = since + PATIENCE_S
    while time.monotonic() < deadline:
        for call in list(slack.calls):
            if call.at >= since and wanted in repr(call.body.get("blocks")).replace('"', '\\"'):
                return call.at
        time.sleep(0.01)
    raise SystemExit(f"event {n} was not told within {PATIENCE_S:.0f} s")


def measured(
    events: int, n_series: int, interval_s: int, push_s: float, start_of: Callable[[float], float]
) -> list[float]:
    """Seconds from each event (or from what `start_of` makes of its moment) to its message."""
    desk = calm_desk(n_series)
    with tempfile.TemporaryDirectory() as folder, fake_slack() as slack:
        config = write_config(Path(folder), sections(slack, events, push_s), interval_s=interval_s)
        environ = {"ANALYST_ALERTS__SLACK__BOT_TOKEN": TOKEN}
        with (
            ServiceProcess(
                "serve", "--config", str(config), environ=environ, wait_s=180, fresh=True
            ) as process,
            httpx2.Client(base_url=process.url, timeout=30) as client,
        ):
            prepare(client, events, interval_s, desk)
            with trading(client, desk):
                return [one_event(client, slack, n, start_of) for n in range(events)]


@contextmanager
def trading(client: httpx2.Client, desk: Sequence[dict[str, Any]]) -> Iterator[None]:
    """The calm desk goes on while the block lasts."""
    over, dice = threading.Event(), np.random.default_rng(5)

    def push() -> None:
        while desk and not over.wait(PUSH_EVERY_S):
            body = {"samples": [*valued(desk, datetime.now(UTC), dice, PUSH_EVERY_S)]}
            client.post("/api/v1/samples", json=body).raise_for_status()

    pushing = threading.Thread(target=push)
    pushing.start()
    try:
        yield
    finally:
        over.set()
        pushing.join()


def prepare(client: httpx2.Client, events: int, interval_s: int, desk: Sequence[dict[str, Any]]) -> None:
    """A calm past, judged once."""
    now, dice = datetime.now(UTC), np.random.default_rng(3)
    past = [
        sample(n, now - timedelta(seconds=interval_s * back), float(dice.normal(15, 1)))
        for back in range(1, 61)
        for n in range(events)
    ]
    for back in range(86_400 // STEP_S):
        past += valued(desk, now - timedelta(seconds=STEP_S * back), dice)
    for first in range(0, len(past), 10_000):
        body = {"samples": past[first : first + 10_000]}
        client.post("/api/v1/samples", json=body).raise_for_status()
    client.post("/api/v1/cycles", timeout=300).raise_for_status()
    time.sleep(3)


def one_event(client: httpx2.Client, slack: FakeSlack, n: int, start_of: Callable[[float], float]) -> float:
    time.sleep(float(np.random.default_rng(n).uniform(0.2, 2.0)))
    pushed, wall = time.monotonic(), time.time()
    body = {"samples": [sample(n, datetime.now(UTC), 300.0)]}
    client.post("/api/v1/samples", json=body).raise_for_status()
    return arrival(slack, n, pushed) - pushed - (start_of(wall) - wall)


def raw_round_trips(count: int) -> list[float]:
    """Seconds for one post and its answer."""
    with fake_slack() as slack, httpx2.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        found = []
        for n in range(count):
            began = time.perf_counter()
            client.post(f"{slack.api_url}chat.postMessage", json={"channel": CHANNEL, "text": str(n)})
            found.append(time.perf_counter() - began)
        return found


def row(name: str, seconds: Sequence[float]) -> str:
    p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
    return f"{name:<34}{len(seconds):>7}{p50:>10.3f}{p95:>10.3f}{p99:>10.3f}{max(seconds):>10.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=60, help="events on the push path")
    parser.add_argument("--slots", type=int, default=15, help="events on the cycle path, one per slot")
    parser.add_argument("--series", type=int, default=300, help="calm series around the events")
    parser.add_argument(
        "--interval", type=int, default=10, help="seconds between two slots of the cycle path"
    )
    chosen = parser.parse_args()
    interval = chosen.interval

    def next_slot(wall: float) -> float:
        return float((wall // interval + 1) * interval)

    print(f"{'seconds':<34}{'events':>7}{'p50':>10}{'p95':>10}{'p99':>10}{'max':>10}")
    print(row("raw post to the fake Slack", raw_round_trips(200)), flush=True)
    pushed = measured(chosen.events, chosen.series, STEP_S, 1.0, lambda wall: wall)
    print(row("push path: event to Slack", pushed), flush=True)
    waited = measured(chosen.slots, chosen.series, interval, 0.0, next_slot)
    print(row("cycle path: slot to Slack", waited), flush=True)


if __name__ == "__main__":
    main()
