"""kill -9 at every stage between detection and mark, while Slack misbehaves: none lost, none doubled."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path

import pytest
from alert_victim import FASTER, STAGES, Round
from fake_slack import FakeSlack, Fault, fake_slack

TESTS = Path(__file__).parents[2]
FAULTS = cycle([Fault("lost"), Fault("500"), Fault("429", "20"), Fault("reset"), Fault("503")])
SHORT = len(STAGES)
FULL = 300


class Harness:
    """Kills a process in each round, lets the next one live, and keeps count."""

    def __init__(self, process: subprocess.Popen[str], slack: FakeSlack, database: str, *, bot: bool) -> None:
        self._process = process
        self.slack = slack
        self._database = database
        self._bot = bot
        self.killed: Counter[str] = Counter()

    def round(self, n: int, stage: str) -> None:
        if n % 5 == 0:
            self.slack.faults = [next(FAULTS)]
        # A killed process' claims run out after two minutes on its clock, so the next one lives later.
        if self._live(n, stage, minutes=10 * n) == -9:
            self.killed[stage] += 1
        assert self._live(n, None, minutes=10 * n + 5) == 0

    def _live(self, n: int, stage: str | None, minutes: int) -> int:
        one = Round(n, minutes, self._database, self.slack.url, self._bot, stage)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(asdict(one))}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def table(self, n_rounds: int) -> str:
        """What was seen, in lines."""
        told, unmarked = self.told(repeats=True), self.told(repeats=False)
        lost = set(range(1, n_rounds + 1)) - set(told)
        doubled = [n for n, count in (told if self._bot else unmarked).items() if count > 1]
        marked = sum(told.values()) - sum(unmarked.values())
        return "\n".join(
            [
                f"{'bot' if self._bot else 'webhook'}, {n_rounds} rounds, {sum(self.killed.values())} killed",
                *(f"  {stage:<16}{self.killed[stage]:>4}" for stage in STAGES),
                f"  lost {len(lost)}, doubled {len(doubled)}, marked repeats {marked}",
                f"  inside Retry-After {self.slack.inside_retry_after}, calls {len(self.slack.calls)}",
            ]
        )

    def told(self, *, repeats: bool) -> Counter[int]:
        """How many messages tell of each round, with or without those that say that they may be repeats."""
        texts = [one["text"] for one in self.slack.posts()]
        counted = [text for text in texts if repeats or not text.startswith("Possible repeat")]
        return Counter(int(number) for text in counted for number in re.findall(r"venue(\d+)", text))


@contextmanager
def harness(database: str, *, bot: bool) -> Iterator[Harness]:
    command = [sys.executable, str(TESTS / "alert_victim.py")]
    with fake_slack() as slack:
        slack.clock = lambda: time.monotonic() * FASTER
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=TESTS.parent,
            env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "PATH": ""},
        ) as process:
            yield Harness(process, slack, database, bot=bot)
            assert process.stdin is not None
            process.stdin.close()


def kill_rounds(database: str, n_rounds: int, *, bot: bool) -> None:
    with harness(database, bot=bot) as one:
        for n, stage in enumerate(islice(cycle(STAGES), n_rounds), 1):
            one.round(n, stage)
        print(one.table(n_rounds))  # noqa: T201 - the figures of an endurance run
        assert set(one.killed) == set(STAGES)
        assert set(one.told(repeats=True)) == set(range(1, n_rounds + 1))
        assert max(one.told(repeats=bot).values()) == 1
        assert one.slack.inside_retry_after == 0


@pytest.mark.parametrize("bot", [True, False])
def test_a_kill_at_any_stage_loses_nothing_and_doubles_nothing(sqlite_url: str, bot: bool) -> None:
    kill_rounds(sqlite_url, SHORT, bot=bot)


@pytest.mark.endurance
@pytest.mark.parametrize("bot", [True, False])
def test_hundreds_of_kills_lose_nothing_and_double_nothing(database_url: str, bot: bool) -> None:
    kill_rounds(database_url, FULL, bot=bot)
