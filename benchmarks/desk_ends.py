"""What all desks of docs/examples read: their configuration with other addresses, rotated logs, a venue."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from example_desks import EXAMPLES, Outside
from fake_slack import FakeSlack, fake_slack
from fake_venue import price
from replayed_account import ReplayedAccount

REAL, RECORDED, BY_HAND, MACHINE = "real server", "recorded + by hand", "by hand", "this machine"
FILES, ROTATED = "real files", "real files, rotated"
# The only keys of a source that may differ from the example.
ADDRESSES = {"base_url", "url", "allow_private_addresses", "paths", "file", "program"}
Edits = Mapping[str, Mapping[str, object]]


class Clock:
    """The service's clock: the wall's, unless it was set."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)

    def ms(self) -> int:
        return round(self().timestamp() * 1_000)


def rewritten(text: str, edits: Edits, database: str) -> str:
    """A desk's configuration with other addresses and paths.

    Raises:
        ValueError: something else than an address would change, or a source is missing.
    """
    head, *blocks = re.split(r"(?m)^(?=\[\[sources\]\]$)", text)
    head, found = re.subn(r'(?m)^url = ".*"$', f"url = {json.dumps(database)}", head)
    names = []
    for at, block in enumerate(blocks):
        name = json.loads(re.findall(r"(?m)^name = (.*)$", block)[0])
        names.append(name)
        for key, value in edits.get(name, {}).items():
            line = f"{key} = {json.dumps(value)}"
            # What follows a source's own table is left as it is.
            own, bracket, rest = block.partition("\n[")
            own, known = re.subn(rf"(?m)^{key} = .*$", line.replace("\\", r"\\"), own)
            own = own if known else own.replace("\nkind", f"\n{line}\nkind", 1)
            block = own + bracket + rest  # noqa: PLW2901 - edit by edit
        blocks[at] = block
    strange = {key for one in edits.values() for key in one} - ADDRESSES
    if found != 1 or strange or set(edits) - set(names):
        raise ValueError(f"database {found} times, {strange}, {set(edits) - set(names)}")
    return head + "".join(blocks)


@dataclass
class RotatedLog:
    """A log that its program writes to and that somebody rotates; every line is counted by its minute."""

    path: Path
    line: Callable[[datetime, str, str], str]
    written: list[datetime] = field(default_factory=list)

    def write(self, at: datetime, level: str, text: str, path: Path | None = None) -> None:
        with (path or self.path).open("a", encoding="utf-8") as file:
            file.write(self.line(at, level, text) + "\n")
        self.written.append(at)

    def older(self, number: int, suffix: str = "") -> Path:
        return self.path.with_name(f"{self.path.name}.{number}{suffix}")

    def rename(self) -> None:
        """As logrotate does: older ones move on, the file is renamed, a new one is created."""
        for number in (2, 1):
            for suffix in ("", ".gz"):
                if self.older(number, suffix).exists():
                    self.older(number, suffix).rename(self.older(number + 1, suffix))
        self.path.rename(self.older(1))
        self.path.touch()

    def compress(self) -> None:
        """The newest rotated one, by the program that everybody uses."""
        subprocess.run(["gzip", self.older(1)], check=True)

    def truncate(self) -> None:
        """As logrotate's `copytruncate` does, after everything was read."""
        self.older(1).unlink(missing_ok=True)
        shutil.copy2(self.path, self.older(1))
        os.truncate(self.path, 0)


