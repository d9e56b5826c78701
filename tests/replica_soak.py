"""Two replicas on one database before one Slack, one of them killed again and again while things go wrong."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from fake_slack import CHANNEL, TOKEN, FakeSlack, fake_slack
from service_process import ServiceProcess, eventually, write_config

INTERVAL_S = 2
N_SERIES = 60
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


@dataclass
class Soaked:
    """What was seen over a run."""

    kills: int = 0
    spikes: int = 0
    cycles: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    inside_retry_after: int = 0

    def keys(self) -> Counter[str]:
        """How many messages of the channel carry each key."""
        return Counter(str(one["metadata"]["event_payload"]["key"]) for one in self.messages)

    def doubled_alerts(self) -> list[str]:
        """Incidents that have more than one message."""
        subjects = Counter(key.partition("@")[0] for key in self.keys().elements())
        return [subject for subject, count in subjects.items() if count > 1]

    def lost_alerts(self) -> list[str]:
        """Incidents worth telling that stand in no message."""
        text = "\n".join(str(one["blocks"]) for one in self.messages)
        worth = [one["id"] for one in self.incidents if one["severity"] != "low"]
        return [one for one in worth if f"/incidents/{one}|" not in text]

    def doubled_cycles(self) -> list[str]:
        """Slots that ran twice, and cycles that began before the one before them had ended."""
        slots = Counter(one["scheduled_for"] for one in self.cycles)
        twice = [slot for slot, count in slots.items() if count > 1]
        done = sorted(
            (one for one in self.cycles if one["status"] == "done"), key=lambda one: str(one["started_at"])
        )
        return twice + [
            str(late["scheduled_for"])
            for early, late in itertools.pairwise(done)
            if datetime.fromisoformat(late["started_at"]) < datetime.fromisoformat(early["finished_at"])
        ]

    def unrecorded_slots(self) -> int:
        """Slots between the first and the last that stand nowhere."""
        slots = sorted({datetime.fromisoformat(one["scheduled_for"]) for one in self.cycles})
        if not slots:
            return 0
        expected = round((slots[-1] - slots[0]).total_seconds() / INTERVAL_S) + 1
        return expected - len(slots)

    def table(self) -> str:
        """One line of figures."""
        status = Counter(str(one["status"]) for one in self.cycles)
        return (
            f"kills {self.kills} | cycles {len(self.cycles)} ({dict(status)}) | "
            f"doubled {len(self.doubled_cycles())} | unrecorded {self.unrecorded_slots()} | "
            f"spikes {self.spikes} | incidents {len(self.incidents)} | messages {len(self.messages)} | "
            f"lost {len(self.lost_alerts())} | doubled {len(self.doubled_alerts())} | "
            f"inside Retry-After {self.inside_retry_after}"
        )


class Replicas:
    """Two processes of the service; the dead one is started again."""

    def __init__(self, stack: ExitStack, config: Path) -> None:
        self._stack = stack
        self._config = str(config)
        self.running = [self._start(), self._start()]

    def _start(self) -> ServiceProcess:
        environ = {"ANALYST_ALERTS__SLACK__BOT_TOKEN": TOKEN}
        process = ServiceProcess("serve", "--config", self._config, environ=environ, wait_s=120)
        return self._stack.enter_context(process)

    def kill(self, n: int) -> None:
        """kill -9, and start another one in its place."""
        self.running[n].kill()
        self.running[n] = self._start()

    def push(self, samples: list[dict[str, Any]]) -> None:
        """To whichever replica takes it."""
        for one in self.running:
            try:
                answer = httpx2.post(f"{one.url}/api/v1/samples", json={"samples": samples}, timeout=20)
            except httpx2.HTTPError:
                continue
            if answer.status_code == 200:
                return

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """All items of a list."""
        cursor: dict[str, str] = {}
        while True:
            page = self.running[0].get(path, limit=500, **cursor)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            cursor = {"cursor": page["next_cursor"]}


def samples(now: datetime, dice: random.Random, spiking: set[int], rows: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "metric": METRIC,
            "labels": {"component": f"service:p{n}"},
            "timestamp": (now - timedelta(seconds=INTERVAL_S * back)).isoformat(),
            "value": dice.gauss(300 if n in spiking and not back else 15, 1),
        }
        for back in range(rows)
        for n in range(N_SERIES)
    ]


def _config(folder: Path, url: str, slack: FakeSlack) -> Path:
    alerts = f"""
[alerts]
allow_hosts = ["127.0.0.1"]
max_alerts_per_hour = 10000
cooldown_minutes = 0
timeout_seconds = 2
lease_seconds = 6
[alerts.slack]
channel = "{CHANNEL}"
api_url = "{slack.api_url}"
"""
    # Components that the cause graph keeps apart, so that each spike is an incident of its own.
    edges = "".join(
        f'[[edges]]\ncause = "service:p{n}"\neffect = "service:after-p{n}"\n' for n in range(N_SERIES)
    )
    path = write_config(folder, [RULE, alerts, edges], url=url, interval_s=INTERVAL_S)
    text = path.read_text(encoding="utf-8")
    more = f"interval_seconds = {INTERVAL_S}\nlookback_hours = 0.25\nincident_gap_seconds = 1"
    path.write_text(text.replace(f"interval_seconds = {INTERVAL_S}", more), encoding="utf-8")
    return path


@contextmanager
def _desk(folder: Path, url: str) -> Iterator[tuple[Replicas, FakeSlack]]:
    with fake_slack() as slack, ExitStack() as stack:
        yield Replicas(stack, _config(folder, url, slack)), slack


def soak(folder: Path, url: str, seconds: float, kill_every_s: float, spike_every_s: float = 6.0) -> Soaked:
    """Run for so long, then let everything be told, and say what was seen."""
    seen, dice = Soaked(), random.Random(7)
    with _desk(folder, url) as (replicas, slack):
        replicas.push(samples(datetime.now(UTC), dice, set(), rows=60))
        begun = time.monotonic()
        next_kill, next_spike = begun + kill_every_s, begun + 2 * INTERVAL_S
        restart = threading.Thread()
        while time.monotonic() < begun + seconds:
            spiking: set[int] = set()
            if time.monotonic() >= next_spike:
                spiking = {seen.spikes % N_SERIES}
                seen.spikes += 1
                next_spike += spike_every_s
            replicas.push(samples(datetime.now(UTC), dice, spiking))
            if time.monotonic() >= next_kill and not restart.is_alive():
                # Beside, so that samples go on to the survivor.
                restart = threading.Thread(target=replicas.kill, args=(seen.kills % 2,))
                restart.start()
                seen.kills += 1
                next_kill = max(next_kill + kill_every_s, time.monotonic())
            time.sleep(INTERVAL_S / 2)
        if seen.kills:
            restart.join()
        eventually(lambda: _told(replicas), 180, "alerts are still waiting")
        seen.cycles = list(replicas.pages("/api/v1/cycles"))
        seen.incidents = list(replicas.pages("/api/v1/incidents"))
        seen.messages = [one for one in slack.posts() if "thread_ts" not in one]
        seen.inside_retry_after = slack.inside_retry_after
    return seen


def _told(replicas: Replicas) -> bool:
    """Whether nothing waits any more, a dead worker's claims included."""
    return bool(replicas.running[0].get("/api/v1/alerts/delivery")["pending"] == 0)