class Ends:
    """What one desk reads.

    Args:
        stack: closes it in the end.
        folder: for files.
        clock: the service's.
        routes: recorded answers.
    """

    toml = ""
    step = timedelta(minutes=5)
    # Whether only the wall clock will do.
    live = False
    calm, troubled = 6, 6
    # The series in trouble, and where it must be seen.
    metric, component = "", ""
    causes: frozenset[str] = frozenset()

    def __init__(self, stack: ExitStack, folder: Path, clock: Clock, routes: list[dict[str, Any]]) -> None:
        self.stack, self.folder, self.clock = stack, folder, clock
        self.rng = random.Random(1)
        self.ticks = 0
        self.cycles = 0
        self.ticked = clock()
        self.trouble = False
        self.checking = True
        self.begin: datetime | None = None
        self.slack: FakeSlack = stack.enter_context(fake_slack())
        self.venue = ReplayedAccount(routes, clock.ms)
        stack.callback(self.venue.close)
        self.outside = Outside(stack, folder, clock())
        self.database = f"sqlite:///{folder / 'analyst.db'}"
        self.trades = 0

    def edits(self) -> Edits:
        raise NotImplementedError

    def kinds(self) -> dict[str, str]:
        raise NotImplementedError

    def past(self) -> None:
        """What happened before the service was there."""

    def tick(self, at: datetime) -> None:
        """What happens in the step that ends at a time."""
        self.ticked = at
        self.ticks += 1

    def rotate(self, at: datetime) -> None:
        """What happens to files before the step of a cycle that ends at a time."""

    def worsen(self) -> None:
        """The trouble begins."""
        self.trouble = True

    def counted(self, get: "Get") -> list[tuple[str, bool]]:
        """What was written against what is stored, and whether they agree; `get` asks over REST."""
        del get
        return []

    def facts(self) -> list[tuple[str, bool]]:
        """What else is worth a line, and whether it is as it must be."""
        return []

    def by_hand(self, *names: str) -> dict[str, dict[str, Any]]:
        """Addresses of sources that are answered by hand, in the documented shape."""
        sources = tomllib.loads((EXAMPLES / self.toml).read_text(encoding="utf-8"))["sources"]
        found = {}
        for one in sources:
            if one["name"] in names:
                moved = self.outside.moved(one)
                found[one["name"]] = {key: moved[key] for key in ADDRESSES if moved.get(key) != one.get(key)}
        return found

    def fill(self, at: datetime, link: str = "") -> None:
        """One small trade of the account, there and back."""
        self.trades += 1
        moment = round(at.timestamp() * 1_000)
        amount = 0.01 if self.trades % 2 else -0.01
        paid = price("BTCUSDT", moment) * (1 + self.rng.uniform(-2e-4, 1e-4) * (amount > 0 or -1))
        self.venue.trade(self.trades, moment, amount, round(paid, 1), link and f"{link}{self.trades}")
        self.venue.order(
            self.trades, moment - 100, "Filled", abs(amount), abs(amount), link and f"{link}{self.trades}"
        )


Get = Callable[..., Any]


def samples_of(get: Get, metric: str, where: str, since: datetime) -> list[tuple[datetime, float]]:
    """All stored samples of the series of a metric that have a label like this, in the order of time."""
    found = []
    for series in get("/api/v1/series", metric=metric, limit=500)["items"]:
        if not any(where in value for value in series["labels"].values()):
            continue
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            page = get(
                f"/api/v1/series/{series['id']}/samples",
                start=since.isoformat(),
                end=(since + timedelta(days=30)).isoformat(),
                limit=500,
                **more,
            )
            found += [(datetime.fromisoformat(one["timestamp"]), one["value"]) for one in page["items"]]
            cursor = page["next_cursor"]
    return sorted(found)


def compared(
    what: str, written: list[datetime], stored: list[tuple[datetime, float]], step: timedelta
) -> tuple[str, bool]:
    """What was written up to the newest cell that is stored, against the sum of what is stored."""
    if not stored:
        return f"{what}: {len(written)} written, nothing stored", False
    width = step.total_seconds()
    last = stored[-1][0].timestamp() // width
    due = sum(1 for at in written if at.timestamp() // width <= last)
    kept = round(sum(value for _, value in stored))
    late = max(written).timestamp() // width - last
    return f"{what}: {due} written, {kept} stored, {late:.0f} cells to come", kept == due and late <= 1
